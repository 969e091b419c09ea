//! The Event Hash ID of CBV 2.0: one `ni:` URI for one content of an event, however it is written.
//!
//! Invariants: `recordTime`, `eventID`, `errorDeclaration` and `rdfs:comment` do not count, so an
//! error declaration hashes like the event it voids; times count in UTC to the millisecond, half
//! up; numbers count as decimals without needless zeros; lists count as sorted; identifiers count
//! in their canonical Digital Link with the finest key only; extensions count under the namespace
//! of their prefix. The order of fields is that of the published vectors.

use super::decimal;
use super::json::Json;
use super::vocabulary::{self, WordList};
use crate::gs1::digital_link::escape;
use crate::gs1::{self, Reading};
use crate::kind::value::Digest;
use crate::time::Timestamp;
use sha2::Digest as _;
use std::collections::BTreeMap;

/// The form in which a value counts.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Time,
    Id,
    Word(&'static WordList),
    Measurement,
}

/// The shape of a member.
#[derive(Clone, Copy)]
enum Shape {
    /// `key=value`, repeated for each value of a list.
    Value(Form),
    /// The key once, then `epc=value` for each.
    Ids,
    /// The key, then the members; repeated for each object of a list.
    Object(&'static [Field]),
    /// The key once, then for each object this word and its members.
    Objects(&'static str, &'static [Field]),
    /// `bizRules` of sensor reports: the reference implementation does not know it as a member of
    /// a report, and counts it among what is left over, under its whole path.
    Rules,
    /// Nothing: it counts in another place.
    Elsewhere,
}

/// A member of an event: its JSON name, the key it counts under, its shape.
type Field = (&'static str, &'static str, Shape);

const fn value(name: &'static str, form: Form) -> Field {
    (name, name, Shape::Value(form))
}

const fn ids(name: &'static str) -> Field {
    (name, name, Shape::Ids)
}

const QUANTITY: &[Field] =
    &[value("epcClass", Form::Id), value("quantity", Form::Plain), value("uom", Form::Plain)];

const fn quantities(name: &'static str) -> Field {
    (name, name, Shape::Objects("quantityElement", QUANTITY))
}

const PLACE: &[Field] = &[value("id", Form::Id)];

const METADATA: &[Field] = &[
    value("time", Form::Time),
    value("startTime", Form::Time),
    value("endTime", Form::Time),
    value("deviceID", Form::Id),
    value("deviceMetadata", Form::Id),
    value("rawData", Form::Id),
    value("dataProcessingMethod", Form::Id),
    value("bizRules", Form::Id),
];

const REPORT: &[Field] = &[
    value("type", Form::Measurement),
    value("exception", Form::Measurement),
    value("deviceID", Form::Id),
    value("deviceMetadata", Form::Id),
    value("rawData", Form::Id),
    value("dataProcessingMethod", Form::Id),
    value("time", Form::Time),
    value("microorganism", Form::Id),
    value("chemicalSubstance", Form::Id),
    value("value", Form::Plain),
    value("component", Form::Word(&vocabulary::COMPONENT)),
    value("stringValue", Form::Plain),
    value("booleanValue", Form::Plain),
    value("hexBinaryValue", Form::Plain),
    value("uriValue", Form::Id),
    value("minValue", Form::Plain),
    value("maxValue", Form::Plain),
    value("meanValue", Form::Plain),
    value("sDev", Form::Plain),
    value("percRank", Form::Plain),
    value("percValue", Form::Plain),
    value("uom", Form::Plain),
    value("coordinateReferenceSystem", Form::Plain),
    ("bizRules", "bizRules", Shape::Elsewhere),
];

const SENSOR: &[Field] = &[
    ("sensorMetadata", "sensorMetadata", Shape::Object(METADATA)),
    ("sensorReport", "sensorReport", Shape::Object(REPORT)),
];

const fn parties(list: &'static str, members: &'static [Field]) -> Field {
    (list, list, Shape::Objects("", members))
}

const DISPOSITIONS: &[Field] = &[
    value("set", Form::Word(&vocabulary::DISPOSITION)),
    value("unset", Form::Word(&vocabulary::DISPOSITION)),
];

const TRANSACTION: &[Field] =
    &[value("type", Form::Word(&vocabulary::TRANSACTION)), value("bizTransaction", Form::Id)];

const DESTINATION: &[Field] =
    &[value("type", Form::Word(&vocabulary::PARTY)), value("destination", Form::Id)];

const SOURCE: &[Field] =
    &[value("type", Form::Word(&vocabulary::PARTY)), value("source", Form::Id)];

/// An event's members in the order in which they count.
const EVENT: &[Field] = &[
    ("type", "eventType", Shape::Value(Form::Plain)),
    value("eventTime", Form::Time),
    value("eventTimeZoneOffset", Form::Plain),
    value("certificationInfo", Form::Id),
    ids("epcList"),
    value("parentID", Form::Id),
    ids("inputEPCList"),
    ids("childEPCs"),
    quantities("quantityList"),
    quantities("childQuantityList"),
    quantities("inputQuantityList"),
    ids("outputEPCList"),
    quantities("outputQuantityList"),
    value("action", Form::Plain),
    value("transformationID", Form::Id),
    value("bizStep", Form::Word(&vocabulary::BIZ_STEP)),
    value("disposition", Form::Word(&vocabulary::DISPOSITION)),
    ("persistentDisposition", "persistentDisposition", Shape::Object(DISPOSITIONS)),
    ("readPoint", "readPoint", Shape::Object(PLACE)),
    ("bizLocation", "bizLocation", Shape::Object(PLACE)),
    ("sensorElementList", "sensorElementList", Shape::Objects("sensorElement", SENSOR)),
    parties("bizTransactionList", TRANSACTION),
    parties("destinationList", DESTINATION),
    ("ilmd", "ilmd", Shape::Object(&[])),
    ("sensorElementList", "sensorElementList", Shape::Rules),
    parties("sourceList", SOURCE),
];

/// Members that are no content of an event.
const EXCLUDED: [&str; 4] = ["@context", "errorDeclaration", "eventID", "recordTime"];
const COMMENT: &str = "{http://www.w3.org/2000/01/rdf-schema#}comment";

/// Prefixes that the EPCIS context declares.
const PREFIXES: [(&str, &str); 4] = [
    ("cbv", "https://ref.gs1.org/cbv/"),
    ("cbvmda", "urn:epcglobal:cbv:mda:"),
    ("gs1", "https://gs1.org/voc/"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
];

/// The event's hash as a `ni:` URI.
pub fn event_hash(event: &Json) -> String {
    event_hash_without(event, &[])
}

/// The same without the extensions, each as `{namespace}name`, that a document excludes.
pub(super) fn event_hash_without(event: &Json, ignored: &[String]) -> String {
    let digest = sha2::Sha256::digest(text_of(event, ignored));
    format!("ni:///sha-256;{}?ver=CBV2.0", Digest(digest.into()))
}

/// The text that is hashed.
pub fn pre_hash(event: &Json) -> String {
    text_of(event, &[])
}

/// The same with all that identifiers say, such as the lot beside a serial, which the hash leaves out:
/// whoever compares what two events say needs it.
pub(super) fn content(event: &Json) -> String {
    Hasher { is_whole: true, ..Hasher::of(event, &[]) }.object(event, EVENT)
}

fn text_of(event: &Json, ignored: &[String]) -> String {
    Hasher::of(event, ignored).object(event, EVENT)
}

/// The extensions that a document excludes from the hashes of its events: the member `ignoreFields`
/// of the reference implementation, under whatever prefix.
pub(super) fn ignored(document: &Json) -> Vec<String> {
    let Json::Object(members) = document else {
        return Vec::new();
    };
    let prefixes = prefixes(document);
    let lists = members.iter().filter(|(name, _)| name.ends_with(":ignoreFields"));
    let names = lists.flat_map(|(_, list)| values(list)).filter_map(Json::as_text);
    names.map(|name| expanded(name, &prefixes)).collect()
}

fn prefixes(json: &Json) -> BTreeMap<&str, &str> {
    let mut prefixes = BTreeMap::from(PREFIXES);
    declare(json.get("@context"), &mut prefixes);
    prefixes
}

/// A name of an extension as it counts.
fn expanded(name: &str, prefixes: &BTreeMap<&str, &str>) -> String {
    match name.split_once(':') {
        Some((prefix, local)) => {
            format!("{{{}}}{local}", prefixes.get(prefix).unwrap_or(&prefix))
        }
        None => name.to_owned(),
    }
}

fn declare<'a>(context: Option<&'a Json>, prefixes: &mut BTreeMap<&'a str, &'a str>) {
    match context {
        Some(Json::List(parts)) => parts.iter().for_each(|part| declare(Some(part), prefixes)),
        Some(Json::Object(members)) => {
            let texts = members.iter().filter_map(|(name, uri)| Some((&**name, uri.as_text()?)));
            prefixes.extend(texts);
        }
        _ => {}
    }
}

struct Hasher<'a> {
    prefixes: BTreeMap<&'a str, &'a str>,
    ignored: &'a [String],
    /// Whether identifiers count with everything that they say.
    is_whole: bool,
}

