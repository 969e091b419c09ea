//! The agent's options: the environment, then `config.toml`, then the defaults here.
//!
//! Each option outside `[[source]]` is also `HALLMARK_` and its key in capitals, such as
//! `HALLMARK_ACK_WAIT_MAX` or `HALLMARK_MQTT_URL`.
//!
//! Invariants: an unknown key is an error with its line and the nearest known key; every value is
//! within its stated range once a [`Config`] exists.

use std::path::PathBuf;
use std::time::Duration;

use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::DeviceId;
use serde::Deserialize;

use crate::failure::Failure;
use crate::layout::Layout;
use crate::spool::WhenFull;

pub mod source;

use source::{RawSource, SourceConfig};

/// All options of one agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// The device that signs.
    pub device: DeviceId,
    /// What lets an entry leave the spool.
    pub release: Release,
    /// Who may read what this device signs.
    pub audience: Audience,
    /// Most samples of one batch.
    pub samples_max: usize,
    /// Longest time that a sample waits for others of its batch.
    pub batch_wait_max: Duration,
    /// Longest wait for an answer before an entry is sent again.
    pub ack_wait_max: Duration,
    /// Most entries on their way at once.
    pub window_max: usize,
    /// Bounds of the spool.
    pub spool: SpoolConfig,
    /// How the broker is reached.
    pub mqtt: MqttConfig,
    /// Where the agent takes from.
    pub sources: Vec<SourceConfig>,
}

/// What lets an entry leave the spool.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// A receipt that the agent itself verified.
    #[default]
    Recorded,
    /// The node's signed word that it has stored the entry.
    Stored,
}

/// Bounds of the spool.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SpoolConfig {
    /// Most bytes on disk. Default 1 GiB; from 16 MiB to 1 TiB.
    #[serde(default = "default_bytes_max")]
    pub bytes_max: u64,
    /// What happens there: `stop` (default) takes nothing more, `thin` drops every second old batch.
    #[serde(default)]
    pub when_full: WhenFull,
}

impl Default for SpoolConfig {
    fn default() -> SpoolConfig {
        SpoolConfig { bytes_max: default_bytes_max(), when_full: WhenFull::default() }
    }
}

/// How the broker is reached.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// `mqtt://host:port` or `mqtts://host:port`. Default: what enrolled.cbor says.
    pub url: Option<String>,
    /// User name at the broker.
    pub username: Option<String>,
    /// File with the password, alone on its first line.
    pub password_file: Option<PathBuf>,
    /// PEM file of the authority that vouches for the broker.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client's TLS key.
    pub key_file: Option<PathBuf>,
    /// Silence after which the connection counts as dead. Default 30 s; from 5 s to 10 min.
    #[serde(default = "default_keep_alive", with = "humantime_serde")]
    pub keep_alive: Duration,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    device: String,
    #[serde(default)]
    release: Release,
    #[serde(default = "default_audience")]
    audience: String,
    #[serde(default = "default_samples_max")]
    samples_max: usize,
    #[serde(default = "default_batch_wait_max", with = "humantime_serde")]
    batch_wait_max: Duration,
    #[serde(default = "default_ack_wait_max", with = "humantime_serde")]
    ack_wait_max: Duration,
    #[serde(default = "default_window_max")]
    window_max: usize,
    #[serde(default)]
    spool: SpoolConfig,
    #[serde(default = "default_mqtt")]
    mqtt: MqttConfig,
    #[serde(default)]
    source: Vec<RawSource>,
}

fn default_audience() -> String {
    "members".to_owned()
}

const fn default_samples_max() -> usize {
    96
}

const fn default_window_max() -> usize {
    256
}

const fn default_bytes_max() -> u64 {
    1 << 30
}

const fn default_batch_wait_max() -> Duration {
    Duration::from_secs(60)
}

const fn default_ack_wait_max() -> Duration {
    Duration::from_secs(15)
}

const fn default_keep_alive() -> Duration {
    Duration::from_secs(30)
}

fn default_mqtt() -> MqttConfig {
    MqttConfig { keep_alive: default_keep_alive(), ..MqttConfig::default() }
}

