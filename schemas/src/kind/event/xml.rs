//! EPCIS documents in XML: each event in the form that it has in JSON.
//!
//! Invariants: an element that EPCIS defines becomes its JSON member, whatever `extension` wrappers
//! of older schemas stand around it; any other element or attribute is an extension and is kept
//! under its prefix, which the event's `@context` declares; numbers keep their digits.

mod tree;

use super::document::{Document, EVENTS_MAX};
use super::fields::EventType;
use super::json::{self, Json};
use crate::kind::check::{self, FieldError, FieldFault};
use std::collections::BTreeMap;
use tree::{Element, Name};

/// Where events stand, as errors tell it.
const LIST: &str = "/EPCISBody/EventList";
/// The context of EPCIS in JSON-LD.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Prefixes that [`CONTEXT`] declares, by namespace.
const DECLARED: [(&str, &str); 4] = [
    ("https://ref.gs1.org/cbv/", "cbv"),
    ("urn:epcglobal:cbv:mda:", "cbvmda"),
    ("https://gs1.org/voc/", "gs1"),
    ("http://www.w3.org/2000/01/rdf-schema#", "rdfs"),
];

const EPC_LISTS: [&str; 4] = ["epcList", "childEPCs", "inputEPCList", "outputEPCList"];
const QUANTITY_LISTS: [&str; 4] =
    ["quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"];
const PAIR_LISTS: [(&str, &str); 3] = [
    ("bizTransactionList", "bizTransaction"),
    ("sourceList", "source"),
    ("destinationList", "destination"),
];
const NUMBERS: [&str; 8] =
    ["quantity", "value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"];

/// The events of an `EPCISDocument` or `EPCISQueryDocument` of which what stands around them, in the
/// form that it has in JSON, is as it must be.
pub(super) fn events_of(
    text: &str,
    conforms: impl Fn(&Json) -> Result<(), FieldError>,
) -> Result<Document, FieldError> {
    let root = tree::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|fault| check::decode("", format!("not XML: {fault}")))?;
    if !(root.is("EPCISDocument") || root.is("EPCISQueryDocument")) {
        let expected = "an EPCISDocument or EPCISQueryDocument";
        return Err(FieldError::new("", FieldFault::Malformed { expected }));
    }
    conforms(&head(&root))?;
    let list = event_list(&root).ok_or_else(|| FieldError::new(LIST, FieldFault::Missing))?;
    let mut elements = Vec::new();
    unwrapped(list, &mut elements);
    check::count(LIST, elements.len(), 0..=EVENTS_MAX)?;
    let mut events = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        let pointer = format!("{LIST}/{index}");
        events.push(event(element).map_err(|error| error.under(&pointer))?);
    }
    Ok(Document { events, path: Some(LIST), ignored: ignored(&root) })
}

/// The document without its body, as JSON has it.
fn head(root: &Element) -> Json {
    let mut members = Members::default();
    members.add("@context", Json::Text(CONTEXT.to_owned()));
    members.add("type", Json::Text(root.name.local.clone()));
    let own = own_attributes(root).filter(|(name, _)| name.uri.is_none());
    own.for_each(|(name, value)| members.add(&name.local, Json::Text(value.to_owned())));
    Json::Object(members.0)
}

/// Names of extensions that a document excludes from hashes: the reference implementation's
/// `ignoreFields`.
fn ignored(root: &Element) -> Vec<String> {
    let lists = root.children.iter().filter(|child| child.name.local == "ignoreFields");
    let names = lists.flat_map(|list| &list.children).map(|child| &child.name);
    names.map(|name| format!("{{{}}}{}", name.uri.as_deref().unwrap_or(""), name.local)).collect()
}

fn event_list(root: &Element) -> Option<&Element> {
    let mut at = root;
    for name in ["EPCISBody", "QueryResults", "resultsBody"] {
        at = at.child(name).unwrap_or(at);
    }
    at.child("EventList")
}

/// The children, those of `extension` wrappers in their place.
fn unwrapped<'a>(element: &'a Element, found: &mut Vec<&'a Element>) {
    for child in &element.children {
        if child.is("extension") || child.is("baseExtension") {
            unwrapped(child, found);
        } else {
            found.push(child);
        }
    }
}

fn event(element: &Element) -> Result<String, FieldError> {
    let kind = &element.name.local;
    let is_known = element.is(kind) && EventType::named(kind).is_some();
    check::form("", is_known, "one of the five types of EPCIS event")?;
    let mut reader = Reader { prefixes: BTreeMap::new() };
    let mut members = Members::default();
    members.add("type", Json::Text(kind.clone()));
    let mut children = Vec::new();
    unwrapped(element, &mut children);
    for child in children {
        let (name, value) = reader.member(child)?;
        members.add(&name, value);
    }
    let own: Vec<(String, Json)> = reader.declarations();
    let mut context = vec![Json::Text(CONTEXT.to_owned())];
    if !own.is_empty() {
        context.push(Json::Object(own));
    }
    let mut all = vec![("@context".to_owned(), Json::List(context))];
    all.extend(members.0);
    Ok(json::write(&Json::Object(all)))
}

