//! The key files of a node: `DIR/keys/*.key`.
//!
//! Invariants: one key, one role; a file is written once, mode 0600; a file that group or world
//! can read is refused; the organisation's keys lie encrypted wherever a passphrase is to be had.
//!
//! Format, one line: `hallmark-key 1 <role> clear <base64 seed>` or
//! `hallmark-key 1 <role> argon2id <base64 salt> <base64 nonce> <base64 sealed seed>`.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::serial::LabelKey;
use zeroize::Zeroizing;

use crate::failure::Failure;

pub(crate) mod rotation;

/// Memory of argon2id in KiB: 64 MiB, twice over, one lane.
const ARGON2_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 2;

/// What a key is for; also the name of its file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Signs for the organisation.
    Organisation,
    /// The organisation's next key, committed to beforehand.
    OrganisationNext,
    /// The key after that one, while a rotation is under way.
    OrganisationAfter,
    /// Signs the log's checkpoints and receipts.
    Log,
    /// Cosigns other logs' checkpoints.
    Witness,
    /// Signs that this node holds a whole copy.
    Mirror,
    /// Speaks for the node to its peers.
    Peer,
    /// The device that signs what clients hand in.
    Capture,
    /// Makes the serials of labels; it signs nothing.
    Label,
}

impl Purpose {
    /// The name in the file and of the file.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Organisation => "organisation",
            Purpose::OrganisationNext => "organisation-next",
            Purpose::OrganisationAfter => "organisation-after",
            Purpose::Log => "log",
            Purpose::Witness => "witness",
            Purpose::Mirror => "mirror",
            Purpose::Peer => "peer",
            Purpose::Capture => "capture",
            Purpose::Label => "label",
        }
    }

    /// Whether its file is encrypted under the passphrase; the others must start unattended.
    fn is_sealed(self) -> bool {
        matches!(
            self,
            Purpose::Organisation | Purpose::OrganisationNext | Purpose::OrganisationAfter
        )
    }

    fn path(self, keys: &Path) -> PathBuf {
        keys.join(format!("{}.key", self.name()))
    }
}

/// Where systemd puts the credentials of services.
const SYSTEMD_CREDENTIALS: &str = "/run/credentials";

/// Where the passphrase comes from.
#[derive(Debug)]
pub struct Passphrase(Option<Zeroizing<String>>);

impl Passphrase {
    /// For keys that are never sealed.
    pub(crate) fn none() -> Passphrase {
        Passphrase(None)
    }

    /// The passphrase for keys that are being made: file, else a terminal, else none.
    pub fn for_new(file: Option<&Path>) -> Result<Passphrase, Failure> {
        if let Some(file) = file {
            return Passphrase::from_file(file);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(Passphrase(None));
        }
        let first = prompt("passphrase for the organisation key (empty: none): ")?;
        if first.is_empty() {
            return Ok(Passphrase(None));
        }
        if *prompt("the same again: ")? != *first {
            return Err(Failure::usage("the two passphrases differ").help("run the command again"));
        }
        Ok(Passphrase(Some(first)))
    }

    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// What lies on a disk must be readable by its owner alone; a pipe lies nowhere, and systemd
    /// guards its credentials by other means than the mode.
    fn from_file(file: &Path) -> Result<Passphrase, Failure> {
        let unreadable = |e: std::io::Error| {
            Failure::usage(format!("cannot read the passphrase file {}", file.display()))
                .because(&e)
                .help("give the right file with --passphrase-file or HALLMARK_PASSPHRASE_FILE")
        };
        let mut opened = File::open(file).map_err(unreadable)?;
        let metadata = opened.metadata().map_err(unreadable)?;
        let mode = metadata.mode() & 0o777;
        let is_open = metadata.is_file() && mode & 0o077 != 0;
        if is_open && !file.starts_with(SYSTEMD_CREDENTIALS) {
            let path = file.display();
            return Err(Failure::usage(format!(
                "the passphrase file {path} can be read by others (mode {mode:o})"
            ))
            .help(format!("chmod 600 {path}; if others had access, choose another passphrase")));
        }
        let mut text = Zeroizing::new(String::new());
        opened.read_to_string(&mut text).map_err(unreadable)?;
        let text = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        if text.is_empty() {
            return Err(Failure::usage(format!("the passphrase file {} is empty", file.display()))
                .help("give the right file with --passphrase-file or HALLMARK_PASSPHRASE_FILE"));
        }
        Ok(Passphrase(Some(text)))
    }
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(text).map(Zeroizing::new).map_err(|e| {
        Failure::usage("cannot read a passphrase from the terminal")
            .because(&e)
            .help("set HALLMARK_PASSPHRASE_FILE or give --passphrase-file")
    })
}

/// Makes one new key and writes its file; an existing file is never replaced.
pub fn create(
    keys: &Path,
    purpose: Purpose,
    passphrase: &Passphrase,
) -> Result<SecretKey, Failure> {
    let seed = Zeroizing::new(random::<32>());
    let line = line(purpose, &seed, passphrase)?;
    let path = purpose.path(keys);
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot write the key file {}", path.display()))
            .because(&e)
            .help("give a new folder: a key file is never replaced")
    };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(cannot)?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)?;
    Ok(SecretKey::from_seed(*seed))
}

