//! Which events a query asks for: the parameters of the SimpleEventQuery of EPCIS 2.0.
//!
//! Invariants: a parameter that is unknown, malformed or not supported is an error, never passed
//! over; words and identifiers are compared in their folded form, whatever form either side has;
//! all parameters must hold, of several values of one any.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::event::decimal::Decimal;
use hallmark_schemas::kind::event::fields::{EventType, Fields, Item, ItemRole};
use hallmark_schemas::kind::event::json::{self, Json};
use hallmark_schemas::kind::event::vocabulary::{self, WordList};
use hallmark_schemas::time::Timestamp;

/// Most values of one parameter.
const VALUES_MAX: usize = 1_000;
/// Most parameters of one query.
const PARAMETERS_MAX: usize = 64;

/// A parameter that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ParameterError {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An event with what a filter looks at.
pub struct Found<'a> {
    /// Its fields.
    pub fields: &'a Fields,
    /// Its text.
    pub epcis: &'a str,
    /// When its log admitted it.
    pub recorded_at: Timestamp,
}

/// Where an identifier may stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    /// In the list of objects or children, or of quantities of them.
    Epc,
    Parent,
    Input,
    Output,
    Anywhere,
}

impl At {
    fn holds(self, role: ItemRole) -> bool {
        match self {
            At::Epc => matches!(role, ItemRole::Epc | ItemRole::Child),
            At::Parent => role == ItemRole::Parent,
            At::Input => role == ItemRole::Input,
            At::Output => role == ItemRole::Output,
            At::Anywhere => true,
        }
    }
}

/// An identifier, or the beginning of some.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    Exact(String),
    Beginning(String),
}

impl Pattern {
    /// EPC pattern URIs end with `*`; anything else is one identifier.
    fn read(text: &str) -> Pattern {
        match text.strip_suffix('*') {
            Some(beginning) => Pattern::Beginning(beginning.to_owned()),
            None => Pattern::Exact(vocabulary::item(text)),
        }
    }

    fn matches(&self, item: &Item) -> bool {
        let name = item.item.as_str();
        match self {
            Pattern::Exact(wanted) => name == wanted,
            Pattern::Beginning(beginning) => name.starts_with(beginning.as_str()),
        }
    }
}

/// How numbers and times are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    Equal,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

impl Order {
    fn holds(self, found: &std::cmp::Ordering) -> bool {
        match self {
            Order::Equal => found.is_eq(),
            Order::Greater => found.is_gt(),
            Order::AtLeast => found.is_ge(),
            Order::Less => found.is_lt(),
            Order::AtMost => found.is_le(),
        }
    }
}

/// A time of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    Event,
    Recorded,
    Declared,
}

/// A member that is compared as a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    Type,
    Action,
    BizStep,
    Disposition,
    Set,
    Unset,
    ReadPoint,
    BizLocation,
    TransformationId,
    EventId,
    ErrorReason,
    Corrective,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Time(When, Order, Timestamp),
    Word(Word, Vec<String>),
    /// A place, or one of those that its GLN has extensions for.
    Within(Word, Vec<String>),
    Match(At, Vec<Pattern>),
    Quantity(Order, Decimal, Option<String>),
    /// A business transaction, source or destination of a type.
    Linked(Side, String, Vec<String>),
    /// There is an error declaration.
    Declared,
    /// There are sensor elements.
    Sensed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Transaction,
    Source,
    Destination,
}

/// By what results are ordered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderBy {
    /// When it happened.
    EventTime,
    /// When it was logged.
    RecordTime,
}

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    conditions: Vec<Condition>,
    /// By what; in the order of the log without it.
    pub order_by: Option<OrderBy>,
    /// The earliest first.
    pub is_ascending: bool,
    /// At most so many, the first of the order.
    pub event_count_limit: Option<usize>,
    /// An error if there are more.
    pub max_event_count: Option<usize>,
}

