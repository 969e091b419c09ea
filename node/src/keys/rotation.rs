//! The files of an organisation's rotation: the next key becomes the key, a fresh one the next.
//!
//! Invariants: no file is written over before the key that takes its place is recorded in the log;
//! whatever step a stop comes after, the same call again ends with the same three keys.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hallmark_schemas::key::{SecretKey, Signer};

use super::{Passphrase, Purpose, create, line, open, unlock};
use crate::failure::Failure;

/// An organisation's keys while one follows the other.
pub(crate) struct Rotation {
    keys: PathBuf,
    passphrase: Passphrase,
    /// The key that ends.
    pub(crate) before: SecretKey,
    /// The key that it committed to.
    pub(crate) next: SecretKey,
    /// The key that the next one commits to.
    pub(crate) after: SecretKey,
}

impl Rotation {
    /// Opens the keys, and makes the one after the next unless an earlier call did.
    pub(crate) fn begin(keys: &Path, passphrase_file: Option<&Path>) -> Result<Rotation, Failure> {
        let (before, passphrase) = unlock(keys, Purpose::Organisation, passphrase_file)?;
        let next = open(keys, Purpose::OrganisationNext, passphrase_file)?;
        let after = match Purpose::OrganisationAfter.path(keys).exists() {
            true => open(keys, Purpose::OrganisationAfter, passphrase_file)?,
            false => create(keys, Purpose::OrganisationAfter, &passphrase)?,
        };
        Ok(Rotation { keys: keys.to_owned(), passphrase, before, next, after })
    }

    /// Whether an earlier call had the new key recorded and was stopped while it put files right.
    pub(crate) fn is_recorded(&self) -> bool {
        let next = self.next.public();
        next == self.before.public() || next == self.after.public()
    }

    /// Puts the files right: done twice, it is done once.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.next.public() != self.after.public() {
            self.replace(Purpose::Organisation, &self.next)?;
            self.replace(Purpose::OrganisationNext, &self.after)?;
        }
        let path = Purpose::OrganisationAfter.path(&self.keys);
        std::fs::remove_file(&path).map_err(|e| cannot(&path, &e))
    }

    /// Writes a key file anew, durably.
    fn replace(&self, purpose: Purpose, key: &SecretKey) -> Result<(), Failure> {
        let path = purpose.path(&self.keys);
        let fresh = path.with_extension("new");
        let line = line(purpose, key.seed(), &self.passphrase)?;
        let write = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            File::open(&self.keys)?.sync_all()
        };
        write().map_err(|e| cannot(&path, &e))
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::busy(format!("cannot write the key file {}", path.display()))
        .because(error)
        .help("the new key is recorded: give the command again when the folder can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(dir: &Path) -> [SecretKey; 2] {
        let none = Passphrase::none();
        [Purpose::Organisation, Purpose::OrganisationNext]
            .map(|purpose| create(dir, purpose, &none).expect("made"))
    }

    fn opened(dir: &Path, purpose: Purpose) -> SecretKey {
        open(dir, purpose, None).expect("opens")
    }

    #[test]
    fn a_rotation_that_stops_after_any_step_ends_with_the_same_keys() {
        for steps in 0..4 {
            let dir = tempfile::tempdir().expect("a folder");
            let dir = dir.path();
            let [first, second] = made(dir);
            let rotation = Rotation::begin(dir, None).expect("begun");
            assert!(!rotation.is_recorded());
            assert_eq!(rotation.before.public(), first.public());
            let third = rotation.after.public().clone();
            if 1 <= steps {
                rotation.replace(Purpose::Organisation, &rotation.next).expect("written");
            }
            if 2 <= steps {
                rotation.replace(Purpose::OrganisationNext, &rotation.after).expect("written");
            }
            let again = Rotation::begin(dir, None).expect("begun again");
            assert_eq!(again.after.public(), &third, "the key after the next stays");
            assert_eq!(again.is_recorded(), 1 <= steps);
            again.finish().expect("finished");
            assert_eq!(opened(dir, Purpose::Organisation).public(), second.public());
            assert_eq!(opened(dir, Purpose::OrganisationNext).public(), &third);
            assert!(!Purpose::OrganisationAfter.path(dir).exists());
            super::super::check_modes(dir).expect("for its owner alone");
        }
    }
}