/// Members in order; what comes again makes a list.
#[derive(Default)]
struct Members(Vec<(String, Json)>);

impl Members {
    fn add(&mut self, name: &str, value: Json) {
        let Some((_, there)) = self.0.iter_mut().find(|(known, _)| known == name) else {
            return self.0.push((name.to_owned(), value));
        };
        match there {
            Json::List(values) => values.push(value),
            one => {
                let first = std::mem::replace(one, Json::Null);
                *one = Json::List(vec![first, value]);
            }
        }
    }
}

/// Reads the members of one event.
struct Reader {
    /// Prefixes in use, each with its namespace.
    prefixes: BTreeMap<String, String>,
}

impl Reader {
    fn member(&mut self, element: &Element) -> Result<(String, Json), FieldError> {
        let name = element.name.local.as_str();
        if !element.is(name) {
            return Ok((self.name(&element.name), self.extension(element)));
        }
        let value = match name {
            _ if EPC_LISTS.contains(&name) => Json::List(texts(element, "epc")),
            _ if QUANTITY_LISTS.contains(&name) => self.quantities(element)?,
            "readPoint" | "bizLocation" => self.place(element),
            "persistentDisposition" => dispositions(element),
            "errorDeclaration" => self.error_declaration(element),
            "sensorElementList" => self.sensors(element)?,
            "ilmd" => self.extension(element),
            _ => match PAIR_LISTS.iter().find(|(list, _)| *list == name) {
                Some((_, one)) => pairs(element, one),
                None => self.extension(element),
            },
        };
        Ok((name.to_owned(), value))
    }

    fn quantities(&mut self, list: &Element) -> Result<Json, FieldError> {
        let mut all = Vec::new();
        for (index, element) in list.children.iter().enumerate() {
            let at = format!("/{}/{index}", list.name.local);
            let mut members = Members::default();
            for child in &element.children {
                let value = self.scalar(child, &at)?;
                members.add(&self.name(&child.name), value);
            }
            all.push(Json::Object(members.0));
        }
        Ok(Json::List(all))
    }

    /// A number where the member is one, else what any element is.
    fn scalar(&mut self, element: &Element, at: &str) -> Result<Json, FieldError> {
        let local = element.name.local.as_str();
        if element.is(local) && NUMBERS.contains(&local) {
            return number(&element.text, &format!("{at}/{local}"));
        }
        Ok(self.extension(element))
    }

    fn place(&mut self, element: &Element) -> Json {
        let mut members = Members::default();
        let mut children = Vec::new();
        unwrapped(element, &mut children);
        for child in children {
            let value = self.extension(child);
            members.add(&self.name(&child.name), value);
        }
        Json::Object(members.0)
    }

    fn error_declaration(&mut self, element: &Element) -> Json {
        let mut members = Members::default();
        let mut children = Vec::new();
        unwrapped(element, &mut children);
        for child in children {
            if child.is("correctiveEventIDs") {
                let ids = Json::List(texts(child, "correctiveEventID"));
                members.add("correctiveEventIDs", ids);
            } else {
                let value = self.extension(child);
                members.add(&self.name(&child.name), value);
            }
        }
        Json::Object(members.0)
    }

    fn sensors(&mut self, list: &Element) -> Result<Json, FieldError> {
        let mut all = Vec::new();
        for (index, element) in list.children.iter().enumerate() {
            let at = format!("/sensorElementList/{index}");
            let mut members = Members::default();
            let mut reports = Vec::new();
            for child in &element.children {
                if child.is("sensorMetadata") {
                    members.add("sensorMetadata", self.attributes(child, &at)?);
                } else if child.is("sensorReport") {
                    let at = format!("{at}/sensorReport/{}", reports.len());
                    reports.push(self.attributes(child, &at)?);
                } else {
                    let value = self.extension(child);
                    members.add(&self.name(&child.name), value);
                }
            }
            members.add("sensorReport", Json::List(reports));
            all.push(Json::Object(members.0));
        }
        Ok(Json::List(all))
    }