impl Filter {
    /// Reads the parameters of a query, those for paging left out.
    pub fn read<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Filter, ParameterError> {
        let mut filter = Filter::default();
        for (count, (name, value)) in parameters.into_iter().enumerate() {
            let wrong = |reason: String| ParameterError { name: shown(name), reason };
            if PARAMETERS_MAX <= count {
                return Err(wrong(format!("more than {PARAMETERS_MAX} parameters")));
            }
            filter.take(name, value).map_err(wrong)?;
        }
        if filter.event_count_limit.is_some() && filter.max_event_count.is_some() {
            let name = "maxEventCount".to_owned();
            let reason = "goes not together with eventCountLimit".to_owned();
            return Err(ParameterError { name, reason });
        }
        Ok(filter)
    }

    /// Only events of this type, step …, as the paths of resources ask.
    pub fn and(mut self, name: &str, value: &str) -> Result<Filter, ParameterError> {
        let wrong = |reason| ParameterError { name: shown(name), reason };
        self.take(name, value).map_err(wrong)?;
        Ok(self)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "orderBy" => {
                self.order_by = Some(match value {
                    "eventTime" => OrderBy::EventTime,
                    "recordTime" => OrderBy::RecordTime,
                    _ => return Err("eventTime or recordTime is expected".to_owned()),
                });
            }
            "orderDirection" => {
                self.is_ascending = match value {
                    "ASC" => true,
                    "DESC" => false,
                    _ => return Err("ASC or DESC is expected".to_owned()),
                };
            }
            "eventCountLimit" => self.event_count_limit = Some(count(value)?),
            "maxEventCount" => self.max_event_count = Some(count(value)?),
            _ => self.conditions.push(condition(name, value)?),
        }
        Ok(())
    }

    /// Whether an event is one of those.
    pub fn matches(&self, event: &Found<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(event))
    }

    /// Not before this instant were they admitted.
    pub fn recorded_from(&self) -> Option<Timestamp> {
        let bounds = self.conditions.iter().filter_map(|condition| match condition {
            Condition::Time(When::Recorded, Order::AtLeast, at) => Some(*at),
            _ => None,
        });
        bounds.max()
    }

    /// Before this instant they were admitted.
    pub fn recorded_before(&self) -> Option<Timestamp> {
        let bounds = self.conditions.iter().filter_map(|condition| match condition {
            Condition::Time(When::Recorded, Order::Less, at) => Some(*at),
            _ => None,
        });
        bounds.min()
    }

    /// Goods of which each of those events names one, where the query says so.
    pub fn goods(&self) -> Option<Vec<GoodsId>> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Match(_, patterns) => {
                let exact = patterns.iter().map(|pattern| match pattern {
                    Pattern::Exact(text) => GoodsId::read(text).ok(),
                    Pattern::Beginning(_) => None,
                });
                exact.collect()
            }
            _ => None,
        })
    }

    /// The identities that those events have, where the query says so.
    pub fn identities(&self) -> Option<&[String]> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Word(Word::EventId, ids) => Some(ids.as_slice()),
            _ => None,
        })
    }
}

fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| 0 < *number);
    number.ok_or_else(|| "a number over 0 is expected".to_owned())
}

fn condition(name: &str, value: &str) -> Result<Condition, String> {
    if let Some(time) = time_of(name) {
        let at = Timestamp::parse(value).map_err(|error| error.to_string())?;
        return Ok(Condition::Time(time.0, time.1, at));
    }
    if let Some(at) = name.strip_prefix("MATCH_") {
        let at = match at {
            "epc" | "epcClass" => At::Epc,
            "parentID" => At::Parent,
            "inputEPC" | "inputEPCClass" => At::Input,
            "outputEPC" | "outputEPCClass" => At::Output,
            "anyEPC" | "anyEPCClass" => At::Anywhere,
            _ => return Err(UNKNOWN.to_owned()),
        };
        return Ok(Condition::Match(at, values(value)?.into_iter().map(Pattern::read).collect()));
    }
    if let Some((order, unit)) = quantity_of(name) {
        let literal = json::parse(value).ok();
        let amount = match &literal {
            Some(Json::Number(literal)) => Decimal::parse(literal),
            _ => None,
        };
        let amount = amount.ok_or("a number is expected")?;
        return Ok(Condition::Quantity(order, amount, unit.map(str::to_owned)));
    }
    for (prefix, side, list) in [
        ("EQ_bizTransaction_", Side::Transaction, &vocabulary::TRANSACTION),
        ("EQ_source_", Side::Source, &vocabulary::PARTY),
        ("EQ_destination_", Side::Destination, &vocabulary::PARTY),
    ] {
        if let Some(kind) = name.strip_prefix(prefix) {
            let kind = fold(list, kind)?;
            let wanted = values(value)?.into_iter().map(vocabulary::place).collect();
            return Ok(Condition::Linked(side, kind, wanted));
        }
    }
    match name {
        "EXISTS_errorDeclaration" => Ok(Condition::Declared),
        "EXISTS_sensorElementList" => Ok(Condition::Sensed),
        "WD_readPoint" => Ok(Condition::Within(Word::ReadPoint, places(value)?)),
        "WD_bizLocation" => Ok(Condition::Within(Word::BizLocation, places(value)?)),
        _ => word(name, value),
    }
}

