//! `export`: an evidence bundle that anyone can check offline.

use std::io::Write;
use std::path::Path;

use hallmark_schemas::bundle::{FOREIGN_RECEIPTS_MAX, ITEM_BYTES_MAX, Item, Piece, Reader};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::foreign::Foreign;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::time::{Period, Timestamp};

use super::{running, wait_for};
use crate::bundle::Selection;
use crate::cli::{ExportArgs, Output};
use crate::failure::Failure;

/// Asks the running node for the bundle; the file appears whole or not at all.
pub(super) fn run(args: &ExportArgs, output: Output) -> Result<Exit, Failure> {
    let selection = selection(args)?;
    let foreign = args.foreign.iter().map(|files| foreign(files)).collect::<Result<Vec<_>, _>>()?;
    let is_stdout = args.output == Path::new("-");
    let fresh = args.output.with_extension("hallmark.new");
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot write {}", args.output.display()))
            .because(&e)
            .help("name a file in a folder that you may write to with -o, or - for stdout")
    };
    let mut file =
        if is_stdout { None } else { Some(std::fs::File::create(&fresh).map_err(cannot)?) };
    let (mut written, mut tally) = (0u64, Tally::default());
    let fetched = wait_for(async {
        let local = running(&args.dir).await?;
        let body = serde_json::to_vec(&selection).expect("texts are JSON");
        local
            .download("/local/export", &body, |piece| {
                written += piece.len() as u64;
                tally.take(piece);
                match &mut file {
                    Some(file) => file.write_all(piece),
                    None => {
                        let mut stdout = std::io::stdout().lock();
                        stdout.write_all(piece).and_then(|()| stdout.flush())
                    }
                }
            })
            .await
    });
    if (fetched.is_err() || written == 0) && !is_stdout {
        let _ = std::fs::remove_file(&fresh);
    }
    fetched?;
    if 0 < written {
        for item in &foreign {
            let put = match &mut file {
                Some(file) => file.write_all(item),
                None => std::io::stdout().lock().write_all(item),
            };
            put.map_err(cannot)?;
            written += item.len() as u64;
        }
    }
    if written == 0 {
        return Err(Failure::input("nothing public matches the selection: there is no bundle")
            .help("leave out --public, or ask for other goods, facilities, periods or ids"));
    }
    if let Some(file) = file {
        file.sync_all().map_err(cannot)?;
        std::fs::rename(&fresh, &args.output).map_err(cannot)?;
        let path = args.output.display();
        let json = serde_json::json!({ "bundle": path.to_string(), "bytes": written });
        output.item(format!("exported: {path}, {written} bytes"), &json);
    }
    if tally.matched == 0 && !selection.is_everything() {
        output.say(
            "note: no attestation matches the selection; the bundle holds the logs and the \
             identities in them, and shows that",
        );
    }
    Ok(Exit::Done)
}

/// Counts what a bundle says beyond logs and identities, as it passes by.
#[derive(Default)]
struct Tally {
    reader: Reader,
    held: Vec<u8>,
    /// Bodies, receipts and proofs.
    matched: u64,
}

impl Tally {
    fn take(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
        let mut start = 0;
        // What is no bundle is for `hallmark-verify check` to tell, not for whoever carries it.
        while let Ok(Some((piece, length))) = self.reader.next(&self.held[start..]) {
            start += length;
            let found = matches!(
                piece,
                Piece::Item(Item::Body(_) | Item::Receipt { .. } | Item::Proof { .. })
            );
            self.matched += u64::from(found);
        }
        self.held.drain(..start);
    }
}

fn selection(args: &ExportArgs) -> Result<Selection, Failure> {
    let mut selection = Selection { public: args.public, ..Selection::default() };
    for goods in &args.goods {
        let parsed = GoodsId::parse(goods).map_err(|e| {
            Failure::usage(format!("--goods {goods}"))
                .because(&e)
                .help("a Digital Link, such as https://id.gs1.org/01/09506000134352/21/7, or a URN")
        })?;
        selection.goods.push(parsed.to_string());
    }
    for facility in &args.facility {
        let parsed: hallmark_schemas::id::FacilityId = facility.parse().map_err(|e| {
            Failure::usage(format!("--facility {facility}"))
                .because(&e)
                .help("urn:hallmark:facility:<scheme>:<value>:<local>")
        })?;
        selection.facilities.push(parsed.to_string());
    }
    for id in &args.ids {
        let parsed = id.parse().map_err(|e| {
            Failure::usage(format!("--id {id}"))
                .because(&e)
                .help("an id is sha256: and 64 lower-case hex digits, as `submit` prints it")
        })?;
        selection.ids.push(parsed);
    }
    selection.period = args.period.as_deref().map(period).transpose()?;
    Ok(selection)
}

/// A statement of another system and its receipts as an item: it comes last in a bundle.
fn foreign(files: &str) -> Result<Vec<u8>, Failure> {
    let mut messages = Vec::new();
    for name in files.split(',') {
        let help = "give a statement of another system (COSE_Sign1), then its receipts";
        let bytes = std::fs::read(name)
            .map_err(|e| Failure::usage(format!("cannot read {name}")).because(&e).help(help))?;
        Foreign::parse(&bytes)
            .map_err(|e| Failure::input(format!("--foreign {name}")).because(&e).help(help))?;
        messages.push(bytes);
    }
    let receipts = messages.split_off(1);
    let statement = messages.remove(0);
    if FOREIGN_RECEIPTS_MAX < receipts.len() {
        let count = receipts.len();
        return Err(Failure::usage(format!("--foreign names {count} receipts"))
            .help(format!("at most {FOREIGN_RECEIPTS_MAX} of one statement")));
    }
    let item = Item::Foreign { statement, receipts }.encode();
    match item.len() <= ITEM_BYTES_MAX {
        true => Ok(item),
        false => Err(Failure::input(format!("--foreign {files}: {} bytes", item.len()))
            .help(format!("statement and receipts take at most {ITEM_BYTES_MAX} bytes together"))),
    }
}

fn period(text: &str) -> Result<Period, Failure> {
    let wrong =
        || Failure::usage(format!("--period {text}")).help("START/END, both RFC 3339 with offset");
    let (start, end) = text.split_once('/').ok_or_else(wrong)?;
    let instant = |text: &str| Timestamp::parse(text).map_err(|e| wrong().because(&e));
    Period::new(instant(start)?, instant(end)?).ok_or_else(wrong)
}