/// What the file of a key holds.
fn line(
    purpose: Purpose,
    seed: &[u8; 32],
    passphrase: &Passphrase,
) -> Result<Zeroizing<String>, Failure> {
    let line = match (&passphrase.0, purpose.is_sealed()) {
        (Some(passphrase), true) => seal(purpose, seed, passphrase)?,
        _ => format!("hallmark-key 1 {} clear {}\n", purpose.name(), BASE64.encode(seed)),
    };
    Ok(Zeroizing::new(line))
}

/// Opens one key file. `passphrase_file` (or a terminal) is asked only if the file is encrypted.
pub fn open(
    keys: &Path,
    purpose: Purpose,
    passphrase_file: Option<&Path>,
) -> Result<SecretKey, Failure> {
    unlock(keys, purpose, passphrase_file).map(|(key, _)| key)
}

/// The same with the passphrase that the file is encrypted with, if it is.
fn unlock(
    keys: &Path,
    purpose: Purpose,
    passphrase_file: Option<&Path>,
) -> Result<(SecretKey, Passphrase), Failure> {
    let path = purpose.path(keys);
    check_mode(&path)?;
    let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| cannot_read(&path, &e))?);
    let malformed = || {
        Failure::usage(format!("{} is no key file of ours", path.display()))
            .help("put the key file back from its backup")
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["hallmark-key", "1", role, "clear", seed] if *role == purpose.name() => {
            let seed = Zeroizing::new(BASE64.decode(seed).map_err(|_| malformed())?);
            let seed = Zeroizing::new(<[u8; 32]>::try_from(&seed[..]).map_err(|_| malformed())?);
            Ok((SecretKey::from_seed(*seed), Passphrase(None)))
        }
        ["hallmark-key", "1", role, "argon2id", salt, nonce, sealed] if *role == purpose.name() => {
            let part = |text: &str| BASE64.decode(text).map_err(|_| malformed());
            let (salt, nonce, sealed) = (part(salt)?, part(nonce)?, part(sealed)?);
            let passphrase = ask(&path, passphrase_file)?;
            let key = unseal(purpose, &passphrase, &salt, &nonce, &sealed).ok_or_else(|| {
                Failure::usage(format!("the passphrase does not open {}", path.display()))
                    .note(
                        "it is not the one that the key was encrypted with, or the file is damaged",
                    )
                    .help("give the right file with --passphrase-file or HALLMARK_PASSPHRASE_FILE")
            })?;
            Ok((key, Passphrase(Some(passphrase))))
        }
        _ => Err(malformed()),
    }
}

/// The secret of the serials of labels; `None` where no label was made here yet.
pub fn label(keys: &Path) -> Result<Option<LabelKey>, Failure> {
    if !Purpose::Label.path(keys).exists() {
        return Ok(None);
    }
    let secret = open(keys, Purpose::Label, None)?;
    Ok(Some(LabelKey::from_secret(secret.seed())))
}

/// The same, made where it is missing: a folder of an older release has none.
pub fn label_or_new(keys: &Path) -> Result<LabelKey, Failure> {
    if let Some(key) = label(keys)? {
        return Ok(key);
    }
    let secret = create(keys, Purpose::Label, &Passphrase(None))?;
    Ok(LabelKey::from_secret(secret.seed()))
}

/// Refuses the folder if group or world can read any key file in it, whether it is used or not.
pub fn check_modes(keys: &Path) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot read the key folder {}", keys.display())).because(&e)
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(keys).map_err(cannot)? {
        paths.push(entry.map_err(cannot)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "key"));
    paths.sort();
    paths.iter().try_for_each(|path| check_mode(path))
}

fn check_mode(path: &Path) -> Result<(), Failure> {
    let mode = std::fs::metadata(path).map_err(|e| cannot_read(path, &e))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    let shown = mode & 0o777;
    Err(Failure::usage(format!("the key file {path} can be read by others (mode {shown:o})"))
        .help(format!("chmod 600 {path}; if others had access, rotate the key")))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read the key file {}", path.display()))
        .because(error)
        .help("`hallmark-node init` wrote it; put it back, readable by you alone")
}

/// The organisation's key for a node that signs unattended; `None` where it is kept offline: its
/// file is not here.
///
/// A passphrase that is given must open the key; one that is needed must be given.
pub fn open_organisation(
    keys: &Path,
    passphrase_file: Option<&Path>,
) -> Result<Option<SecretKey>, Failure> {
    if !Purpose::Organisation.path(keys).exists() {
        return Ok(None);
    }
    open(keys, Purpose::Organisation, passphrase_file).map(Some)
}

fn ask(path: &Path, passphrase_file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = passphrase_file {
        let passphrase = Passphrase::from_file(file)?;
        return Ok(passphrase.0.expect("from_file gives one or fails"));
    }
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        return prompt(&format!("passphrase for {}: ", path.display()));
    }
    Err(Failure::usage(format!("{} is encrypted and there is no passphrase", path.display()))
        .note("no passphrase file is named, and there is no terminal to ask at")
        .help("set HALLMARK_PASSPHRASE_FILE or give --passphrase-file"))
}

