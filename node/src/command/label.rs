//! `label`: attests a range of codes, then prints them.
//!
//! Invariants: nothing is printed before the node has stored the attestation; what cannot be
//! printed (a wrong lot, no place for the file) is found before anything is attested; one process
//! makes labels in a folder at a time, so that no two runs take the same codes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::label::{Label, SEQUENCE_MAX, Scheme, State};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::serial::{LabelKey, NUMBER_MAX, SERIAL_CHARS};
use indicatif::ProgressBar;

use super::{running, send_outbox, wait_for};
use crate::cli::{Format, LabelArgs, LabelState, LabelSymbol, Output};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose, random};
use crate::labels::item::{Item, Template};
use crate::labels::sheet::{Form, Over, Sheet, SheetError};
use crate::labels::symbol::{Press, Symbology};
use crate::labels::{self, Logged};
use crate::sign::Statement;
use crate::store::lock::{DirLock, LockError};

/// Most labels of one call; a larger order takes several.
const LABELS_MAX: u64 = 100_000;
/// Ranges that are drawn until one meets no other; one in a thousand would meet already.
const DRAWS_MAX: usize = 64;
/// Most modules of a QR code that fits a small label: 16.5 mm, and 2 mm blank around it.
const QR_MODULES_SMALL: usize = 33;
/// Stands in where no code leads anywhere: canonical, and printed nowhere.
const NO_ADDRESS: &str = "https://id.gs1.org";

/// Which codes are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Range {
    /// So many new ones.
    Count(u64),
    /// These numbers, derived.
    Numbers(u64, u64),
    /// These serials, with at least so many digits.
    Serials(u64, u64, Option<u8>),
}

/// What the arguments ask for, checked.
struct Plan {
    gtin: String,
    class: GoodsId,
    order: String,
    lot: Option<String>,
    range: Range,
    state: State,
    print: Option<Print>,
}

/// How it is printed.
struct Print {
    form: Form,
    path: PathBuf,
    symbology: Symbology,
    template: Template,
    /// Whether it may be written over a file that is there.
    is_forced: bool,
}

/// Attests and prints.
pub(super) fn run(args: &LabelArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let plan = plan(args, &config, output.format)?;
    let lock = DirLock::take(&Dir::new(&args.dir).label_lock()).map_err(|e| match e {
        LockError::Held { .. } => Failure::busy("another `label` works in this folder")
            .because(&e)
            .help("run the command again when it has ended"),
        LockError::Disk { .. } => Failure::usage("cannot lock the folder")
            .because(&e)
            .help("DIR/run must be writable by whoever makes labels"),
    })?;
    let ranges = wait_for(ranges(&args.dir, &plan.gtin))?;
    let label = label(&plan, &ranges)?;
    let known = known(&plan, &ranges, &label);
    if known.is_none() && plan.state == State::Made {
        new_numbers(&plan)?;
    }
    let over = if known.is_some() { Over::Files } else { Over::Never };
    let key = match label.scheme {
        Scheme::Derived => Some(keys::label_or_new(&Dir::new(&args.dir).keys())?),
        Scheme::Sequence => None,
    };
    let sheet = plan.print.as_ref().map(|print| open(print, &label, over)).transpose()?;
    if let Some(warning) = plan.print.as_ref().and_then(|print| too_large(print, &label)) {
        output.say(warning);
    }
    let id = match known {
        Some(known) if known.label != label => known.id,
        _ => attest(&args.dir, &config, label.clone())?,
    };
    // Whoever comes now is told of these codes by the node.
    drop(lock);
    if let Some(known) = known {
        output.say(format!("attested before, as {}: the same codes again", known.id));
    }
    if let (Some(print), Some(sheet)) = (&plan.print, sheet) {
        let printed = press(print, sheet, &label, key.as_ref());
        printed.map_err(|e| unprinted(&e, &label, &id))?;
    }
    tell(&plan, &label, &id, output);
    Ok(Exit::Done)
}

