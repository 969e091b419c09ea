//! The witness policies that were in force here before: what their witnesses dated stays dated.
//!
//! Invariants: a version of the network file that is superseded is kept beside the newest one; only
//! versions of registrars that the newest tells of count; once a checkpoint is dated by a later policy, no
//! older one dates those after it, so retired witnesses cannot.

use std::path::Path;

use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::policy::{Policy, QuorumTime};

use crate::files::write_durably;

/// Most superseded versions that are read: the newest of them.
const VERSIONS_MAX: usize = 1024;

/// Keeps a version that is about to be superseded.
pub(crate) fn keep(dir: &Path, file: &NetworkFile) -> std::io::Result<()> {
    let folder = Dir::new(dir).former_networks();
    std::fs::create_dir_all(&folder)?;
    write_durably(&folder.join(format!("{}.hallmark", file.network().version)), file.bytes())
}

/// The policies of the versions before `newest` that are kept, oldest first. What cannot be read,
/// or is of registrars of whom `newest` does not tell, is passed over: times of then are the log's own word again.
pub(crate) fn read(dir: &Dir, newest: &NetworkFile) -> Vec<Policy> {
    let mut names: Vec<(u64, std::path::PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir.former_networks()).into_iter().flatten().flatten() {
        let path = entry.path();
        // Beside them lies what this registrar signed of versions that others have to sign too.
        if path.extension().is_none_or(|extension| extension != "hallmark") {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(version) = stem.and_then(|stem| stem.parse().ok()) {
            names.push((version, path));
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    let mut policies = Vec::new();
    for (_, path) in names.into_iter().take(VERSIONS_MAX) {
        let file = std::fs::read(&path).ok().and_then(|bytes| NetworkFile::parse(&bytes).ok());
        let Some(file) = file.filter(|file| newest.network().is_after(file.network())) else {
            tracing::warn!(path = %path.display(), "no earlier version of the network file");
            continue;
        };
        policies.push(file.network().policy.clone());
    }
    policies.reverse();
    policies
}

/// Dates a history of checkpoints, oldest first, by the policies of then and now.
pub(crate) struct Dating<'a> {
    /// Oldest first, the one in force last.
    policies: Vec<&'a Policy>,
}

impl<'a> Dating<'a> {
    pub(crate) fn new(former: &'a [Policy], now: &'a Policy) -> Dating<'a> {
        Dating { policies: former.iter().chain([now]).collect() }
    }

    /// When the quorum of the next checkpoint was complete.
    pub(crate) fn next(&mut self, note: &SignedNote) -> QuorumTime {
        for at in (0..self.policies.len()).rev() {
            if let Ok(Some(time @ QuorumTime::At(_))) = self.policies[at].quorum_met(note) {
                self.policies.drain(..at);
                return time;
            }
        }
        QuorumTime::Unwitnessed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallmark_schemas::key::SecretKey;
    use hallmark_schemas::note::{Checkpoint, NoteSigner};
    use hallmark_schemas::policy::Witness;
    use hallmark_schemas::time::Timestamp;

    use super::*;
    use crate::core::testing::{network, org_key};

    fn witness(seed: u8) -> NoteSigner {
        let key = Arc::new(SecretKey::from_seed([seed; 32]));
        NoteSigner::witness(&format!("w{seed}"), key).unwrap()
    }

    fn one_of(signer: &NoteSigner) -> Policy {
        let (name, key) = (signer.vkey().name().to_owned(), signer.vkey().clone());
        Policy::threshold(1, vec![Witness { name, key, url: None }]).unwrap()
    }

    fn cosigned(size: u64, by: &NoteSigner) -> (SignedNote, QuorumTime) {
        let text = Checkpoint::new("demo/x/1", size, [1; 32]).to_string();
        let mut note = SignedNote::unsigned(text).unwrap();
        let at = Timestamp::from_unix_ms(size * 1000);
        note.add(by.sign(note.text(), at).unwrap());
        (note, QuorumTime::At(at))
    }

    #[test]
    fn old_witnesses_date_what_was_theirs_and_nothing_after() {
        let (old, new) = (witness(41), witness(42));
        let (former, now) = (vec![Policy::none(), one_of(&old)], one_of(&new));
        let mut dating = Dating::new(&former, &now);
        let (first, second, third, late) =
            (cosigned(1, &old), cosigned(2, &old), cosigned(3, &new), cosigned(4, &old));
        assert_eq!(dating.next(&first.0), first.1);
        assert_eq!(dating.next(&second.0), second.1);
        assert_eq!(dating.next(&third.0), third.1);
        assert_eq!(dating.next(&late.0), QuorumTime::Unwitnessed, "it is retired");
        assert_eq!(Dating::new(&[], &now).next(&first.0), QuorumTime::Unwitnessed);
    }

    #[test]
    fn versions_that_were_superseded_are_found_again_if_the_newest_follows_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let policies = [Policy::none(), one_of(&witness(41)), one_of(&witness(42))];
        let mut files = vec![network(policies[0].clone())];
        for policy in &policies[1..] {
            let next = files[files.len() - 1].next(|network| network.policy = policy.clone());
            files.push(NetworkFile::sign(next, &[&org_key()]).unwrap());
        }
        files[..2].iter().for_each(|file| keep(folder.path(), file).unwrap());
        let dir = Dir::new(folder.path());
        assert_eq!(read(&dir, &files[2]), policies[..2]);
        assert_eq!(read(&dir, &files[1]), policies[..1], "as before the last change");
        std::fs::write(dir.former_networks().join("1.hallmark"), b"torn").unwrap();
        assert_eq!(read(&dir, &files[2]), policies[1..2]);
        assert_eq!(read(&Dir::new(folder.path().join("none")), &files[2]), []);
    }
}
