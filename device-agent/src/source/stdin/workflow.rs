//! The work flows of a bench: what one scan in each means, in EPCIS words.

/// A work flow, chosen by a control code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Workflow {
    /// Its name, as a control code says it.
    pub name: &'static str,
    /// The kind of event that a scan makes.
    pub shape: Shape,
    /// EPCIS `action`; empty for transformations, which have none.
    pub action: &'static str,
    /// CBV business step.
    pub step: &'static str,
    /// CBV disposition; empty where the step says nothing about it.
    pub disposition: &'static str,
}

/// What a scan is in its event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// The object of an ObjectEvent.
    Object,
    /// First the parent, then one child in each AggregationEvent.
    Children,
    /// An input or output of one transformation.
    Transformation,
}

const fn object(
    name: &'static str,
    action: &'static str,
    step: &'static str,
    disposition: &'static str,
) -> Workflow {
    Workflow { name, shape: Shape::Object, action, step, disposition }
}

const fn children(name: &'static str, action: &'static str, step: &'static str) -> Workflow {
    Workflow { name, shape: Shape::Children, action, step, disposition: "in_progress" }
}

/// Every work flow.
pub const WORKFLOWS: &[Workflow] = &[
    object("commission", "ADD", "commissioning", "active"),
    children("pack", "ADD", "packing"),
    children("unpack", "DELETE", "unpacking"),
    object("ship", "OBSERVE", "shipping", "in_transit"),
    object("receive", "OBSERVE", "receiving", "in_progress"),
    object("store", "OBSERVE", "storing", "sellable_not_accessible"),
    object("inspect", "OBSERVE", "inspecting", ""),
    Workflow {
        name: "transform",
        shape: Shape::Transformation,
        action: "",
        step: "commissioning",
        disposition: "",
    },
    object("rework", "OBSERVE", "repairing", "in_progress"),
    object("dispense", "DELETE", "dispensing", "dispensed"),
    object("sell", "DELETE", "retail_selling", "retail_sold"),
    object("decommission", "DELETE", "decommissioning", "inactive"),
    object("destroy", "DELETE", "destroying", "destroyed"),
];

impl Workflow {
    /// The work flow of this name; case does not count, because readers may be set to capitals.
    pub fn named(name: &str) -> Option<Workflow> {
        WORKFLOWS.iter().find(|flow| flow.name.eq_ignore_ascii_case(name)).copied()
    }

    /// All names, for messages.
    pub fn names() -> String {
        let names: Vec<&str> = WORKFLOWS.iter().map(|flow| flow.name).collect();
        names.join(", ")
    }
}