const UNKNOWN: &str = "no parameter that this node knows";

fn word(name: &str, value: &str) -> Result<Condition, String> {
    let folded = |list: &WordList| -> Result<Vec<String>, String> {
        values(value)?.into_iter().map(|one| fold(list, one)).collect()
    };
    let plain = || Ok::<_, String>(values(value)?.into_iter().map(str::to_owned).collect());
    let (word, wanted) = match name {
        "eventType" => {
            let wanted: Vec<String> = plain()?;
            let is_type = |text: &String| EventType::named(text).is_some();
            if !wanted.iter().all(is_type) {
                return Err("one of the five types of EPCIS event is expected".to_owned());
            }
            (Word::Type, wanted)
        }
        "EQ_action" => {
            let wanted: Vec<String> = plain()?;
            if !wanted.iter().all(|text| ["ADD", "OBSERVE", "DELETE"].contains(&text.as_str())) {
                return Err("ADD, OBSERVE or DELETE is expected".to_owned());
            }
            (Word::Action, wanted)
        }
        "EQ_bizStep" => (Word::BizStep, folded(&vocabulary::BIZ_STEP)?),
        "EQ_disposition" => (Word::Disposition, folded(&vocabulary::DISPOSITION)?),
        "EQ_persistentDisposition_set" => (Word::Set, folded(&vocabulary::DISPOSITION)?),
        "EQ_persistentDisposition_unset" => (Word::Unset, folded(&vocabulary::DISPOSITION)?),
        "EQ_errorReason" => (Word::ErrorReason, folded(&vocabulary::ERROR_REASON)?),
        "EQ_readPoint" => (Word::ReadPoint, places(value)?),
        "EQ_bizLocation" => (Word::BizLocation, places(value)?),
        "EQ_transformationID" => (Word::TransformationId, plain()?),
        "EQ_eventID" => (Word::EventId, plain()?),
        "EQ_correctiveEventID" => (Word::Corrective, plain()?),
        _ => return Err(UNKNOWN.to_owned()),
    };
    Ok(Condition::Word(word, wanted))
}

fn fold(list: &WordList, term: &str) -> Result<String, String> {
    let folded = list.fold(term).map(str::to_owned);
    folded.ok_or_else(|| format!("{:?} is no word of its CBV list", shown(term)))
}

/// Values of a parameter, joined by `|`.
fn values(text: &str) -> Result<Vec<&str>, String> {
    let all: Vec<&str> = text.split('|').collect();
    if all.iter().any(|one| one.is_empty()) {
        return Err("an empty value".to_owned());
    }
    let is_within = all.len() <= VALUES_MAX;
    is_within.then_some(all).ok_or_else(|| format!("more than {VALUES_MAX} values"))
}

fn places(text: &str) -> Result<Vec<String>, String> {
    Ok(values(text)?.into_iter().map(vocabulary::place).collect())
}

fn time_of(name: &str) -> Option<(When, Order)> {
    let (order, rest) = name.split_once('_')?;
    let order = match order {
        "GE" => Order::AtLeast,
        "LT" => Order::Less,
        _ => return None,
    };
    let when = match rest {
        "eventTime" => When::Event,
        "recordTime" => When::Recorded,
        "errorDeclarationTime" => When::Declared,
        _ => return None,
    };
    Some((when, order))
}

