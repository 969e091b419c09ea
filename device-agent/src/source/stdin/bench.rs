//! What a scanned line means in the work flow that is on: pure, no clock, no disk.

use hallmark_schemas::gs1::element::Element;
use hallmark_schemas::gs1::scan::{self, Content};
use hallmark_schemas::id::DeviceId;
use hallmark_schemas::time::Timestamp;
use serde_json::{Map, Value, json};

use super::workflow::{Shape, Workflow};
use crate::config::source::StdinConfig;
use crate::failure::Failure;

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// A bench and where its work stands.
#[derive(Debug)]
pub struct Bench {
    device: DeviceId,
    control_prefix: String,
    read_point: String,
    biz_location: Option<String>,
    utc_offset_min: i32,
    work: Option<Work>,
}

/// The work flow that is on.
#[derive(Clone, Debug)]
struct Work {
    flow: Workflow,
    /// The parent that children go into or come out of.
    parent: Option<String>,
    /// The last scan was refused as the parent. Until a container is scanned that can be nothing
    /// else, an item is not taken for one: the operator may believe that the container was read.
    parent_refused: bool,
    /// The id of the transformation, from the event id of its first scan.
    transformation: Option<String>,
    /// Whether transformations take outputs now.
    is_output: bool,
}

/// What to do with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// The work changed; nothing to keep. What the operator reads.
    Mode(String),
    /// Nothing to keep, and why.
    Refused(String),
    /// An event to keep.
    Keep {
        /// EPCIS 2.0, JSON.
        epcis: String,
        /// What makes a repetition the same scan.
        scan: String,
        /// What was scanned.
        goods: String,
    },
}

/// What was scanned: one item, or some of a class.
struct Scanned {
    id: String,
    /// Pieces, where the code names a class only.
    count: Option<u64>,
}

impl Bench {
    /// A bench as configured.
    pub fn new(config: &StdinConfig, device: &DeviceId) -> Result<Bench, Failure> {
        let mut bench = Bench {
            device: device.clone(),
            control_prefix: config.control_prefix.clone(),
            read_point: config.read_point.clone(),
            biz_location: config.biz_location.clone(),
            utc_offset_min: config.utc_offset_min,
            work: None,
        };
        if let Some(mode) = &config.mode
            && let Step::Refused(why) = bench.control(mode)
        {
            return Err(Failure::usage(format!("source {:?}, mode: {why}", config.name))
                .help(format!("use one of {}", Workflow::names())));
        }
        Ok(bench)
    }

    /// The work that is on, for the operator.
    pub fn doing(&self) -> String {
        match &self.work {
            Some(Work { flow, parent: Some(parent), .. }) => format!("{} {parent}", flow.name),
            Some(work) => work.flow.name.to_owned(),
            None => "none".to_owned(),
        }
    }

    /// What a line means. `event_id` is used if it makes an event.
    pub fn line(&mut self, line: &str, at: Timestamp, event_id: &str) -> Step {
        if let Some(name) = self.control_name(line) {
            let name = name.to_owned();
            return if name == "all" {
                self.empty_parent(at, event_id)
            } else {
                self.control(&name)
            };
        }
        let scanned = read(line);
        if let Some(work) = &mut self.work
            && work.flow.shape == Shape::Children
            && work.parent.is_none()
        {
            return work.open(scanned, &self.control_prefix);
        }
        let scanned = match scanned {
            Ok(scanned) => scanned,
            Err(why) => return Step::Refused(why),
        };
        let Some(mut work) = self.work.clone() else {
            let prefix = &self.control_prefix;
            return Step::Refused(format!("no work flow is on: scan a code such as {prefix}ship"));
        };
        if work.parent.as_deref() == Some(scanned.id.as_str()) {
            return Step::Refused("a container cannot hold itself".to_owned());
        }
        if work.flow.shape == Shape::Transformation {
            let id = event_id.replace("urn:uuid:", "");
            let id = format!(
                "{}:{id}",
                self.device.as_str().replacen(":device:", ":transformation:", 1)
            );
            work.transformation.get_or_insert(id);
            self.work = Some(work.clone());
        }
        self.keep(&work, Some(&scanned), at, event_id)
    }

