//! `export`: an evidence bundle that anyone can check offline.

mod carried;

use std::io::Write;
use std::path::Path;

use hallmark_schemas::bundle::{
    FOREIGN_RECEIPTS_MAX, ITEM_BYTES_MAX, Item, ItemType, Piece, Reader,
};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::foreign::Foreign;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::time::{Period, Timestamp};

use super::{running, wait_for};
use crate::bundle::Selection;
use crate::bundle::public::{PUBLIC_BODIES_MAX, PUBLIC_BYTES_MAX, PUBLIC_RECORDS_MAX};
use crate::cli::{ExportArgs, Output};
use crate::failure::Failure;
use carried::Carried;

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
    let (mut written, mut passage) = (0u64, Passage::with(foreign));
    let fetched = wait_for(async {
        let local = running(&args.dir).await?;
        let body = serde_json::to_vec(&selection).expect("texts are JSON");
        local
            .download("/local/export", &body, |piece| {
                let bytes = passage.take(piece);
                written += bytes.len() as u64;
                put(&mut file, &bytes)
            })
            .await
    });
    if (fetched.is_err() || written == 0) && !is_stdout {
        let _ = std::fs::remove_file(&fresh);
    }
    fetched?;
    if 0 < written {
        let rest = passage.finish();
        put(&mut file, &rest).map_err(cannot)?;
        written += rest.len() as u64;
    }
    if written == 0 {
        return Err(Failure::input("nothing public matches the selection: there is no bundle")
            .help("leave out --public, or ask for other goods, facilities, periods or ids"));
    }
    if let Some(file) = file {
        file.sync_all().map_err(cannot)?;
        std::fs::rename(&fresh, &args.output).map_err(cannot)?;
        let path = args.output.display();
        let json = serde_json::json!({
            "bundle": path.to_string(), "bytes": written, "bodies": passage.counted.bodies,
            "attestations": passage.counted.records,
        });
        output.item(format!("exported: {path}, {written} bytes"), &json);
    }
    if selection.public && passage.counted.is_full() {
        output.say(format!(
            "note: a public bundle holds the newest of the selected records, at most \
             {PUBLIC_BODIES_MAX} beside identities, {PUBLIC_RECORDS_MAX} in all and {} MiB; this one \
             is full: narrow the selection with --goods, --facility or --period, or leave out \
             --public for all",
            PUBLIC_BYTES_MAX >> 20
        ));
    }
    if passage.counted.matched == 0 && !selection.is_everything() {
        output.say(
            "note: no attestation matches the selection; the bundle holds the logs and the \
             identities in them, and shows that",
        );
    }
    Ok(passage.counted.tell(is_stdout, output))
}

/// Writes to the file, or to standard output.
fn put(file: &mut Option<std::fs::File>, bytes: &[u8]) -> std::io::Result<()> {
    match file {
        Some(file) => file.write_all(bytes),
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
    }
}

/// A bundle on its way from the node: what it says beyond logs and identities is counted, and
/// statements of other systems are put where they belong.
#[derive(Default)]
struct Passage {
    reader: Reader,
    held: Vec<u8>,
    /// Not a bundle: for `hallmark-verify check` to tell, not for whoever carries it.
    is_other: bool,
    /// Items yet to be put in.
    foreign: Vec<u8>,
    /// How many they are.
    added: u64,
    counted: Carried,
}

impl Passage {
    fn with(foreign: Vec<Vec<u8>>) -> Passage {
        Passage { added: foreign.len() as u64, foreign: foreign.concat(), ..Passage::default() }
    }

    /// What of the bundle can be written now.
    fn take(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.is_other {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        let (mut out, mut start) = (Vec::new(), 0);
        loop {
            let rest = &self.held[start..];
            let (piece, length) = match self.reader.next(rest) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(_) => {
                    self.is_other = true;
                    out.extend_from_slice(rest);
                    start = self.held.len();
                    break;
                }
            };
            if let Piece::Item(item) = &piece {
                self.counted.count(item);
                if ItemType::Foreign < item.item_type() {
                    out.append(&mut self.foreign);
                }
            }
            match piece {
                Piece::Item(Item::End { items }) => {
                    out.extend(Item::End { items: items + self.added }.encode());
                }
                _ => out.extend_from_slice(&rest[..length]),
            }
            start += length;
        }
        self.held.drain(..start);
        out
    }

    /// The rest, once all of it came.
    fn finish(&mut self) -> Vec<u8> {
        [std::mem::take(&mut self.foreign), std::mem::take(&mut self.held)].concat()
    }
}

fn selection(args: &ExportArgs) -> Result<Selection, Failure> {
    let mut selection = Selection { public: args.public, ..Selection::default() };
    for goods in &args.goods {
        let parsed = GoodsId::by_hand(goods).map_err(|e| {
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

/// A statement of another system and its receipts as an item.
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

#[cfg(test)]
mod tests {
    use hallmark_schemas::attestation::ATTESTATION_BYTES_MAX;
    use hallmark_schemas::bundle::Header;

    use super::*;

    #[test]
    fn a_public_bundle_is_full_from_as_many_records_or_bytes_on_as_one_may_hold() {
        let full = |item: &dyn Fn(u32) -> Item, count: usize| {
            let mut passage = Passage::default();
            let header = Header { as_of: Timestamp::EPOCH, network: vec![0xa0] };
            let items = (0..count).flat_map(|number| item(number as u32).encode());
            let taken = passage.take(&header.encode().into_iter().chain(items).collect::<Vec<_>>());
            assert!(!passage.is_other && !taken.is_empty());
            passage.counted.is_full()
        };
        let stored = |number: u32, length: usize| {
            [number.to_be_bytes().to_vec(), vec![0; length - 4]].concat()
        };
        let (body, identity) = (|n| Item::Body(stored(n, 9)), |n| Item::Identity(stored(n, 9)));
        assert!(!full(&body, PUBLIC_BODIES_MAX - 1) && full(&body, PUBLIC_BODIES_MAX));
        assert!(!full(&identity, PUBLIC_RECORDS_MAX - 1) && full(&identity, PUBLIC_RECORDS_MAX));
        let large = |n| Item::Body(stored(n, ATTESTATION_BYTES_MAX));
        let many = PUBLIC_BYTES_MAX / ATTESTATION_BYTES_MAX;
        assert!(!full(&large, many) && full(&large, many + 1));
    }
}