fn plan(args: &LabelArgs, config: &Config, format: Format) -> Result<Plan, Failure> {
    let (gtin, class) = labels::gtin14(&args.gtin).map_err(|reason| {
        Failure::usage(format!("{} is no GTIN: {reason}", args.gtin))
            .help("8, 12, 13 or 14 digits, the last one the check digit")
    })?;
    let state = match args.state {
        LabelState::Made => State::Made,
        LabelState::Activated => State::Activated,
        LabelState::Scrapped => State::Scrapped,
    };
    let range = range(args)?;
    if state != State::Made {
        let help = "name the order and its codes: --order ID --numbers A..B, or --serials A..B";
        if matches!(range, Range::Count(_)) || args.order.is_none() {
            let what = format!("which codes were {}?", state.as_str());
            return Err(Failure::usage(what).help(help));
        }
        if args.output.is_some() || args.host.is_some() || args.force || format.is_label() {
            let what = format!("--state {} prints nothing", state.as_str());
            return Err(Failure::usage(what).help("leave -o, --force, --host and the format away"));
        }
    }
    let print = (state == State::Made).then(|| print(args, config, format, &gtin)).transpose()?;
    let order = args.order.clone().unwrap_or_else(new_order);
    Ok(Plan { gtin, class, order, lot: args.lot.clone(), range, state, print })
}

/// A name for an order that has none: the day and 32 random bits.
fn new_order() -> String {
    let day = now().to_string();
    let day: String = day.chars().take(10).filter(char::is_ascii_digit).collect();
    format!("L{day}-{}", hallmark_schemas::hex::encode(&random::<4>()).to_uppercase())
}

fn range(args: &LabelArgs) -> Result<Range, Failure> {
    let (range, count) = match (args.count, &args.numbers, &args.serials) {
        (Some(count), _, _) => return Ok(Range::Count(count)),
        (None, Some(text), _) => {
            let (first, last, _) = span("--numbers", text)?;
            (Range::Numbers(first, last), last - first)
        }
        (None, None, text) => {
            let (first, last, digits) = span("--serials", text.as_deref().unwrap_or_default())?;
            (Range::Serials(first, last, digits), last - first)
        }
    };
    if args.state == LabelState::Made && LABELS_MAX <= count {
        return Err(Failure::usage(format!("more than {LABELS_MAX} labels in one call"))
            .help("make them in several calls"));
    }
    Ok(range)
}

/// Reads `A..B`, both counted, or `A`; and how many digits zeros in front fill up.
fn span(option: &str, text: &str) -> Result<(u64, u64, Option<u8>), Failure> {
    let wrong = |what: &str| {
        Failure::usage(format!("{option} {text}: {what}"))
            .help("A..B, such as 1..500 or 0001..0500")
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |part: &str| {
        let is_number = (1..=SERIAL_CHARS).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = part.parse::<u64>().ok().filter(|n| is_number && *n <= SEQUENCE_MAX);
        parsed.ok_or_else(|| wrong("expected two numbers of at most 18 digits"))
    };
    let (from, to) = (number(first)?, number(last)?);
    if to < from {
        return Err(wrong("the last comes before the first"));
    }
    let is_filled = 1 < first.len() && first.starts_with('0');
    if is_filled && first.len() != last.len() {
        return Err(wrong("with zeros in front both have the same number of digits"));
    }
    let digits = is_filled.then(|| u8::try_from(first.len()).expect("at most 20"));
    Ok((from, to, digits))
}

fn print(args: &LabelArgs, config: &Config, format: Format, gtin: &str) -> Result<Print, Failure> {
    let path = args.output.clone().ok_or_else(|| {
        Failure::usage("where do the labels go?").help("-o FILE, or -o - for stdout")
    })?;
    let form = form(format, &path)?;
    let symbology = match args.symbol {
        LabelSymbol::Qr => Symbology::Qr,
        LabelSymbol::Datamatrix => Symbology::DataMatrix,
        LabelSymbol::Gs1128 => Symbology::Gs1128,
    };
    let stated = args.host.as_ref().or(config.http.public_url.as_ref());
    let is_needed = symbology == Symbology::Qr || form == Form::Csv;
    let address = match stated {
        Some(address) => address,
        None if is_needed => {
            return Err(Failure::usage("where do the codes lead?")
                .help("--host URL, or set `http.public_url` in config.toml"));
        }
        None => NO_ADDRESS,
    };
    let template =
        Template::new(gtin, args.lot.as_deref(), address).map_err(|reason| uncarried(&reason))?;
    Ok(Print { form, path, symbology, template, is_forced: args.force })
}

fn uncarried(reason: &str) -> Failure {
    Failure::usage("no label can carry this").note(reason).help(
        "a lot is 1 to 20 letters, digits or signs of GS1 AI 10, without spaces; --host is an \
         http or https address without query",
    )
}

/// Why a body is refused, and the only two fields that an option fills freely.
fn unattested(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::usage("this cannot be attested").because(error).help(
        "--order is 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `/` and `-`, a letter or digit first; \
         --lot what AI 10 holds",
    )
}

fn form(format: Format, path: &Path) -> Result<Form, Failure> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let named = [
        (Format::Svg, "svg", Form::Svg),
        (Format::Png, "png", Form::Png),
        (Format::Pdf, "pdf", Form::Pdf),
        (Format::Zpl, "zpl", Form::Zpl),
        (Format::Csv, "csv", Form::Csv),
    ];
    let found = named.iter().find(|(known, name, _)| match format {
        Format::Text => ending.eq_ignore_ascii_case(name),
        _ => format == *known,
    });
    found.map(|(_, _, form)| *form).ok_or_else(|| {
        let what = match format {
            Format::Text => format!("no format: {} does not end in one", path.display()),
            _ => "labels cannot be written in this format".to_owned(),
        };
        Failure::usage(what).help("--format svg, png, pdf, zpl or csv")
    })
}

