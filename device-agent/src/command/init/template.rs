//! The commented config.toml that `init` writes.

use hallmark_schemas::id::{DeviceId, FacilityId};
use hallmark_schemas::quantity::Quantity;

use crate::cli::{InitArgs, SourceKind};
use crate::source::stdin::workflow::Workflow;

/// The text of a new config.toml.
pub(super) fn config(device: &DeviceId, args: &InitArgs, facility: Option<&FacilityId>) -> String {
    let mut text = head(device);
    let place = facility.map_or_else(|| device.to_string(), FacilityId::to_string);
    let quantity = args.quantity.as_deref().and_then(|name| name.parse().ok());
    for source in &args.sources {
        text.push_str(&match source {
            SourceKind::Stdin => stdin(&place),
            SourceKind::Replay => replay(quantity),
        });
    }
    text
}

fn head(device: &DeviceId) -> String {
    format!(
        r#"# Options of this hallmark-agent. Commented lines show the defaults.

# The device that signs; its key is device.key beside this file and never leaves it.
device = "{device}"

# What lets an entry leave the spool: "recorded" = a receipt that the agent itself verified,
# "stored" = the node's signed word.
#release = "recorded"

# Who may read what this device signs: "public", "members", or organisations separated by commas.
#audience = "members"

# Most readings of one batch (1 to 4096), and the longest that one waits for others (10ms to 1day).
#samples_max = 96
#batch_wait_max = "1min"

# Longest wait for an answer before an entry is sent again (1s to 1h), and how many are on their
# way at once (1 to 65536).
#ack_wait_max = "15s"
#window_max = 256

[spool]
# Most bytes on disk (16 MiB to 1 TiB), and what happens there: "stop" takes nothing more,
# "thin" drops every second batch of the oldest readings and counts them.
#bytes_max = 1073741824
#when_full = "stop"

[mqtt]
# Default: the broker that enrolled.cbor names. mqtts:// needs ca_file unless the system knows it.
#url = "mqtts://broker.example:8883"
#username = "bench"
#password_file = "/etc/hallmark/password"
#ca_file = "/etc/hallmark/ca.pem"
#cert_file = "/etc/hallmark/client.pem"
#key_file = "/etc/hallmark/client.key"
#keep_alive = "30s"
"#
    )
}

fn stdin(place: &str) -> String {
    let names = Workflow::names();
    format!(
        r#"
# A barcode reader that writes lines to standard input, such as a USB reader in keyboard mode.
[[source]]
name = "bench"
protocol = "stdin"
# Where the reader is and where goods are afterwards: URIs, such as
# https://id.gs1.org/414/9506000134352 for a GLN.
read_point = "{place}"
#biz_location = "{place}"
# Local time, an offset from UTC.
time_zone = "+08:00"
# The work flow at the start, one of: {names}.
# A control code switches: this prefix and the name, such as mode:ship; mode:end ends it,
# mode:output begins the outputs of a transformation, mode:all unpacks a container whole.
#mode = "ship"
#control_prefix = "mode:"
# How long a repeated scan counts as the same one.
#duplicate_window = "10min"
"#
    )
}

fn replay(quantity: Option<Quantity>) -> String {
    let name = quantity.map_or("electricity", Quantity::name);
    let unit = quantity.map_or("Wh", Quantity::unit);
    let units: Vec<&str> = quantity.iter().flat_map(|quantity| quantity.units()).collect();
    let units = units.join(", ");
    format!(
        r#"
# Readings from a CSV file: hallmark-agent replay DIR FILE.csv
[[source]]
name = "meter"
protocol = "replay"
# What is measured, and the unit of the value column. Units: {units}.
quantity = "{name}"
unit = "{unit}"
# Headers of the columns. Columns called device, facility, quantity, unit or interval_s need no
# mapping: in every row they must agree with this device and source, or nothing of the file is
# taken. A unit in a column of that name may be any of these units, and is converted.
time_column = "read_at"
value_column = "amount"
#register_column = "register"
#quality_column = "quality"
# Local time of instants without an offset. Without it they are refused.
#time_zone = "+08:00"
# Pattern of instants in strftime's letters, where they are not ISO 8601.
#time_format = "%d/%m/%Y %H:%M"
# Whether an instant is the "end" or the "start" of its interval, and how long that is.
#time_is = "end"
interval = "15min"
# How a row sums up its interval: sum, mean, instant, min, max.
#statistic = "sum"
# What is known about the clock: synchronised, holdover, unsynchronised.
#clock_quality = "unsynchronised"
#delimiter = ","
"#
    )
}