/// `GE_quantity`, `GE_quantity_KGM` …
fn quantity_of(name: &str) -> Option<(Order, Option<&str>)> {
    let (order, rest) = name.split_once('_')?;
    let order = match order {
        "EQ" => Order::Equal,
        "GT" => Order::Greater,
        "GE" => Order::AtLeast,
        "LT" => Order::Less,
        "LE" => Order::AtMost,
        _ => return None,
    };
    let rest = rest.strip_prefix("quantity")?;
    match rest.strip_prefix('_') {
        Some(unit) => Some((order, Some(unit))),
        None => rest.is_empty().then_some((order, None)),
    }
}

impl Condition {
    fn holds(&self, event: &Found<'_>) -> bool {
        let fields = event.fields;
        match self {
            Condition::Time(when, order, bound) => {
                let at = match when {
                    When::Event => Some(fields.event_at),
                    When::Recorded => Some(event.recorded_at),
                    When::Declared => fields.error.as_ref().map(|error| error.declared_at),
                };
                at.is_some_and(|at| order.holds(&at.cmp(bound)))
            }
            Condition::Word(word, wanted) => {
                let is_wanted = |found: &str| wanted.iter().any(|one| one == found);
                words(*word, event).iter().any(|found| is_wanted(found))
            }
            Condition::Within(word, wanted) => {
                let is_within = |found: &str| {
                    wanted.iter().any(|place| {
                        let rest = found.strip_prefix(place.as_str());
                        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    })
                };
                words(*word, event).iter().any(|found| is_within(found))
            }
            Condition::Match(at, patterns) => {
                let mut items = fields.items.iter().filter(|item| at.holds(item.role));
                items.any(|item| patterns.iter().any(|pattern| pattern.matches(item)))
            }
            Condition::Quantity(order, bound, unit) => fields.items.iter().any(|item| {
                let is_of_unit = item.uom.as_deref() == unit.as_deref();
                let compared = item.quantity.map(|quantity| quantity.compare(bound));
                is_of_unit && compared.is_some_and(|compared| order.holds(&compared))
            }),
            Condition::Linked(side, kind, wanted) => linked(*side, kind, wanted, fields),
            Condition::Declared => fields.error.is_some(),
            Condition::Sensed => !fields.sensors.is_empty(),
        }
    }
}

fn linked(side: Side, kind: &str, wanted: &[String], fields: &Fields) -> bool {
    let side = match side {
        Side::Transaction => {
            let mut links = fields.links.iter().filter(|(found, _)| found == kind);
            return links.any(|(_, reference)| wanted.contains(&vocabulary::place(reference)));
        }
        Side::Source => "source",
        Side::Destination => "destination",
    };
    let mut parties = fields.parties.iter().filter(|one| one.side == side && one.kind == kind);
    parties.any(|one| wanted.contains(&one.party))
}

/// The words that an event has in a place.
fn words(word: Word, event: &Found<'_>) -> Vec<String> {
    let fields = event.fields;
    let one = |text: &Option<String>| text.clone().into_iter().collect();
    match word {
        Word::Type => vec![fields.kind.as_str().to_owned()],
        Word::Action => fields.action.map(str::to_owned).into_iter().collect(),
        Word::BizStep => one(&fields.biz_step),
        Word::Disposition => one(&fields.disposition),
        Word::Set => dispositions(event.epcis, "set"),
        Word::Unset => dispositions(event.epcis, "unset"),
        Word::ReadPoint => one(&fields.read_point),
        Word::BizLocation => one(&fields.biz_location),
        Word::TransformationId => one(&fields.transformation_id),
        Word::EventId => vec![fields.identity().to_owned()],
        Word::ErrorReason => {
            fields.error.as_ref().and_then(|error| error.reason.clone()).into_iter().collect()
        }
        Word::Corrective => {
            fields.error.as_ref().map(|error| error.corrective.clone()).unwrap_or_default()
        }
    }
}

/// Words of `persistentDisposition`, which no table has.
fn dispositions(epcis: &str, name: &str) -> Vec<String> {
    let event = json::parse(epcis).ok();
    let list = event.as_ref().and_then(|event| event.get("persistentDisposition")?.get(name));
    let Some(Json::List(words)) = list else {
        return Vec::new();
    };
    let texts = words.iter().filter_map(Json::as_text);
    texts.filter_map(|text| vocabulary::DISPOSITION.fold(text)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