/// What the node has stored for the GTIN, once everything signed before has reached it.
async fn ranges(dir: &Path, gtin: &str) -> Result<Vec<Logged>, Failure> {
    let local = running(dir).await?;
    if !send_outbox(dir, &local, Duration::ZERO, |_, _| {}).await? {
        return Err(Failure::busy("the node does not take what waits in the outbox")
            .help("see `hallmark-node status`; then run the command again"));
    }
    let answer = local.get(&format!("/local/labels/{gtin}")).await?;
    if answer.status != 200 {
        return Err(Failure::busy(format!("the node cannot tell its labels: {}", answer.text()))
            .help("see `hallmark-node status`; then run the command again"));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|e| Failure::fault("the node's answer is not what this release says").because(&e))
}

/// The attestation by which these codes were made before, all of them: they are printed again.
fn known<'a>(plan: &Plan, ranges: &'a [Logged], label: &Label) -> Option<&'a Logged> {
    let again = || labels::made_before(ranges, label).filter(|_| plan.state == State::Made);
    ranges.iter().find(|logged| logged.label == *label).or_else(again)
}

/// New codes get their numbers here: whoever gives some means codes that were made before.
fn new_numbers(plan: &Plan) -> Result<(), Failure> {
    let Range::Numbers(first, last) = plan.range else {
        return Ok(());
    };
    let what = match first == last {
        true => format!("no label {first} of order {} was made before", plan.order),
        false => format!("no labels {first}..{last} of order {} were made before", plan.order),
    };
    Err(Failure::usage(what).help(
        "the CSV of the labels tells order, lot and numbers; --count N makes new labels, \
         --serials A..B those of a sequence",
    ))
}

/// The statement, with numbers that meet no other made before.
fn label(plan: &Plan, ranges: &[Logged]) -> Result<Label, Failure> {
    let of = |scheme, first: u64, last: u64, digits| Label {
        order: plan.order.clone(),
        class: plan.class.clone(),
        lot: plan.lot.clone(),
        scheme,
        first,
        last,
        count: last - first + 1,
        digits,
        state: plan.state,
        replaces: None,
        reason: None,
    };
    let label = match plan.range {
        Range::Numbers(first, last) => of(Scheme::Derived, first, last, None),
        Range::Serials(first, last, digits) => of(Scheme::Sequence, first, last, digits),
        Range::Count(count) => {
            let drawn = || {
                let first = u64::from_be_bytes(random()) % (NUMBER_MAX - count + 2);
                of(Scheme::Derived, first, first + count - 1, None)
            };
            let free = |label: &Label| labels::met(ranges, label).is_none();
            let found = std::iter::repeat_with(drawn).take(DRAWS_MAX).find(free);
            found.ok_or_else(|| {
                Failure::usage(format!("the order {} has hardly a free number left", plan.order))
                    .help("begin another order")
            })?
        }
    };
    if plan.state == State::Made {
        return makeable(ranges, label);
    }
    let (first, last, order) = (label.first, label.last, &label.order);
    if plan.state == State::Activated
        && let Some(old) = labels::scrapped(ranges, &label)
    {
        let (from, to) = (old.label.first, old.label.last);
        let verb = if from == to { "was" } else { "were" };
        let what = format!("{} of order {order} {verb} scrapped by {}", spanned(from, to), old.id);
        return Err(Failure::new(Exit::Found, format!("not activated: {what}"))
            .help("what was scrapped stays scrapped: activate the numbers before and after it"));
    }
    if labels::are_made(ranges, &label) {
        return Ok(label);
    }
    let is_of_order = |one: &&Logged| one.label.order == *order && one.label.state == State::Made;
    let help = match ranges.iter().find(is_of_order).map(|one| (one.label.scheme, label.scheme)) {
        Some((Scheme::Sequence, Scheme::Derived)) => {
            "that order has serials that count up: name its codes by --serials A..B"
        }
        Some((Scheme::Derived, Scheme::Sequence)) => {
            "that order has serials that nobody can guess: name its codes by --numbers A..B, which \
             the CSV of the labels tells"
        }
        _ => "the CSV of the labels, and `hallmark-node get`, tell order and numbers",
    };
    let what = match first == last {
        true => format!("{first} of order {order} was never made"),
        false => format!("not all of {first}..{last} of order {order} were ever made"),
    };
    Err(Failure::usage(what).help(help))
}

