//! Reading an EPCIS 2.0 event: the conditions of its schema, with the pointer of what breaks them.
//!
//! Invariants: what the schema requires is there; terms are words of their CBV list or URIs outside
//! the CBV; numbers are JSON numbers, never texts. Unknown members are extensions and are kept.

use super::decimal::Decimal;
use super::fields::{
    ErrorDeclaration, EventType, Fields, ITEMS_MAX, Item, ItemRole, Party, Sensor,
};
use super::json::{self, Json};
use super::vocabulary::{self, WordList, measurement, place};
use crate::kind::check::{self, FieldError, FieldFault};
use crate::kind::facility::is_utc_offset;
use crate::kind::value::Digest;
use crate::time::Timestamp;
use sha2::Digest as _;

/// Reads an event. Pointers in errors lead into the event.
pub(super) fn read(json: &Json) -> Result<Fields, FieldError> {
    let Json::Object(_) = json else {
        return Err(FieldError::new("", FieldFault::Malformed { expected: "a JSON object" }));
    };
    let kind = event_type(json)?;
    let mut reader = Reader { json, items: Vec::new() };
    reader.items(kind)?;
    let items = reader.items;
    require_lists(json, kind, &items)?;
    let sensors = sensors(json)?;
    let error = error_declaration(json)?;
    let links = links(json, error.as_ref())?;
    let ilmd = json.get("ilmd");
    let ilmd_text = |name: &str| ilmd.and_then(|ilmd| extension(ilmd, name)).map(str::to_owned);
    Ok(Fields {
        kind,
        action: action(json, kind)?,
        event_at: required_instant(json, "eventTime")?,
        utc_offset: utc_offset(json)?,
        recorded_at: instant(json, "", "recordTime")?,
        event_id: text(json, "", "eventID")?.map(str::to_owned),
        biz_step: term(json, "", "bizStep", &vocabulary::BIZ_STEP)?,
        disposition: term(json, "", "disposition", &vocabulary::DISPOSITION)?,
        read_point: location(json, "readPoint")?,
        biz_location: location(json, "bizLocation")?,
        device: device(json),
        transformation_id: text(json, "", "transformationID")?.map(str::to_owned),
        error,
        items,
        lot: ilmd_text("lotNumber"),
        expiry: ilmd_text("itemExpirationDate"),
        parties: parties(json)?,
        links,
        sensors,
        event_hash: super::hash::event_hash(json),
        sensor_hash: json
            .get("sensorElementList")
            .map(|list| Digest(sha2::Sha256::digest(json::canonical(list, &[])).into())),
    })
}

fn event_type(json: &Json) -> Result<EventType, FieldError> {
    let name = text(json, "", "type")?;
    let expected = "one of the five types of EPCIS event";
    let fault = FieldError::new("/type", FieldFault::Malformed { expected });
    name.and_then(EventType::named).ok_or(fault)
}

fn action(json: &Json, kind: EventType) -> Result<Option<&'static str>, FieldError> {
    let action = text(json, "", "action")?;
    let known = ["OBSERVE", "ADD", "DELETE"].into_iter().find(|known| Some(*known) == action);
    let none = kind == EventType::Transformation;
    check::consistent("/action", !(none && action.is_some()), "is no member of a transformation")?;
    check::form("/action", none || known.is_some(), "one of OBSERVE, ADD and DELETE")?;
    Ok(known)
}

fn utc_offset(json: &Json) -> Result<String, FieldError> {
    let offset = text(json, "", "eventTimeZoneOffset")?.unwrap_or_default();
    check::form("/eventTimeZoneOffset", is_utc_offset(offset), "an offset such as `+08:00`")?;
    Ok(offset.to_owned())
}

/// A member that is a text, if it is there.
fn text<'a>(json: &'a Json, at: &str, name: &str) -> Result<Option<&'a str>, FieldError> {
    let Some(value) = json.get(name) else {
        return Ok(None);
    };
    let pointer = format!("{at}/{name}");
    let expected = FieldFault::Malformed { expected: "a text" };
    let value = value.as_text().ok_or_else(|| FieldError::new(pointer.clone(), expected))?;
    check::text(&pointer, value, check::SENTENCE_BYTES_MAX)?;
    Ok(Some(value))
}

/// A term of a word list in its folded form, if it is there.
fn term(json: &Json, at: &str, name: &str, list: &WordList) -> Result<Option<String>, FieldError> {
    let Some(value) = text(json, at, name)? else {
        return Ok(None);
    };
    let folded = list.fold(value);
    let expected = "a word of its CBV list, or a URI outside the CBV";
    check::form(&format!("{at}/{name}"), folded.is_some(), expected)?;
    Ok(folded.map(str::to_owned))
}

fn required_term(json: &Json, at: &str, name: &str, list: &WordList) -> Result<String, FieldError> {
    let missing = || FieldError::new(format!("{at}/{name}"), FieldFault::Missing);
    term(json, at, name, list)?.ok_or_else(missing)
}