/// The values of a list, or the one value.
fn values(json: &Json) -> &[Json] {
    match json {
        Json::List(values) => values,
        one => std::slice::from_ref(one),
    }
}

/// The rules that the reports of a sensor element name.
fn report_rules(element: &Json) -> impl Iterator<Item = &Json> {
    let reports = element.get("sensorReport").map_or(&[][..], values);
    reports.iter().filter_map(|report| report.get("bizRules"))
}

fn sorted(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort_unstable();
    parts.concat()
}

impl<'a> Hasher<'a> {
    fn of(event: &'a Json, ignored: &'a [String]) -> Hasher<'a> {
        Hasher { prefixes: prefixes(event), ignored, is_whole: false }
    }

    /// The known members in their order, then the extensions.
    fn object(&self, json: &Json, fields: &[Field]) -> String {
        let known = fields.iter().map(|field| self.member(json, field));
        let mut text: String = known.collect();
        text.push_str(&self.extensions(json, fields));
        text
    }

    fn member(&self, json: &Json, (name, key, shape): &Field) -> String {
        let Some(json) = json.get(name) else {
            return String::new();
        };
        // A list without members counts like none.
        let values = values(json).iter();
        if values.len() == 0 {
            return String::new();
        }
        match shape {
            Shape::Value(form) => {
                sorted(values.map(|one| format!("{key}={}", self.scalar(one, *form))))
            }
            Shape::Ids => {
                let epcs = sorted(values.map(|one| format!("epc={}", self.scalar(one, Form::Id))));
                format!("{key}{epcs}")
            }
            Shape::Object(fields) => {
                sorted(values.map(|one| format!("{key}{}", self.object(one, fields))))
            }
            Shape::Objects(word, fields) => {
                let all = sorted(values.map(|one| format!("{word}{}", self.object(one, fields))));
                format!("{key}{all}")
            }
            Shape::Elsewhere => String::new(),
            Shape::Rules => sorted(values.flat_map(report_rules).map(|rules| {
                let rules = self.scalar(rules, Form::Id);
                format!("{key}sensorElementsensorReportbizRules={rules}")
            })),
        }
    }

    fn extensions(&self, json: &Json, fields: &[Field]) -> String {
        let Json::Object(members) = json else {
            return String::new();
        };
        let own = |name: &str| fields.iter().any(|(known, ..)| *known == name);
        let others =
            members.iter().filter(|(name, _)| !own(name) && !EXCLUDED.contains(&name.as_str()));
        sorted(others.map(|(name, value)| self.extension(name, value)))
    }

    fn extension(&self, name: &str, json: &Json) -> String {
        let key = expanded(name, &self.prefixes);
        if key == COMMENT || self.ignored.contains(&key) {
            return String::new();
        }
        sorted(values(json).iter().map(|one| match one {
            Json::Object(_) => format!("{key}{}", self.extensions(one, &[])),
            _ => format!("{key}={}", self.scalar(one, Form::Id)),
        }))
    }

    fn scalar(&self, json: &Json, form: Form) -> String {
        let text = match json {
            Json::Text(text) => text.trim(),
            Json::Number(literal) => return decimal::plain(literal),
            Json::Bool(value) => return value.to_string(),
            _ => return String::new(),
        };
        match form {
            Form::Plain => text.to_owned(),
            Form::Time => time(text).unwrap_or_else(|| text.to_owned()),
            Form::Id if self.is_whole => whole(text),
            Form::Id => identifier(text),
            Form::Word(list) => list.web(list.fold(text).unwrap_or(text)),
            Form::Measurement => match vocabulary::measurement(text) {
                uri if uri.contains(':') => uri.to_owned(),
                word => format!("https://gs1.org/voc/{word}"),
            },
        }
    }
}

