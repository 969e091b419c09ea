//! Tables of instruments, laboratories and activity data, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `meter_topology`: how meters add up.
pub static METER_TOPOLOGY: Table = Table {
    name: "meter_topology",
    columns: &[
        Column::text("parent", "The meter above").required(),
        Column::text("child", "The meter below").required(),
        Column::integer("sign", "1 if the child adds to the parent, -1 if it takes away")
            .required(),
        Column::integer("loss_ppm", "Loss between the two").unit("ppm"),
        Column::boolean("complete", "True if the children are all there are"),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
    ],
    bucket: Bucket::Whole,
    meaning: "How meters add up",
};

/// Table `meter_events`: a swap, rollover or new configuration of a meter.
pub static METER_EVENTS: Table = Table {
    name: "meter_events",
    columns: &[
        Column::text("device", "The meter").required(),
        Column::text("kind", "`swap`, `rollover` or `config`").required(),
        Column::instant("at", "When").required(),
        Column::integer("old_register", "Last standing before"),
        Column::integer("new_register", "First standing after"),
        Column::integer("multiplier", "Factor between register and amount"),
        Column::text("countersigner", "Who signed too"),
    ],
    bucket: Bucket::Whole,
    meaning: "A swap, rollover or new configuration of a meter",
};

/// Table `calibrations`: a calibration of an instrument.
pub static CALIBRATIONS: Table = Table {
    name: "calibrations",
    columns: &[
        Column::text("device", "The instrument").required(),
        Column::text("certificate_no", "Number of its certificate"),
        Column::text("laboratory", "Who did it"),
        Column::instant("done_at", "When").required(),
        Column::instant("valid_from", "In force from"),
        Column::instant("valid_to", "In force until"),
        Column::integer("found_ppm", "Error found").unit("ppm"),
        Column::integer("rated_ppm", "Error allowed").unit("ppm"),
    ],
    bucket: Bucket::Whole,
    meaning: "A calibration of an instrument",
};

/// Table `units`: an emission unit of a facility.
pub static UNITS: Table = Table {
    name: "units",
    columns: &[
        Column::text("facility", "The facility").required(),
        Column::text("unit_id", "The unit").required(),
        Column::text("class", "What it is"),
        Column::integer("rated_mw", "Rating").unit("MW"),
        Column::text("boiler_type", "Type of boiler"),
        Column::boolean("cogeneration", "True if it gives heat and power"),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
    ],
    bucket: Bucket::Whole,
    meaning: "An emission unit of a facility",
};

/// Table `plan_streams`: a source stream in a monitoring plan.
pub static PLAN_STREAMS: Table = Table {
    name: "plan_streams",
    columns: &[
        Column::text("facility", "The facility").required(),
        Column::integer("version", "Version of the plan"),
        Column::instant("from_at", "In force from"),
        Column::text("unit_id", "The emission unit"),
        Column::text("source_stream", "The source stream").required(),
        Column::text("parameter", "What is measured").required(),
        Column::text("device", "With what"),
        Column::integer("rank", "Rank of the source, 1 first"),
        Column::text("tier", "Tier of the method"),
        Column::text("method", "How"),
    ],
    bucket: Bucket::Whole,
    meaning: "A source stream in a monitoring plan",
};