/// A range that may be printed: new codes, or codes of one range made before and not scrapped.
fn makeable(ranges: &[Logged], label: Label) -> Result<Label, Failure> {
    let gone = labels::scrapped(ranges, &label);
    let old = match gone.or_else(|| labels::met(ranges, &label)) {
        Some(old) if gone.is_some() || labels::made_before(ranges, &label).is_none() => old,
        _ => return Ok(label),
    };
    let (first, last, order) = (old.label.first, old.label.last, &old.label.order);
    let state = old.label.state.as_str();
    let lot =
        old.label.lot.as_ref().filter(|_| *order == label.order && old.label.lot != label.lot);
    let help = match (old.label.state, lot) {
        (State::Scrapped, _) => {
            "what was scrapped is never printed again: give the numbers before or after it"
                .to_owned()
        }
        (_, Some(lot)) => format!("those labels name lot {lot}: print them again with --lot {lot}"),
        _ => "choose other numbers; any part of one range is printed again with its own --order \
              and --lot"
            .to_owned(),
    };
    Err(Failure::usage(format!(
        "{} meets {} of order {order}, {state} by {}",
        spanned(label.first, label.last),
        spanned(first, last),
        old.id
    ))
    .help(help))
}

/// The label with most to hold.
fn widest(print: &Print, label: &Label) -> Result<Item, String> {
    let length = match label.scheme {
        Scheme::Derived => SERIAL_CHARS,
        Scheme::Sequence => label.sequence_serial(label.last).len(),
    };
    print.template.item(label.first, &"Z".repeat(length))
}

/// What is said of a QR code that is larger than a small label.
fn too_large(print: &Print, label: &Label) -> Option<String> {
    let widest = widest(print, label).ok()?;
    let press = Press::new(print.symbology, print.form.drawn(), &widest).ok()?;
    let (modules, length) = (press.symbol(&widest).ok()?.width, widest.link.len());
    let is_large = print.symbology == Symbology::Qr && QR_MODULES_SMALL < modules;
    // Half a millimetre each.
    let mm = |modules: usize| format!("{}.{} mm", modules / 2, modules % 2 * 5);
    is_large.then(|| {
        format!(
            "warning: the QR code of these {length} characters has {modules} modules a side, {}, \
             more than the {QR_MODULES_SMALL}, {}, of a small label\n\
             help: a shorter --host or lot, or one in capital letters and digits; or --symbol \
             datamatrix, which holds no address",
            mm(modules),
            mm(QR_MODULES_SMALL)
        )
    })
}

/// Opens what is printed to; a symbol that cannot hold the label is found here.
fn open(print: &Print, label: &Label, over: Over) -> Result<Sheet, Failure> {
    let widest = widest(print, label).map_err(|reason| uncarried(&reason))?;
    let press = Press::new(print.symbology, print.form.drawn(), &widest).map_err(|e| {
        Failure::usage("the symbol cannot hold the label")
            .because(&e)
            .help("a shorter lot or address, or --symbol datamatrix")
    })?;
    let over = if print.is_forced { Over::Files } else { over };
    Sheet::create(print.form, (&print.path, over), label.count, press, &label.order).map_err(|e| {
        let help = match &e {
            SheetError::Exists { .. } => "several labels go into a new folder: choose another name",
            SheetError::Taken { .. } => {
                "choose another name, or --force to write over it; nothing was attested. Labels \
                 that were made before may be printed over a file"
            }
            SheetError::Several { .. } => "-o FOLDER, or --format pdf, zpl or csv",
            _ => "choose another place with -o; nothing was attested",
        };
        Failure::usage("cannot begin the labels").because(&e).help(help)
    })
}