fn required<'a>(json: &'a Json, at: &str, name: &str) -> Result<&'a str, FieldError> {
    let missing = || FieldError::new(format!("{at}/{name}"), FieldFault::Missing);
    text(json, at, name)?.ok_or_else(missing)
}

fn instant(json: &Json, at: &str, name: &str) -> Result<Option<Timestamp>, FieldError> {
    let Some(value) = text(json, at, name)? else {
        return Ok(None);
    };
    let instant = Timestamp::parse(value);
    instant.map(Some).map_err(|error| check::decode(&format!("{at}/{name}"), error.to_string()))
}

fn required_instant(json: &Json, name: &str) -> Result<Timestamp, FieldError> {
    required(json, "", name)?;
    instant(json, "", name)?.ok_or_else(|| FieldError::new(format!("/{name}"), FieldFault::Missing))
}

/// The members of a list, if it is there.
fn list<'a>(json: &'a Json, at: &str, name: &str) -> Result<&'a [Json], FieldError> {
    match json.get(name) {
        None => Ok(&[]),
        Some(Json::List(values)) => {
            check::count(&format!("{at}/{name}"), values.len(), 0..=ITEMS_MAX)?;
            Ok(values)
        }
        Some(_) => {
            let fault = FieldFault::Malformed { expected: "a list" };
            Err(FieldError::new(format!("{at}/{name}"), fault))
        }
    }
}

fn location(json: &Json, name: &str) -> Result<Option<String>, FieldError> {
    let Some(value) = json.get(name) else {
        return Ok(None);
    };
    required(value, &format!("/{name}"), "id").map(|id| Some(place(id)))
}

/// The value of an extension member, whatever its prefix.
fn extension<'a>(json: &'a Json, local: &str) -> Option<&'a str> {
    let Json::Object(members) = json else {
        return None;
    };
    let name_of = |name: &'a str| name.rsplit([':', '/', '#']).next().unwrap_or(name);
    members.iter().find(|(name, _)| name_of(name) == local).and_then(|(_, value)| value.as_text())
}

struct Reader<'a> {
    json: &'a Json,
    items: Vec<Item>,
}

impl Reader<'_> {
    fn items(&mut self, kind: EventType) -> Result<(), FieldError> {
        use ItemRole::{Child, Epc, Input, Output, Parent};
        if let Some(parent) = text(self.json, "", "parentID")? {
            self.items.push(Item::read(Parent, parent));
        }
        let lists: &[(&str, &str, ItemRole)] = match kind {
            EventType::Object | EventType::Transaction => &[("epcList", "quantityList", Epc)],
            EventType::Aggregation | EventType::Association => {
                &[("childEPCs", "childQuantityList", Child)]
            }
            EventType::Transformation => &[
                ("inputEPCList", "inputQuantityList", Input),
                ("outputEPCList", "outputQuantityList", Output),
            ],
        };
        for (epcs, quantities, role) in lists {
            self.epcs(epcs, *role)?;
            self.quantities(quantities, *role)?;
        }
        check::count("", self.items.len(), 0..=ITEMS_MAX)
    }

    fn epcs(&mut self, name: &str, role: ItemRole) -> Result<(), FieldError> {
        for (index, value) in list(self.json, "", name)?.iter().enumerate() {
            let pointer = format!("/{name}/{index}");
            let epc = value.as_text().unwrap_or_default();
            check::text(&pointer, epc, check::ADDRESS_BYTES_MAX)?;
            self.items.push(Item::read(role, epc));
        }
        Ok(())
    }

    fn quantities(&mut self, name: &str, role: ItemRole) -> Result<(), FieldError> {
        for (index, element) in list(self.json, "", name)?.iter().enumerate() {
            let at = format!("/{name}/{index}");
            let class = required(element, &at, "epcClass")?;
            let quantity = decimal(element, &at, "quantity")?;
            let uom = text(element, &at, "uom")?.map(str::to_owned);
            self.items.push(Item { quantity, uom, ..Item::read(role, class) });
        }
        Ok(())
    }
}

fn decimal(json: &Json, at: &str, name: &str) -> Result<Option<Decimal>, FieldError> {
    let pointer = format!("{at}/{name}");
    match json.get(name) {
        None => Ok(None),
        Some(Json::Number(literal)) => {
            let value = Decimal::parse(literal);
            check::form(&pointer, value.is_some(), "a number of at most 18 digits")?;
            Ok(value)
        }
        Some(_) => Err(FieldError::new(pointer, FieldFault::Malformed { expected: "a number" })),
    }
}