/// RFC 3339 in UTC with three decimals, rounded half up at the fourth.
fn time(text: &str) -> Option<String> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (cut, up) = match digits {
        0..=3 => (text.to_owned(), false),
        _ => {
            let zone = &rest[digits..];
            (format!("{whole}.{}{zone}", &rest[..3]), b'5' <= rest.as_bytes()[3])
        }
    };
    let at = Timestamp::parse(&cut).ok()?.checked_add_ms(i64::from(up))?;
    let utc = at.to_string();
    let (seconds, fraction) =
        utc.trim_end_matches('Z').split_once('.').unwrap_or((utc.trim_end_matches('Z'), ""));
    Some(format!("{seconds}.{fraction:0<3}Z"))
}

/// Keys after which one more key makes an identifier finer, best first.
const FINER: [(&str, &[&str]); 5] = [
    ("01", &["21", "10", "235"]),
    ("8006", &["21", "10"]),
    ("414", &["254"]),
    ("8010", &["8011"]),
    ("8004", &[]),
];

/// All that an identifier says, sorted; what is no Digital Link and no EPC URN as it stands.
fn whole(text: &str) -> String {
    let Ok(elements) = gs1::elements(text, &Reading::TOLERANT) else {
        return text.to_owned();
    };
    sorted(elements.iter().map(|one| format!("/{}/{}", one.code, escape(&one.value, false))))
}

/// The canonical Digital Link with its finest key only; other identifiers as they stand, as every
/// program that makes this hash leaves them.
fn identifier(text: &str) -> String {
    let item = gs1::canonical_with(text, &Reading::TOLERANT).unwrap_or_else(|_| text.to_owned());
    let Some(path) = item.strip_prefix("https://id.gs1.org/") else {
        return item;
    };
    let path = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let [key, value, qualifiers @ ..] = parts.as_slice() else {
        return item;
    };
    let finer = FINER.iter().find(|(known, _)| known == key).map_or(&[][..], |(_, finer)| finer);
    let finest = finer.iter().find_map(|wanted| {
        let mut pairs = qualifiers.chunks_exact(2);
        pairs.find(|pair| pair[0] == *wanted).map(|pair| format!("/{}/{}", pair[0], pair[1]))
    });
    format!("https://id.gs1.org/{key}/{value}{}", finest.unwrap_or_default())
}