impl Config {
    /// Reads an agent's options.
    pub fn load(layout: &Layout) -> Result<Config, Failure> {
        let path = layout.config();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(format!("cannot read {}", path.display()))
                .because(&error)
                .help("make the folder with `hallmark-agent init`")
        })?;
        Config::parse_with(&text, |name| std::env::var(name).ok()).map_err(|fault| {
            Failure::usage(format!("{} is wrong", path.display()))
                .note(fault.reason)
                .help(fault.help)
        })
    }

    /// Reads the text of a configuration.
    pub fn parse(text: &str) -> Result<Config, ConfigFault> {
        Config::parse_with(text, |_| None)
    }

    /// Reads the text of a configuration under an environment.
    fn parse_with(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigFault> {
        let mut raw: Raw = toml::from_str(text).map_err(|error| ConfigFault::toml(text, &error))?;
        raw.override_by(environment)?;
        let config = Config {
            device: raw.device.parse().map_err(|error| ConfigFault::value("device", &error))?,
            release: raw.release,
            audience: raw
                .audience
                .parse()
                .map_err(|error| ConfigFault::value("audience", &error))?,
            samples_max: raw.samples_max,
            batch_wait_max: raw.batch_wait_max,
            ack_wait_max: raw.ack_wait_max,
            window_max: raw.window_max,
            spool: raw.spool,
            mqtt: raw.mqtt,
            sources: source::parse_all(raw.source)?,
        };
        config.check_ranges()?;
        Ok(config)
    }

    fn check_ranges(&self) -> Result<(), ConfigFault> {
        let s = Duration::from_secs;
        within("samples_max", self.samples_max, 1, 4096)?;
        within("window_max", self.window_max, 1, 65_536)?;
        within("spool.bytes_max", self.spool.bytes_max, 16 << 20, 1 << 40)?;
        within("batch_wait_max (s)", self.batch_wait_max, Duration::from_millis(10), s(86_400))?;
        within("ack_wait_max (s)", self.ack_wait_max, s(1), s(3_600))?;
        within("mqtt.keep_alive (s)", self.mqtt.keep_alive, s(5), s(600))
    }
}

impl Raw {
    /// Options of the environment take the place of those in the file.
    fn override_by(
        &mut self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ConfigFault> {
        let get = |key: &str| {
            let name = format!("HALLMARK_{}", key.replace('.', "_").to_uppercase());
            environment(&name).map(|text| (name, text))
        };
        override_with(get("device"), &mut self.device, parse_text)?;
        override_with(get("release"), &mut self.release, parse_word)?;
        override_with(get("audience"), &mut self.audience, parse_text)?;
        override_with(get("samples_max"), &mut self.samples_max, parse_number)?;
        override_with(get("batch_wait_max"), &mut self.batch_wait_max, parse_duration)?;
        override_with(get("ack_wait_max"), &mut self.ack_wait_max, parse_duration)?;
        override_with(get("window_max"), &mut self.window_max, parse_number)?;
        override_with(get("spool.bytes_max"), &mut self.spool.bytes_max, parse_number)?;
        override_with(get("spool.when_full"), &mut self.spool.when_full, parse_word)?;
        let mqtt = &mut self.mqtt;
        override_with(get("mqtt.url"), &mut mqtt.url, parse_some)?;
        override_with(get("mqtt.username"), &mut mqtt.username, parse_some)?;
        override_with(get("mqtt.password_file"), &mut mqtt.password_file, parse_some)?;
        override_with(get("mqtt.ca_file"), &mut mqtt.ca_file, parse_some)?;
        override_with(get("mqtt.cert_file"), &mut mqtt.cert_file, parse_some)?;
        override_with(get("mqtt.key_file"), &mut mqtt.key_file, parse_some)?;
        override_with(get("mqtt.keep_alive"), &mut mqtt.keep_alive, parse_duration)
    }
}

fn override_with<T>(
    found: Option<(String, String)>,
    value: &mut T,
    parse: fn(&str) -> Result<T, String>,
) -> Result<(), ConfigFault> {
    if let Some((name, text)) = found {
        *value = parse(&text).map_err(|reason| ConfigFault {
            reason: format!("{name}: {reason}"),
            help: format!("correct or unset {name}"),
        })?;
    }
    Ok(())
}

fn parse_text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn parse_some<T: for<'a> From<&'a str>>(text: &str) -> Result<Option<T>, String> {
    Ok(Some(T::from(text)))
}

fn parse_number<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime_serde::re::humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// One of the words that the file takes for the option, too.
fn parse_word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let word = serde_json::Value::from(text);
    serde_json::from_value(word).map_err(|error| error.to_string())
}

