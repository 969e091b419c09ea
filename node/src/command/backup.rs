//! `backup`: a copy of DATA taken while the node runs.

use std::fs::DirEntry;
use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::hex;
use hallmark_schemas::layout::{Data, Dir};

use super::init::read_network;
use super::progress::{Bars, bytes, count};
use crate::backup::{BackupError, Copied, copy};
use crate::cli::Output;
use crate::cli::keep::BackupArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::write_durably;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, OsDisk};
use crate::store::head::HeadSlots;
use crate::store::lock::{DirLock, LockError};

/// Copies, proves the copy, says what it came to.
pub(super) fn run(args: &BackupArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let data = config.data_dir(&args.dir);
    check_source(&args.dir, &config, &data)?;
    check_target(&args.dir, &data, &args.target)?;
    std::fs::create_dir_all(&args.target).map_err(|e| {
        Failure::usage(format!("cannot make {}", args.target.display()))
            .because(&e)
            .help("give a folder that you may write to")
    })?;
    let _lock = DirLock::take(&args.target.join(LOCK)).map_err(|error| match error {
        LockError::Held { .. } => {
            Failure::busy(error).help("another backup into it is under way: wait for its end")
        }
        error => failure(&error),
    })?;
    let mut bars = Bars::new();
    let copied = copy(&data, &Data::new(&args.target), &mut |phase, done, of| {
        bars.tell(phase, done, of);
    });
    bars.end();
    let copied = copied.map_err(|error| refusal(&error))?;
    // What the copy is proved from: an auditor needs no more than the folder.
    let network = read_network(&Dir::new(&args.dir).network())?;
    let file = Dir::new(&args.target).network();
    write_durably(&file, network.bytes()).map_err(|error| failure(&error))?;
    tell(&copied, &args.target, output);
    Ok(if copied.damaged == 0 { Exit::Done } else { Exit::Broken })
}

/// Held while a backup is written.
const LOCK: &str = "backup.lock";

/// A copy of nothing would pass for one of a log that its head knows entries of.
fn check_source(dir: &Path, config: &Config, data: &Data) -> Result<(), Failure> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let slots = HeadSlots::new(disk.clone(), Dir::new(dir).head_slots(), &config.origin);
    let checkpoints = Checkpoints::new(disk, &data.checkpoint(), &data.checkpoints());
    let is_published = checkpoints.newest_kept().map_err(|error| failure(&error))?.is_some();
    match slots.load() {
        // One that was never published has nothing to copy yet.
        Ok(head) if 1 < head.size && !is_published => Err(Failure::new(
            Exit::Incomplete,
            format!(
                "{} holds no checkpoint, and the head has {} entries",
                data.path().display(),
                head.size
            ),
        )
        .help(
            "nothing was copied; put DATA back, or `hallmark-node restore DIR --from-peers` \
             fetches it; `hallmark-node check` says what is missing",
        )),
        _ => Ok(()),
    }
}

fn check_target(dir: &Path, data: &Data, target: &Path) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let above = target.ancestors().find(|path| path.exists()).map(real).unwrap_or_default();
    if [dir, data.path()].iter().any(|ours| above.starts_with(real(ours))) {
        return Err(Failure::usage(format!("{} lies in the node's own folder", target.display()))
            .help("give a folder elsewhere, best on another disk"));
    }
    // All that one leaves which was killed before it had begun.
    let is_lock = |file: std::io::Result<DirEntry>| file.is_ok_and(|file| file.file_name() == LOCK);
    let is_taken = target.read_dir().is_ok_and(|mut files| !files.all(is_lock));
    if target.is_file() || (is_taken && !Data::new(target).packs().is_dir()) {
        return Err(Failure::usage(format!("{} holds something else", target.display()))
            .help("give a new or empty folder, or an older backup of this log"));
    }
    Ok(())
}

