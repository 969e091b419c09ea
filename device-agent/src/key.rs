//! The device's key file: made here, read here, never sent.
//!
//! Invariants: the file is readable by its owner alone, or it is refused; an existing key is never
//! written over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use hallmark_schemas::key::SecretKey;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The file's one line: this, then 64 hexadecimal digits.
const HEADER: &str = "hallmark-device-key-1 ";

/// Makes a key and its file, mode 0600.
pub fn create(path: &Path) -> Result<SecretKey, Failure> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| {
        Failure::fault("the operating system gives no random bytes").note(error)
    })?;
    let mut line = Zeroizing::new(String::from(HEADER));
    for byte in seed.iter() {
        line.push_str(&format!("{byte:02x}"));
    }
    line.push('\n');
    write_private(path, line.as_bytes()).map_err(|error| {
        let failure = Failure::fault(format!("cannot write {}", path.display())).because(&error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failure.help("the folder has a key already: take another folder")
            }
            _ => failure,
        }
    })?;
    Ok(SecretKey::from_seed(*seed))
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads the key. A file that group or world can read is refused.
pub fn load(path: &Path) -> Result<SecretKey, Failure> {
    let unreadable = |error: &io::Error| {
        let failure = Failure::usage(format!("cannot read the device key {}", path.display()));
        let failure = failure.because(error);
        match error.kind() {
            io::ErrorKind::NotFound => failure.help("make the folder with `hallmark-agent init`"),
            _ => failure.help(format!(
                "run the agent as the owner of {}, or give the file to whoever runs it",
                path.display()
            )),
        }
    };
    let meta = fs::metadata(path).map_err(|error| unreadable(&error))?;
    check_mode(path, &meta)?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| unreadable(&error))?);
    let malformed = || {
        Failure::usage(format!("{} is no device key", path.display()))
            .help("restore the file from a backup, or enrol a new device")
    };
    let hex = text.trim_end().strip_prefix(HEADER).ok_or_else(malformed)?;
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(malformed());
    }
    let mut seed = Zeroizing::new([0_u8; 32]);
    for (index, byte) in seed.iter_mut().enumerate() {
        let pair = &hex[index * 2..index * 2 + 2];
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    Ok(SecretKey::from_seed(*seed))
}

#[cfg(unix)]
fn check_mode(path: &Path, meta: &fs::Metadata) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(Failure::usage(format!("{} is readable by others", path.display()))
            .help(format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::key::Signer;

    use super::*;

    #[test]
    fn a_key_returns_from_its_file_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        let key = create(&path).unwrap();
        assert_eq!(load(&path).unwrap().public(), key.public());
        assert!(create(&path).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_or_that_is_cut_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load(&path).unwrap_err().lines().contains("help: chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "hallmark-device-key-1 00ff\n").unwrap();
        assert!(load(&path).is_err());
    }
}
