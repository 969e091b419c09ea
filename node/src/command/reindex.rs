//! `reindex`: throws away what is derived and builds it again from the files.

use std::time::Duration;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use indicatif::ProgressBar;

use crate::cli::{DirArgs, Output};
use crate::config::Config;
use crate::core::{Node, Signing};
use crate::failure::Failure;

/// Index and lake, under the lock of the folder.
pub(super) fn run(args: &DirArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let data = config.data_dir(&args.dir);
    crate::core::discard_index(&Dir::new(&args.dir), &data).map_err(super::run::cannot_open)?;
    let options = super::run::open_options(&args.dir, &config)?;
    let (node, writer) = Node::open(options).map_err(super::run::cannot_open)?;
    let bar = ProgressBar::new_spinner().with_message("building the index");
    while !node.log().index_ready() {
        bar.tick();
        if let Signing::Stopped { cause } = node.log().signing() {
            return Err(Failure::fault("the index cannot be built")
                .note(cause)
                .help("`hallmark-node check` tells what of the files is damaged"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bar.finish_and_clear();
    let size = node.log().head().size;
    if let Signing::ReadOnly { cause, help } = node.log().signing() {
        output.say(format!("warning: this log is read-only: {cause}"));
        output.say(format!("help: {help}"));
    }
    drop(node);
    writer.stop();
    for derived in ["lake", "lake.json", "findings.json", "addresses.json"] {
        let path = data.path().join(derived);
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::fault(format!("cannot remove {}", path.display())).because(&e));
            }
            _ => {}
        }
    }
    output.verdict("rebuilt", format!("{size} entries; the lake is made again by the next run"));
    Ok(Exit::Done)
}