fn tell(copied: &Copied, target: &Path, output: Output) {
    for path in &copied.source_damaged {
        output.say(format!("warning: {} is lost or damaged", path.display()));
    }
    if !copied.source_damaged.is_empty() && copied.damaged == 0 {
        output.say("help: the copy is whole; `hallmark-node check --repair` mends it here");
    }
    if 0 < copied.damaged {
        output.say(format!(
            "warning: {} bytes of the packs are damaged, in the copy too",
            copied.damaged
        ));
        output.say("help: `hallmark-node check --repair` fetches the bodies, then back up again");
    }
    let (size, root) = match &copied.checkpoint {
        Some(checkpoint) => (checkpoint.size, hex::encode(&checkpoint.root)),
        None => (0, String::new()),
    };
    let mended: Vec<_> = copied.mended.iter().map(|path| path.display().to_string()).collect();
    let json = serde_json::json!({
        "target": target.display().to_string(), "entries": size, "root": root,
        "bytes": copied.bytes, "bytes_written": copied.written, "peers": copied.peers,
        "damaged_bytes": copied.damaged, "mended": mended,
    });
    output.item(format!("checkpoint of {size} entries, root {root}"), &json);
    let (all, new) = (bytes(copied.bytes), bytes(copied.written));
    let peers = count(copied.peers as usize, "followed log", "followed logs");
    let (word, held) = match copied.damaged {
        0 => ("backed up", "proved".to_owned()),
        damaged => ("broken", format!("{damaged} bytes of it damaged")),
    };
    output.verdict(word, format!("{size} entries, {all} ({new} written), {peers}, {held}"));
}

/// Why a copy cannot be made, with what to do.
pub(super) fn refusal(error: &BackupError) -> Failure {
    let BackupError::Store(error) = error else {
        let help = match error {
            BackupError::Newer { .. } => {
                "DATA is older than its backup: `hallmark-node restore DIR --from-peers` brings it \
                 forward; the backup is left as it is"
            }
            BackupError::Checkpoint { .. } => "`hallmark-node check` names what is damaged",
            _ => "give a new folder: this one is left as it is",
        };
        return Failure::input("cannot make the copy").because(error).help(help);
    };
    if !matches!(error, StoreError::Damaged { .. }) {
        return failure(error);
    }
    let exit = if error.is_lost() { Exit::Incomplete } else { Exit::Broken };
    Failure::new(exit, "cannot make the copy").because(error).help(
        "`hallmark-node check --repair` mends it from what is whole, or from peers; then give the \
         command again: it goes on where it stopped",
    )
}

/// A file that failed under a long command, as exit code and remedy.
pub(super) fn failure(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = Some(error);
    let is_full = std::iter::from_fn(|| {
        let one = cause?;
        cause = one.source();
        Some(one)
    })
    .filter_map(|one| one.downcast_ref::<std::io::Error>())
    .any(|one| {
        matches!(one.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    });
    let help = if is_full {
        "free space, then give the command again: it goes on where it stopped"
    } else {
        "`hallmark-node check` names what is damaged; given again, the command goes on where it \
         stopped"
    };
    // Neither is a full disk our own fault, nor does it say anything of what is here.
    let failed =
        if is_full { Failure::busy("cannot go on") } else { Failure::fault("cannot go on") };
    failed.because(error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::DiskError;

    #[test]
    fn a_full_disk_is_told_with_what_to_do() {
        let failed = |kind: std::io::ErrorKind| {
            let path = "backup/packs/00000000.pack".into();
            let error = DiskError { action: "append to", path, source: kind.into() };
            refusal(&BackupError::Store(StoreError::Disk(error)))
        };
        let full = failed(std::io::ErrorKind::StorageFull);
        assert_eq!(full.exit(), Exit::Busy, "as of whatever else finds no room");
        let full = full.lines();
        assert!(full.contains("failed to append to backup/packs/00000000.pack"), "{full}");
        assert!(full.contains("help: free space, then give the command again"), "{full}");
        let other = failed(std::io::ErrorKind::PermissionDenied);
        assert_eq!(other.exit(), Exit::Fault);
        let other = other.lines();
        assert!(!other.contains("free space"), "{other}");
    }
}