/// The conditions of the EPCIS schema on the lists of each type.
fn require_lists(json: &Json, kind: EventType, items: &[Item]) -> Result<(), FieldError> {
    let has = |role: ItemRole| items.iter().any(|item| item.role == role);
    let delete = json.get("action").and_then(Json::as_text) == Some("DELETE");
    let sensor = json.get("sensorElementList").is_some() && json.get("readPoint").is_some();
    match kind {
        EventType::Object => {
            let holds = has(ItemRole::Epc) || json.get("epcList").is_some() || sensor;
            check::consistent("/epcList", holds, "and `quantityList` are both missing")
        }
        EventType::Aggregation | EventType::Association => {
            let parent = has(ItemRole::Parent) || kind == EventType::Aggregation;
            check::consistent("/parentID", parent, "is missing")?;
            let holds = has(ItemRole::Child) || delete || json.get("childEPCs").is_some();
            check::consistent("/childEPCs", holds, "and `childQuantityList` are both missing")
        }
        EventType::Transaction => {
            let transactions = list(json, "", "bizTransactionList")?;
            check::count("/bizTransactionList", transactions.len(), 1..=ITEMS_MAX)?;
            let holds = has(ItemRole::Epc) || delete || json.get("epcList").is_some();
            check::consistent("/epcList", holds, "and `quantityList` are both missing")
        }
        EventType::Transformation => {
            let both = has(ItemRole::Input) && has(ItemRole::Output);
            let named = json.get("transformationID").is_some() && !items.is_empty();
            check::consistent("/inputEPCList", both || named, "inputs or outputs are missing")
        }
    }
}

fn error_declaration(json: &Json) -> Result<Option<ErrorDeclaration>, FieldError> {
    let Some(error) = json.get("errorDeclaration") else {
        return Ok(None);
    };
    let at = "/errorDeclaration";
    required(error, at, "declarationTime")?;
    let declared = instant(error, at, "declarationTime")?;
    let missing = FieldError::new(format!("{at}/declarationTime"), FieldFault::Missing);
    let corrective = list(error, at, "correctiveEventIDs")?.iter();
    Ok(Some(ErrorDeclaration {
        declared_at: declared.ok_or(missing)?,
        reason: term(error, at, "reason", &vocabulary::ERROR_REASON)?,
        corrective: corrective.filter_map(Json::as_text).map(str::to_owned).collect(),
    }))
}

fn parties(json: &Json) -> Result<Vec<Party>, FieldError> {
    let mut parties = Vec::new();
    for side in ["source", "destination"] {
        let name = format!("{side}List");
        for (index, element) in list(json, "", &name)?.iter().enumerate() {
            let at = format!("/{name}/{index}");
            parties.push(Party {
                side,
                kind: required_term(element, &at, "type", &vocabulary::PARTY)?,
                party: place(required(element, &at, side)?),
            });
        }
    }
    Ok(parties)
}

fn links(
    json: &Json,
    error: Option<&ErrorDeclaration>,
) -> Result<Vec<(String, String)>, FieldError> {
    let mut links = Vec::new();
    for (index, element) in list(json, "", "bizTransactionList")?.iter().enumerate() {
        let at = format!("/bizTransactionList/{index}");
        let kind = term(element, &at, "type", &vocabulary::TRANSACTION)?;
        let reference = required(element, &at, "bizTransaction")?.to_owned();
        links.push((kind.unwrap_or_else(|| "transaction".to_owned()), reference));
    }
    let certificates = match json.get("certificationInfo") {
        Some(Json::List(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    let texts = certificates.iter().filter_map(Json::as_text);
    links.extend(texts.map(|text| ("certificate".to_owned(), text.to_owned())));
    let corrective = error.into_iter().flat_map(|error| &error.corrective);
    links.extend(corrective.map(|id| ("corrected_by".to_owned(), id.clone())));
    Ok(links)
}

fn device(json: &Json) -> Option<String> {
    let Some(Json::List(elements)) = json.get("sensorElementList") else {
        return None;
    };
    let id = |json: &Json| json.get("deviceID").and_then(Json::as_text).map(str::to_owned);
    elements.iter().find_map(|element| {
        let metadata = element.get("sensorMetadata").and_then(id);
        metadata.or_else(|| match element.get("sensorReport") {
            Some(Json::List(reports)) => reports.iter().find_map(id),
            _ => None,
        })
    })
}

fn sensors(json: &Json) -> Result<Vec<Sensor>, FieldError> {
    let mut sensors = Vec::new();
    for (index, element) in list(json, "", "sensorElementList")?.iter().enumerate() {
        let at = format!("/sensorElementList/{index}");
        let metadata_at = format!("{at}/sensorMetadata");
        let common = match element.get("sensorMetadata") {
            Some(metadata) => instant(metadata, &metadata_at, "time")?,
            None => None,
        };
        for (index, report) in list(element, &at, "sensorReport")?.iter().enumerate() {
            let at = format!("{at}/sensorReport/{index}");
            sensors.push(Sensor {
                kind: text(report, &at, "type")?
                    .map_or_else(String::new, |term| measurement(term).to_owned()),
                at: instant(report, &at, "time")?.or(common),
                value: decimal(report, &at, "value")?,
                uom: text(report, &at, "uom")?.map(str::to_owned),
                exception: text(report, &at, "exception")?.map(str::to_owned),
            });
        }
    }
    check::count("/sensorElementList", sensors.len(), 0..=ITEMS_MAX)?;
    Ok(sensors)
}