    /// The rest of a control code, whether the reader says its symbology or not.
    fn control_name<'a>(&self, line: &'a str) -> Option<&'a str> {
        let data = match line.strip_prefix(']') {
            Some(_) => line.get(3..)?,
            None => line,
        };
        let (head, name) = data.split_at_checked(self.control_prefix.len())?;
        head.eq_ignore_ascii_case(&self.control_prefix).then_some(name.trim())
    }

    fn control(&mut self, name: &str) -> Step {
        if name.eq_ignore_ascii_case("end") {
            self.work = None;
            return Step::Mode("none".to_owned());
        }
        if name.eq_ignore_ascii_case("output") {
            return match &mut self.work {
                Some(work) if work.transformation.is_some() => {
                    work.is_output = true;
                    Step::Mode("transform, outputs now".to_owned())
                }
                _ => Step::Refused("outputs come after the inputs of a transformation".to_owned()),
            };
        }
        match Workflow::named(name) {
            Some(flow) => {
                self.work = Some(Work::of(flow));
                Step::Mode(match flow.shape {
                    Shape::Object => flow.name.to_owned(),
                    Shape::Children => format!("{}, scan the container first", flow.name),
                    Shape::Transformation => format!("{}, inputs first", flow.name),
                })
            }
            None => Step::Refused(format!("no work flow {name:?}, known: {}", Workflow::names())),
        }
    }

    /// The container as a whole is empty: an AggregationEvent DELETE without children.
    fn empty_parent(&mut self, at: Timestamp, event_id: &str) -> Step {
        match self.work.clone() {
            Some(work) if work.flow.name == "unpack" && work.parent.is_some() => {
                self.keep(&work, None, at, event_id)
            }
            _ => Step::Refused("first choose unpack and scan the container".to_owned()),
        }
    }

    fn keep(&self, work: &Work, scanned: Option<&Scanned>, at: Timestamp, event_id: &str) -> Step {
        let mut event = self.frame(work, at, event_id);
        let [single, counted] = match (work.flow.shape, work.is_output) {
            (Shape::Object, _) => ["epcList", "quantityList"],
            (Shape::Children, _) => ["childEPCs", "childQuantityList"],
            (Shape::Transformation, false) => ["inputEPCList", "inputQuantityList"],
            (Shape::Transformation, true) => ["outputEPCList", "outputQuantityList"],
        };
        match scanned {
            Some(Scanned { id, count: Some(count) }) => {
                event.insert(counted.to_owned(), json!([{ "epcClass": id, "quantity": count }]));
            }
            Some(Scanned { id, count: None }) => {
                event.insert(single.to_owned(), json!([id]));
            }
            None => {}
        }
        let parent = work.parent.as_deref().unwrap_or_default();
        let goods = scanned.map_or(parent, |scanned| &scanned.id).to_owned();
        let within = work.transformation.as_deref().unwrap_or(parent);
        // Two scans of a class code are two pieces; two of one item are one scan.
        let is_class = scanned.is_some_and(|scanned| scanned.count.is_some());
        let unique = if is_class { event_id } else { "" };
        let scan = format!("{} {single} {within} {goods} {unique}", work.flow.name);
        Step::Keep { epcis: Value::Object(event).to_string(), scan, goods }
    }

    /// The members that every event of the work flow has.
    fn frame(&self, work: &Work, at: Timestamp, event_id: &str) -> Map<String, Value> {
        let flow = work.flow;
        let kind = match flow.shape {
            Shape::Object => "ObjectEvent",
            Shape::Children => "AggregationEvent",
            Shape::Transformation => "TransformationEvent",
        };
        let (sign, minutes) = if self.utc_offset_min < 0 { ('-', -1) } else { ('+', 1) };
        let minutes = self.utc_offset_min * minutes;
        let mut event = Map::new();
        let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
        set("@context", json!([CONTEXT]));
        set("type", json!(kind));
        set("eventID", json!(event_id));
        set("eventTime", json!(at));
        set("eventTimeZoneOffset", json!(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)));
        set("bizStep", json!(flow.step));
        set("readPoint", json!({ "id": self.read_point }));
        let optional = [
            ("action", Some(flow.action)),
            ("disposition", Some(flow.disposition)),
            ("parentID", work.parent.as_deref()),
            ("transformationID", work.transformation.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                set(name, json!(value));
            }
        }
        if let Some(location) = &self.biz_location {
            set("bizLocation", json!({ "id": location }));
        }
        event
    }
}