fn within<T: PartialOrd + std::fmt::Debug>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigFault> {
    if value < least || most < value {
        return Err(ConfigFault {
            reason: format!("{key} is {value:?}"),
            help: format!("{key} goes from {least:?} to {most:?}"),
        });
    }
    Ok(())
}

/// What is wrong with a configuration, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigFault {
    /// What is wrong, with its line where it has one.
    pub reason: String,
    /// What to do.
    pub help: String,
}

impl ConfigFault {
    fn value(key: &str, error: &dyn std::fmt::Display) -> ConfigFault {
        ConfigFault { reason: format!("{key}: {error}"), help: format!("correct {key}") }
    }

    /// Adds the line, and the nearest known key where one is unknown.
    fn toml(text: &str, error: &toml::de::Error) -> ConfigFault {
        let line = error.span().and_then(|span| text.get(..span.start));
        let line = line.map_or(1, |before| before.matches('\n').count() + 1);
        let message = error.message();
        let help = match message.strip_prefix("unknown field `") {
            Some(rest) => {
                let mut names = rest.split('`').step_by(2);
                let unknown = names.next().unwrap_or_default();
                let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
                nearest(unknown, &known)
            }
            None => "see the comments that `hallmark-agent init` writes".to_owned(),
        };
        ConfigFault { reason: format!("line {line}: {message}"), help }
    }
}

fn nearest(unknown: &str, known: &[&str]) -> String {
    let distance = |key: &&&str| strsim::damerau_levenshtein(unknown, key);
    match known.iter().min_by_key(distance) {
        Some(key) => format!("the nearest known key is `{key}`"),
        None => "remove the key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = "device = \"urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7\"\n";

    #[test]
    fn defaults_are_within_their_ranges() {
        let config = Config::parse(DEVICE).unwrap();
        assert_eq!((config.release, config.audience), (Release::Recorded, Audience::Members));
        assert_eq!(config.mqtt.keep_alive, Duration::from_secs(30));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        for (text, line, key) in [
            ("\nrelase = \"stored\"\n", "line 3", "`release`"),
            ("[spool]\nbytes = 1\n", "line 3", "`bytes_max`"),
            ("[[source]]\nprotocol = \"stdin\"\nreadpoint = \"x\"\n", "line 4", "`read_point`"),
        ] {
            let fault = Config::parse(&format!("{DEVICE}{text}")).unwrap_err();
            assert!(fault.reason.contains(line), "{fault:?}");
            assert!(fault.help.contains(key), "{fault:?}");
        }
    }

    #[test]
    fn the_environment_takes_the_place_of_the_file() {
        let text = format!("{DEVICE}release = \"recorded\"\n[mqtt]\nurl = \"mqtt://a:1883\"\n");
        let config = Config::parse_with(&text, |name| match name {
            "HALLMARK_RELEASE" => Some("stored".to_owned()),
            "HALLMARK_MQTT_URL" => Some("mqtt://b:1883".to_owned()),
            "HALLMARK_ACK_WAIT_MAX" => Some("3s".to_owned()),
            "HALLMARK_SPOOL_BYTES_MAX" => Some("33554432".to_owned()),
            _ => None,
        });
        let config = config.unwrap();
        assert_eq!(config.release, Release::Stored);
        assert_eq!(config.mqtt.url.as_deref(), Some("mqtt://b:1883"));
        assert_eq!((config.ack_wait_max.as_secs(), config.spool.bytes_max), (3, 32 << 20));
        for (variable, value) in [("HALLMARK_RELEASE", "never"), ("HALLMARK_WINDOW_MAX", "0")] {
            let set = |name: &str| (name == variable).then(|| value.to_owned());
            assert!(Config::parse_with(DEVICE, set).is_err(), "{variable}");
        }
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        for text in [
            "samples_max = 0\n",
            "ack_wait_max = \"1ms\"\n",
            "audience = \"everyone\"\n",
            "release = \"never\"\n",
            "[spool]\nbytes_max = 1\n",
            "[mqtt]\nkeep_alive = \"1h\"\n",
        ] {
            assert!(Config::parse(&format!("{DEVICE}{text}")).is_err(), "{text}");
        }
        assert!(Config::parse("device = \"m-7\"\n").is_err());
        assert!(Config::parse("").is_err());
    }
}