/// Table `fuel_movements`: fuel or material bought, stocked, burnt or sent away.
pub static FUEL_MOVEMENTS: Table = Table {
    name: "fuel_movements",
    columns: &[
        Column::text("facility", "The facility").required(),
        Column::text("fuel", "What").required(),
        Column::text("kind", "`purchase`, `stock`, `burn` or `dispatch`").required(),
        Column::instant("at", "When"),
        Column::instant("period_start", "Begin of its period"),
        Column::instant("period_end", "End of its period"),
        Column::integer("amount", "How much, in `unit`").required(),
        Column::text("unit", "Unit of `amount`").required(),
        Column::text("reference_conditions", "Temperature and pressure of a gas volume"),
        Column::text("counterparty", "From or to whom"),
        Column::text("document_no", "Number of its document"),
        Column::text("method", "How it was measured"),
        Column::integer("moisture_ppm", "Moisture").unit("ppm"),
        Column::text("basis", "As received, air dried, dry …"),
        Column::integer("uncertainty_ppm", "Uncertainty").unit("ppm"),
        Column::text("stockpile", "Which stock"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "Fuel or material bought, stocked, burnt or sent away",
};

/// Table `external_statements`: a third party’s figure.
pub static EXTERNAL_STATEMENTS: Table = Table {
    name: "external_statements",
    columns: &[
        Column::text("source", "`grid_bill`, `tax_invoice`, `statistics` …").required(),
        Column::text("facility", "The facility").required(),
        Column::text("parameter", "What").required(),
        Column::instant("period_start", "Begin of its period").required(),
        Column::instant("period_end", "End of its period").required(),
        Column::integer("amount", "How much, in `unit`").required(),
        Column::text("unit", "Unit of `amount`").required(),
        Column::text("stated_by", "Who states it"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A third party’s figure",
};

/// Table `substitutions`: a value put in for a missing measurement.
pub static SUBSTITUTIONS: Table = Table {
    name: "substitutions",
    columns: &[
        Column::text("facility", "The facility"),
        Column::text("device", "The meter").required(),
        Column::text("parameter", "What").required(),
        Column::instant("from_at", "From").required(),
        Column::instant("to_at", "Until").required(),
        Column::text("method", "How"),
        Column::integer("amount", "How much, in base units").required(),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A value put in for a missing measurement",
};

/// Table `samples`: a sample taken.
pub static SAMPLES: Table = Table {
    name: "samples",
    columns: &[
        Column::text("sample", "The sample").required(),
        Column::text("parent_sample", "What it was split from"),
        Column::text("facility", "The facility").required(),
        Column::text("month", "Month it stands for"),
        Column::instant("sampled_at", "When taken"),
        Column::instant("dispatched_at", "When sent"),
        Column::text("courier_no", "With which courier"),
        Column::text("seal_no", "Seal"),
        Column::integer("mass_mg", "Mass").unit("mg"),
        Column::integer("retained_mass_mg", "Mass kept back").unit("mg"),
        Column::instant("retained_until", "Kept until"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A sample taken",
};

/// Table `sample_parts`: a part of a composite sample.
pub static SAMPLE_PARTS: Table = Table {
    name: "sample_parts",
    columns: &[
        Column::text("facility", "The facility"),
        Column::text("composite", "The composite sample").required(),
        Column::text("component", "The part").required(),
        Column::integer("mass_mg", "Mass").unit("mg"),
        Column::integer("burn_g", "Fuel burnt that it stands for").unit("g"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A part of a composite sample",
};

/// Table `lab_tests`: a laboratory’s result.
pub static LAB_TESTS: Table = Table {
    name: "lab_tests",
    columns: &[
        Column::text("report_no", "Number of the report").required(),
        Column::text("lab_no", "The laboratory’s number of the sample"),
        Column::text("laboratory", "The laboratory").required(),
        Column::text("facility", "The facility"),
        Column::text("sample", "The sample"),
        Column::text("month", "Month it stands for"),
        Column::instant("received_at", "When received"),
        Column::instant("tested_at", "When tested"),
        Column::instant("issued_at", "When issued"),
        Column::text("instrument", "With what"),
        Column::text("method_standard", "By which standard"),
        Column::text("basis", "As received, air dried, dry …"),
        Column::text("mark_no", "Accreditation mark"),
        Column::text("replaces", "Number of the report that it replaces"),
        Column::text("parameter", "What").required(),
        Column::integer("value", "The value, times ten to the power of `scale_e10`").required(),
        Column::integer("scale_e10", "Power of ten of `value`"),
        Column::text("unit", "Unit of the value").required(),
        Column::integer("uncertainty_ppm", "Uncertainty").unit("ppm"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A laboratory’s result",
};

/// Table `cited_reports`: a laboratory’s result as the plant cites it.
pub static CITED_REPORTS: Table = Table {
    name: "cited_reports",
    columns: &[
        Column::text("report_no", "Number of the report").required(),
        Column::text("lab_no", "The laboratory’s number of the sample"),
        Column::text("laboratory", "The laboratory").required(),
        Column::text("facility", "The facility"),
        Column::text("sample", "The sample"),
        Column::text("month", "Month it stands for"),
        Column::instant("received_at", "When received"),
        Column::instant("tested_at", "When tested"),
        Column::instant("issued_at", "When issued"),
        Column::text("instrument", "With what"),
        Column::text("method_standard", "By which standard"),
        Column::text("basis", "As received, air dried, dry …"),
        Column::text("mark_no", "Accreditation mark"),
        Column::text("replaces", "Number of the report that it replaces"),
        Column::text("parameter", "What").required(),
        Column::integer("value", "The value, times ten to the power of `scale_e10`").required(),
        Column::integer("scale_e10", "Power of ten of `value`"),
        Column::text("unit", "Unit of the value").required(),
        Column::integer("uncertainty_ppm", "Uncertainty").unit("ppm"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "A laboratory’s result as the plant cites it",
};

/// Table `instrument_runs`: a run of a laboratory’s instrument.
pub static INSTRUMENT_RUNS: Table = Table {
    name: "instrument_runs",
    columns: &[
        Column::text("laboratory", "The laboratory").required(),
        Column::text("instrument", "The instrument").required(),
        Column::text("run", "The run").required(),
        Column::instant("from_at", "From").required(),
        Column::instant("to_at", "Until").required(),
        Column::text("sample", "The sample"),
    ],
    bucket: Bucket::Facility("laboratory"),
    meaning: "A run of a laboratory’s instrument",
};

/// Table `documents`: any file, by its digest.
pub static DOCUMENTS: Table = Table {
    name: "documents",
    columns: &[
        Column::text("document", "SHA-256 of the file, hex").required(),
        Column::text("title", "Title"),
        Column::text("media_type", "Media type"),
        Column::text("holder", "Who keeps it"),
        Column::integer("size", "Size").unit("byte"),
    ],
    bucket: Bucket::Whole,
    meaning: "Any file, by its digest",
};
