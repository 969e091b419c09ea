//! Points at which a process of the tests ends by itself, as a kill at that step would end it.
//!
//! Invariant: without the feature `crash-points` none exists. A build of this package alone has it
//! not; one of the whole workspace, as the tests make it, has. With it
//! `HALLMARK_CRASH=<action>:<file>:<n>` ends the process once that action on such a file was done
//! for the nth time: `append:pack:3` before the sync that would make it durable.

use std::path::Path;

/// An action on a file is done.
#[cfg(feature = "crash-points")]
pub(crate) fn done(action: &str, path: &Path) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("HALLMARK_CRASH").ok()?;
        let (point, count) = text.rsplit_once(':')?;
        Some((point.to_owned(), count.parse().ok()?))
    });
    let Some((point, count)) = wanted else { return };
    let is_it = point.split_once(':') == Some((action, what(path)));
    if is_it && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == *count {
        std::process::abort();
    }
}

/// An action on a file is done: nobody asks.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) const fn done(_: &str, _: &Path) {}

/// Which of the files of a log it is.
#[cfg(feature = "crash-points")]
fn what(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(".new");
    match name {
        _ if name.ends_with(".pack") => "pack",
        _ if name.starts_with("slot-") => "head",
        _ if path.iter().any(|part| part == "tile") => "tile",
        "intent" => "intent",
        "checkpoint" => "checkpoint",
        "checkpoints" => "history",
        _ => "other",
    }
}
