//! `reindex`: throws away what is derived and builds it again from the files.
//!
//! Invariant: a running node does it itself and goes on serving; interrupted, the next start ends it.

use std::path::Path;
use std::time::Duration;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use serde_json::Value;

use super::progress::Bars;
use super::wait_for;
use crate::cli::{DirArgs, Output};
use crate::config::Config;
use crate::core::{Node, Signing};
use crate::failure::Failure;
use crate::restore::Phase;
use crate::socket::Local;

/// How often a running node is asked how far it is.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// Most that an index takes: each entry, and each body.
const INDEXED_EACH: u64 = 2;

/// Index and lake: by the running node, else under the lock of the folder.
pub(super) fn run(args: &DirArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    if let Some(size) = wait_for(running(&args.dir))? {
        output.verdict("rebuilt", format!("{size} entries, while the node runs"));
        return Ok(Exit::Done);
    }
    let data = config.data_dir(&args.dir);
    crate::core::discard_index(&Dir::new(&args.dir), &data).map_err(super::run::cannot_open)?;
    let options = super::run::open_options(&args.dir, &config)?;
    let (node, writer) = Node::open(options).map_err(super::run::cannot_open)?;
    let mut bars = Bars::new();
    while !node.log().index_ready() {
        let of = node.log().head().size * INDEXED_EACH;
        bars.tell(Phase::Index, node.log().indexed().min(of), of);
        if let Signing::Stopped { cause } = node.log().signing() {
            return Err(Failure::fault("the index cannot be built")
                .note(cause)
                .help("`hallmark-node check` tells what of the files is damaged"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bars.end();
    let size = node.log().head().size;
    if let Signing::ReadOnly { cause, help } = node.log().signing() {
        output.say(format!("warning: this log is read-only: {cause}"));
        output.say(format!("help: {help}"));
    }
    drop(node);
    writer.stop();
    for derived in ["lake", "lake.json", "findings.json", "addresses.json"] {
        let path = data.path().join(derived);
        crate::files::remove(&path)
            .map_err(|e| Failure::fault(format!("cannot remove {}", path.display())).because(&e))?;
    }
    output.verdict("rebuilt", format!("{size} entries; the lake is made again by the next run"));
    Ok(Exit::Done)
}

/// Has the running node do it and tells how far it is; its entries, or None where none runs.
async fn running(dir: &Path) -> Result<Option<u64>, Failure> {
    let Some(local) = Local::connect(dir).await? else {
        return Ok(None);
    };
    let mut bars = Bars::new();
    let work = local.download("/local/reindex", b"{}", |_| Ok(()));
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => break done?,
            () = tokio::time::sleep(POLL_EVERY) => {}
        }
        let status: Value = status(&local).await?;
        let of = status["head_size"].as_u64().unwrap_or(0) * INDEXED_EACH;
        bars.tell(Phase::Index, status["indexed"].as_u64().unwrap_or(0).min(of), of);
    }
    bars.end();
    Ok(status(&local).await?["head_size"].as_u64())
}

async fn status(local: &Local) -> Result<Value, Failure> {
    let answer = local.get("/local/status").await?;
    serde_json::from_slice(&answer.body)
        .map_err(|e| Failure::fault("the node's answer is no JSON").because(&e))
}