impl Work {
    fn of(flow: Workflow) -> Work {
        Work { flow, parent: None, parent_refused: false, transformation: None, is_output: false }
    }

    /// Takes the container. Whatever is refused leaves the bench waiting for it.
    fn open(&mut self, scanned: Result<Scanned, String>, control_prefix: &str) -> Step {
        let name = self.flow.name;
        let why = match scanned {
            Ok(scanned) if scanned.count.is_some() => {
                format!("{} names no single container", scanned.id)
            }
            Ok(scanned) if self.parent_refused && !is_container(&scanned.id) => {
                format!("the container before it was refused, and {} may be an item", scanned.id)
            }
            Ok(scanned) => {
                let told = format!("{name} {}", scanned.id);
                self.parent = Some(scanned.id);
                return Step::Mode(told);
            }
            Err(why) => why,
        };
        self.parent_refused = true;
        Step::Refused(format!(
            "{why}; still waiting for the container: scan it, or {control_prefix}{name} to begin \
             again"
        ))
    }
}

/// A logistic unit, a returnable asset or an asset: never an item that is packed by itself.
fn is_container(canonical: &str) -> bool {
    let path = canonical.strip_prefix("https://id.gs1.org/").unwrap_or_default();
    matches!(path.split('/').next(), Some("00" | "8003" | "8004"))
}

/// Reads a code. Other codes than GS1's and registered ones are kept as they are, in a URI.
fn read(line: &str) -> Result<Scanned, String> {
    let scan = scan::decode_capture(line)
        .map_err(|fault| format!("{} at character {}", fault.reason, fault.offset + 1))?;
    match (&scan.content, scan.content.canonical()) {
        (Content::Gs1(elements), Some(goods)) => {
            let count = is_class(goods.as_str()).then(|| pieces(elements));
            Ok(Scanned { id: goods.to_string(), count })
        }
        (Content::Gs1(_), None) => {
            Err("the code names no item, lot, container or place".to_owned())
        }
        (Content::Goods(goods), _) => Ok(Scanned { id: goods.to_string(), count: None }),
        (Content::Verbatim(data), _) if data.is_empty() => Err("the code is empty".to_owned()),
        (Content::Verbatim(data), _) => Ok(Scanned { id: verbatim(data), count: None }),
    }
}

/// A GTIN or coupon class without serial names many pieces.
fn is_class(canonical: &str) -> bool {
    let path = canonical.strip_prefix("https://id.gs1.org/").unwrap_or_default();
    let codes: Vec<&str> = path.split('/').step_by(2).collect();
    matches!(codes[..], ["01" | "8006"] | ["01" | "8006", "10"] | ["8010"])
}

/// AI 30 says how many pieces a variable measure holds.
fn pieces(elements: &[Element]) -> u64 {
    let count = elements.iter().find(|element| element.code == "30");
    count.and_then(|element| element.value.parse().ok()).filter(|count| 0 < *count).unwrap_or(1)
}

/// `urn:hallmark:code:` and the data, percent-encoded.
fn verbatim(data: &str) -> String {
    let mut uri = String::from("urn:hallmark:code:");
    for byte in data.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests;