/// Makes the statement durable, sends it, and answers the id under which it is stored.
fn attest(dir: &Path, config: &Config, label: Label) -> Result<ContentId, Failure> {
    let capture = keys::open(&Dir::new(dir).keys(), Purpose::Capture, None)?;
    let class = Subject::Goods(label.class.clone());
    let body = Body::Label(label);
    body.check().map_err(|e| unattested(&e))?;
    let statement = Statement::of(body, class, config.audience_of(KindName::Label));
    let signed = statement.sign(config, now(), &capture).map_err(|e| unattested(&e))?;
    let stored = super::attest::attest(dir, std::slice::from_ref(&signed), "nothing was printed")?;
    Ok(stored.first().copied().unwrap_or_else(|| signed.id()))
}

/// Writes the labels one by one.
fn press(
    print: &Print,
    mut sheet: Sheet,
    label: &Label,
    key: Option<&LabelKey>,
) -> Result<(), SheetError> {
    let progress = ProgressBar::new(label.count);
    for number in label.first..=label.last {
        let serial = match key {
            Some(key) => key.serial(label.gtin(), &label.order, number),
            None => Some(label.sequence_serial(number)),
        };
        let serial = serial.expect("the body was checked: derived numbers have 36 bits");
        let item: Item = print.template.item(number, &serial).expect("AI 21 holds every serial");
        sheet.add(&item)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    sheet.finish()
}

fn unprinted(error: &SheetError, label: &Label, id: &ContentId) -> Failure {
    let (first, last, order) = (label.first, label.last, &label.order);
    let again = match label.scheme {
        Scheme::Derived => format!("--order {order} --numbers {first}..{last}"),
        Scheme::Sequence => {
            let serials = [first, last].map(|number| label.sequence_serial(number));
            format!("--order {order} --serials {}..{}", serials[0], serials[1])
        }
    };
    let failure = match error {
        SheetError::Write { source, .. } if source.kind() == ErrorKind::BrokenPipe => {
            return Failure::unwritten("the labels", source);
        }
        SheetError::Write { .. } => Failure::busy("the labels could not be written"),
        _ => Failure::fault("the labels could not be written"),
    };
    failure
        .because(error)
        .note(format!("their range is attested, as {id}"))
        .help(format!("print the same codes with {again}"))
}

/// A range as people read it.
fn spanned(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}..{last}") }
}

fn numbered(first: u64, last: u64) -> String {
    format!("number{} {}", if first == last { "" } else { "s" }, spanned(first, last))
}

fn tell(plan: &Plan, label: &Label, id: &ContentId, output: Output) {
    let (first, last, order) = (label.first, label.last, &label.order);
    let counted = |one: &str| match label.count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let what = format!("order {order}, {}, attested as {id}", numbered(first, last));
    let Some(print) = &plan.print else {
        let json = serde_json::json!({
            "id": id.to_string(), "order": order, "first": first, "last": last,
            "count": label.count,
            "state": label.state.as_str(),
        });
        let text = format!("{}: {} of {what}", label.state.as_str(), counted("code"));
        output.item(text, &json);
        return;
    };
    let text = format!("printed: {} of {what}", counted("label"));
    if print.path == Path::new("-") {
        output.say(text);
    } else {
        output.item(text, &serde_json::Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_their_zeros_and_wrong_ones_are_told() {
        let read = |text: &str| span("--serials", text).ok();
        assert_eq!(read("1..500"), Some((1, 500, None)));
        assert_eq!(read("0001..0500"), Some((1, 500, Some(4))));
        assert_eq!(read("7"), Some((7, 7, None)));
        assert_eq!(read("007"), Some((7, 7, Some(3))));
        assert_eq!(read("0..9"), Some((0, 9, None)));
        for text in ["", "..", "1..", "..5", "5..1", "01..1000", "-1..5", "+1..5", "1..5..9", "a"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("1..123456789012345678901"), None, "21 digits");
    }

    #[test]
    fn the_ending_says_the_format_unless_the_option_does() {
        let read = |format, path: &str| form(format, Path::new(path)).ok();
        assert_eq!(read(Format::Text, "a/labels.PDF"), Some(Form::Pdf));
        assert_eq!(read(Format::Zpl, "labels.pdf"), Some(Form::Zpl));
        assert_eq!(read(Format::Svg, "-"), Some(Form::Svg));
        assert_eq!(read(Format::Text, "-"), None);
        assert_eq!(read(Format::Text, "labels"), None);
        assert_eq!(read(Format::Json, "labels.pdf"), None);
    }

    #[test]
    fn orders_without_a_name_get_one_that_can_be_attested() {
        let (one, two) = (new_order(), new_order());
        assert_ne!(one, two);
        assert_eq!(one.len(), "L20260101-00000000".len());
    }
}
