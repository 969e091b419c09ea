//! The evidence tables of events.

use super::fields::{Fields, Item};
use super::vocabulary;
use crate::kind::facility::LOCATIONS;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};

/// Table `events`.
pub static EVENTS: Table = Table {
    name: "events",
    columns: &[
        Column::text("event_id", "Its eventID, else its hash").required(),
        Column::text("type", "`ObjectEvent`, `AggregationEvent` …").required(),
        Column::text("action", "`OBSERVE`, `ADD` or `DELETE`"),
        Column::text("biz_step", "CBV word, or a URI"),
        Column::text("disposition", "CBV word, or a URI"),
        Column::instant("event_at", "When it happened, as its author says").required(),
        Column::instant("recorded_at", "When an earlier repository recorded it"),
        Column::text("read_point", "Where it was observed"),
        Column::text("biz_location", "Where the goods are after it"),
        Column::text("device", "The device that signed it, else the one its sensor report names"),
        Column::text("transformation_id", "Joins the events of one transformation"),
        Column::boolean(
            "declared_error",
            "True if it only declares an earlier event to be in error",
        ),
        Column::text("event_hash", "Hash of its content"),
        Column::text("sensor_hash", "SHA-256 of its sensor elements, hex"),
    ],
    bucket: Bucket::Event("event_id"),
    meaning: "One EPCIS event",
};

/// Table `event_items`.
pub static EVENT_ITEMS: Table = Table {
    name: "event_items",
    columns: &[
        Column::text("event_id", "The event").required(),
        Column::text("role", "`epc`, `parent`, `child`, `input` or `output`").required(),
        Column::text("item", "The item, or the class of items").required(),
        Column::text("lot", "Its lot, as its identifier says, else as `ilmd` does where it begins"),
        Column::text("expiry", "Its expiry, as stated"),
        Column::integer("quantity", "How much of a class, times ten to the power of `scale_e10`"),
        Column::integer("scale_e10", "Power of ten of `quantity`"),
        Column::text("uom", "Unit of measure; null for pieces"),
        Column::text("other_lot", "The lot in `ilmd`, where the event contradicts itself"),
    ],
    bucket: Bucket::Event("event_id"),
    meaning: "One item of an event",
};

/// Table `event_parties`.
pub static EVENT_PARTIES: Table = Table {
    name: "event_parties",
    columns: &[
        Column::text("event_id", "The event").required(),
        Column::text("side", "`source` or `destination`").required(),
        Column::text("type", "`owning`, `possessing` or `location`, or a URI").required(),
        Column::text("party", "The party or place").required(),
    ],
    bucket: Bucket::Event("event_id"),
    meaning: "A party or place at one side of a transfer",
};

/// Table `event_links`.
pub static EVENT_LINKS: Table = Table {
    name: "event_links",
    columns: &[
        Column::text("event_id", "The event").required(),
        Column::text("kind", "CBV word of a business transaction, `certificate` or `corrected_by`")
            .required(),
        Column::text("ref", "What it refers to").required(),
    ],
    bucket: Bucket::Event("event_id"),
    meaning: "What an event refers to",
};

/// Table `sensor_reports`.
pub static SENSOR_REPORTS: Table = Table {
    name: "sensor_reports",
    columns: &[
        Column::text("event_id", "The event").required(),
        Column::text("type", "What was measured").required(),
        Column::instant("at", "When"),
        Column::integer("value", "The value, times ten to the power of `scale_e10`"),
        Column::integer("scale_e10", "Power of ten of `value`"),
        Column::text("uom", "Unit of measure"),
        Column::text("exception", "`ALARM_CONDITION` or `ERROR_CONDITION`"),
    ],
    bucket: Bucket::Event("event_id"),
    meaning: "One sensor report of an event",
};

/// The rows of one event.
pub(super) fn push(fields: &Fields, context: &RowContext<'_>, rows: &mut Rows) {
    rows.push(&EVENTS, context, event_cells(fields, context));
    for item in &fields.items {
        rows.push(&EVENT_ITEMS, context, item_cells(fields, item));
    }
    let id = || Cell::text(fields.identity());
    for party in &fields.parties {
        let kind = party.kind.strip_suffix("_party").unwrap_or(&party.kind);
        let cells = vec![id(), Cell::text(party.side), Cell::text(kind), Cell::text(&party.party)];
        rows.push(&EVENT_PARTIES, context, cells);
    }
    for (kind, reference) in &fields.links {
        rows.push(&EVENT_LINKS, context, vec![id(), Cell::text(kind), Cell::text(reference)]);
    }
    for sensor in &fields.sensors {
        let cells = vec![
            id(),
            Cell::text(&sensor.kind),
            Cell::optional(sensor.at, Cell::Instant),
            Cell::optional(sensor.value, |value| Cell::Integer(value.amount)),
            Cell::optional(sensor.value, |value| Cell::integer(value.scale_e10)),
            Cell::optional(sensor.uom.as_ref(), Cell::text),
            Cell::optional(sensor.exception.as_ref(), Cell::text),
        ];
        rows.push(&SENSOR_REPORTS, context, cells);
    }
    for place in [&fields.read_point, &fields.biz_location].into_iter().flatten() {
        push_position(place, context, rows);
    }
}

/// A place named by its position carries it along.
fn push_position(place: &str, context: &RowContext<'_>, rows: &mut Rows) {
    let Some((lat_e7, lon_e7)) = vocabulary::geo(place) else {
        return;
    };
    let cells = vec![
        Cell::text(place),
        Cell::Integer(lat_e7),
        Cell::Integer(lon_e7),
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ];
    rows.push(&LOCATIONS, context, cells);
}

fn event_cells(fields: &Fields, context: &RowContext<'_>) -> Vec<Cell> {
    let signed_by = context.device.map(Cell::text);
    vec![
        Cell::text(fields.identity()),
        Cell::text(fields.kind.as_str()),
        Cell::optional(fields.action, Cell::text),
        Cell::optional(fields.biz_step.as_ref(), Cell::text),
        Cell::optional(fields.disposition.as_ref(), Cell::text),
        Cell::Instant(fields.event_at),
        Cell::optional(fields.recorded_at, Cell::Instant),
        Cell::optional(fields.read_point.as_ref(), Cell::text),
        Cell::optional(fields.biz_location.as_ref(), Cell::text),
        signed_by.unwrap_or_else(|| Cell::optional(fields.device.as_ref(), Cell::text)),
        Cell::optional(fields.transformation_id.as_ref(), Cell::text),
        Cell::Bool(fields.error.is_some()),
        Cell::text(&fields.event_hash),
        Cell::optional(fields.sensor_hash, Cell::text),
    ]
}

fn item_cells(fields: &Fields, item: &Item) -> Vec<Cell> {
    let born = fields.born(item.role);
    let mut lots = fields.lots_of(item);
    let stated = |value: &Option<String>| value.clone().filter(|_| born);
    vec![
        Cell::text(fields.identity()),
        Cell::text(item.role.as_str()),
        Cell::text(item.item.as_str()),
        Cell::optional(lots.next(), Cell::text),
        Cell::optional(stated(&fields.expiry), Cell::Text),
        Cell::optional(item.quantity, |quantity| Cell::Integer(quantity.amount)),
        Cell::optional(item.quantity, |quantity| Cell::integer(quantity.scale_e10)),
        Cell::optional(item.uom.as_ref(), Cell::text),
        Cell::optional(lots.next(), Cell::text),
    ]
}