fn seal(purpose: Purpose, seed: &[u8; 32], passphrase: &str) -> Result<String, Failure> {
    let (salt, nonce) = (random::<16>(), random::<12>());
    let cipher = cipher(passphrase, &salt)
        .ok_or_else(|| Failure::fault("cannot derive a key from the passphrase"))?;
    let payload = Payload { msg: seed, aad: purpose.name().as_bytes() };
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| Failure::fault("cannot encrypt the key file"))?;
    let [salt, nonce, sealed] = [&salt[..], &nonce, &sealed].map(|part| BASE64.encode(part));
    Ok(format!("hallmark-key 1 {} argon2id {salt} {nonce} {sealed}\n", purpose.name()))
}

fn unseal(
    purpose: Purpose,
    passphrase: &str,
    salt: &[u8],
    nonce: &[u8],
    sealed: &[u8],
) -> Option<SecretKey> {
    let nonce = Nonce::from(<[u8; 12]>::try_from(nonce).ok()?);
    let payload = Payload { msg: sealed, aad: purpose.name().as_bytes() };
    let seed = Zeroizing::new(cipher(passphrase, salt)?.decrypt(&nonce, payload).ok()?);
    Some(SecretKey::from_seed(seed[..].try_into().ok()?))
}

fn cipher(passphrase: &str, salt: &[u8]) -> Option<ChaCha20Poly1305> {
    let params = Params::new(ARGON2_KIB, ARGON2_PASSES, 1, Some(32)).ok()?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .ok()?;
    Some(ChaCha20Poly1305::new(&Key::from(*key)))
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hallmark_schemas::key::Signer;

    use super::*;

    fn passphrase_file(dir: &Path, text: &str) -> PathBuf {
        let path = dir.join(format!("{text}.txt"));
        std::fs::write(&path, format!("{text}\n")).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("chmod");
        path
    }

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let right = passphrase_file(dir.path(), "right");
        let wrong = passphrase_file(dir.path(), "wrong");
        let passphrase = Passphrase::for_new(Some(&right)).expect("read");
        let made = create(dir.path(), Purpose::Organisation, &passphrase).expect("made");
        let text = std::fs::read_to_string(dir.path().join("organisation.key")).expect("read");
        assert!(text.starts_with("hallmark-key 1 organisation argon2id "));
        let opened = open(dir.path(), Purpose::Organisation, Some(&right)).expect("opens");
        assert_eq!(opened.public().bytes(), made.public().bytes());
        let refused = open(dir.path(), Purpose::Organisation, Some(&wrong)).expect_err("refused");
        assert!(refused.lines().contains("does not open"));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Purpose::Log, &Passphrase(None)).expect("made");
        let path = dir.path().join("log.key");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        open(dir.path(), Purpose::Log, None).expect("opens");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("chmod");
        let refused = open(dir.path(), Purpose::Log, None).expect_err("refused");
        assert!(refused.lines().contains("chmod 600"));
    }

    #[test]
    fn an_existing_key_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Purpose::Peer, &Passphrase(None)).expect("made");
        assert!(create(dir.path(), Purpose::Peer, &Passphrase(None)).is_err());
    }

    #[test]
    fn the_label_key_is_made_at_first_use_and_then_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(label(dir.path()).expect("nothing to open").is_none());
        let serial = |key: LabelKey| key.serial("09521234000129", "A", 7).expect("36 bits");
        let made = serial(label_or_new(dir.path()).expect("made"));
        let path = dir.path().join("label.key");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert_eq!(serial(label_or_new(dir.path()).expect("opened")), made);
        assert_eq!(serial(label(dir.path()).expect("opened").expect("there")), made);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("chmod");
        assert!(label(dir.path()).is_err(), "a secret that others can read is none");
    }

    #[test]
    fn a_key_file_under_another_name_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        create(dir.path(), Purpose::Log, &Passphrase(None)).expect("made");
        std::fs::copy(dir.path().join("log.key"), dir.path().join("witness.key")).expect("copied");
        assert!(open(dir.path(), Purpose::Witness, None).is_err());
    }

    #[test]
    fn a_passphrase_that_others_can_read_is_refused_and_one_from_a_pipe_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = passphrase_file(dir.path(), "secret");
        for mode in [0o640, 0o604, 0o644] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("chmod");
            let refused = Passphrase::for_new(Some(&file)).expect_err("refused").lines();
            assert!(refused.contains(&format!("mode {mode:o}")), "{refused}");
            assert!(refused.contains("help: chmod 600"), "{refused}");
        }
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o400)).expect("chmod");
        assert!(Passphrase::for_new(Some(&file)).expect("taken").is_some());
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(b"secret\n").expect("written");
        drop(writer);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let path = PathBuf::from(format!("/proc/self/fd/{fd}"));
        assert!(Passphrase::for_new(Some(&path)).expect("taken").is_some());
    }
}