    /// The attributes of an element of a sensor, and what extends it.
    fn attributes(&mut self, element: &Element, at: &str) -> Result<Json, FieldError> {
        let mut members = Members::default();
        for (name, text) in own_attributes(element) {
            let local = name.local.as_str();
            let value = match name.uri {
                None if NUMBERS.contains(&local) => number(text, &format!("{at}/{local}"))?,
                None if local == "booleanValue" => boolean(text, &format!("{at}/{local}"))?,
                _ => Json::Text(text.to_owned()),
            };
            members.add(&self.name(name), value);
        }
        for child in &element.children {
            let value = self.extension(child);
            members.add(&self.name(&child.name), value);
        }
        Ok(Json::Object(members.0))
    }

    /// An element that EPCIS does not define: its text, or its attributes and children.
    fn extension(&mut self, element: &Element) -> Json {
        let is_plain = element.children.is_empty() && own_attributes(element).next().is_none();
        if is_plain && element.name.local != "ilmd" {
            return Json::Text(element.text.clone());
        }
        let mut members = Members::default();
        for (name, value) in own_attributes(element) {
            members.add(&self.name(name), Json::Text(value.to_owned()));
        }
        let mut children = Vec::new();
        unwrapped(element, &mut children);
        for child in children {
            let value = self.extension(child);
            members.add(&self.name(&child.name), value);
        }
        if !element.text.is_empty() {
            members.add("@value", Json::Text(element.text.clone()));
        }
        Json::Object(members.0)
    }

    /// The name in JSON; a namespace gets a prefix of the event's.
    fn name(&mut self, name: &Name) -> String {
        let Some(uri) = name.uri.as_deref().filter(|uri| !uri.starts_with("urn:epcglobal:epcis"))
        else {
            return name.local.clone();
        };
        if let Some((_, prefix)) = DECLARED.iter().find(|(known, _)| *known == uri) {
            return format!("{prefix}:{}", name.local);
        }
        if let Some((prefix, _)) = self.prefixes.iter().find(|(_, known)| *known == uri) {
            return format!("{prefix}:{}", name.local);
        }
        let is_free = |prefix: &String| {
            let is_declared = DECLARED.iter().any(|(_, known)| known == prefix);
            !is_declared && !self.prefixes.contains_key(prefix)
        };
        let mut numbered = (1..).map(|number| format!("ns{number}"));
        let wanted = name.prefix.clone().filter(is_free);
        let prefix = wanted.or_else(|| numbered.find(is_free)).unwrap_or_default();
        self.prefixes.insert(prefix.clone(), uri.to_owned());
        format!("{prefix}:{}", name.local)
    }

    fn declarations(self) -> Vec<(String, Json)> {
        self.prefixes.into_iter().map(|(prefix, uri)| (prefix, Json::Text(uri))).collect()
    }
}

/// Attributes other than hints for validators.
fn own_attributes(element: &Element) -> impl Iterator<Item = (&Name, &str)> {
    let own = element.attributes.iter().filter(|(name, _)| name.uri.as_deref() != Some(XSI));
    own.map(|(name, value)| (name, value.as_str()))
}

fn texts(element: &Element, one: &str) -> Vec<Json> {
    let found = element.children.iter().filter(|child| child.is(one));
    found.map(|child| Json::Text(child.text.clone())).collect()
}

fn pairs(list: &Element, one: &str) -> Json {
    let found = list.children.iter().filter(|child| child.is(one));
    let pair = |child: &Element| {
        let mut members = Members::default();
        for (name, value) in own_attributes(child) {
            members.add(&name.local, Json::Text(value.to_owned()));
        }
        members.add(one, Json::Text(child.text.clone()));
        Json::Object(members.0)
    };
    Json::List(found.map(pair).collect())
}

fn dispositions(element: &Element) -> Json {
    let mut members = Members::default();
    for name in ["set", "unset"] {
        let words = texts(element, name);
        if !words.is_empty() {
            members.add(name, Json::List(words));
        }
    }
    Json::Object(members.0)
}

/// A number of XML Schema as one of JSON, digits kept.
fn number(text: &str, pointer: &str) -> Result<Json, FieldError> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let whole = rest.trim_start_matches('0');
    let zero = if whole.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    let begins = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let literal = format!("{sign}{zero}{whole}").replace(".e", "e").replace(".E", "E");
    let literal = literal.strip_suffix('.').unwrap_or(&literal);
    match json::parse(literal) {
        Ok(number @ Json::Number(_)) if begins => Ok(number),
        _ => Err(FieldError::new(pointer, FieldFault::Malformed { expected: "a number" })),
    }
}

fn boolean(text: &str, pointer: &str) -> Result<Json, FieldError> {
    match text.trim() {
        "true" | "1" => Ok(Json::Bool(true)),
        "false" | "0" => Ok(Json::Bool(false)),
        _ => Err(FieldError::new(pointer, FieldFault::Malformed { expected: "true or false" })),
    }
}

#[cfg(test)]
mod tests;
