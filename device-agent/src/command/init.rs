//! `init`: the device's key, its options, its request to be enrolled.

use std::fs;
use std::path::Path;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::{DeviceId, FacilityId, OrgId};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::quantity::Quantity;
use serde_json::json;

use crate::cli::{InitArgs, Output, SourceKind, argument};
use crate::config::Config;
use crate::enrol;
use crate::failure::Failure;
use crate::key;
use crate::layout::Layout;

mod template;

pub(super) fn run(args: &InitArgs, out: &Output) -> Result<Exit, Failure> {
    let org: OrgId = args.org.parse().map_err(|error| argument("--org", &error))?;
    let device = device_id(&org, &args.device)?;
    let details = Details::parse(args)?;
    let config = template::config(&device, args, details.facility.as_ref());
    Config::parse(&config)
        .map_err(|fault| Failure::fault("the new config.toml is wrong").note(fault.reason))?;
    let layout = Layout::new(&args.dir);
    make_folder(&args.dir, &layout)?;
    let key = key::create(&layout.key())?;
    let done = enrol::request(&layout.enrol(), device.clone(), details.device(&key), &key)
        .map_err(|error| {
            Failure::usage("the device cannot be described so")
                .because(&error)
                .help("change what the cause names; `hallmark-agent init --help` tells each option")
        })
        .and_then(|()| write_new(&layout.config(), &config));
    if let Err(failure) = done {
        // Half a folder would stand in the way of the next try; the key was never used.
        for file in [layout.key(), layout.enrol()] {
            let _ = fs::remove_file(file);
        }
        return Err(failure);
    }
    let enrol = layout.enrol();
    let json = json!({
        "device": device,
        "key": key.public().id().to_string(),
        "enrol": enrol.display().to_string(),
        "config": layout.config().display().to_string(),
    });
    out.item(
        format!("device {device}\nkey {}\nenrol {}", key.public().id(), enrol.display()),
        &json,
    );
    out.say(format!("next: hallmark-node enrol NODE_DIR {}", enrol.display()));
    out.verdict("made", args.dir.display());
    Ok(Exit::Done)
}

/// The device by its whole URN, or by its name within the organisation.
fn device_id(org: &OrgId, text: &str) -> Result<DeviceId, Failure> {
    if !text.starts_with("urn:") {
        return DeviceId::new(org, text).map_err(|error| argument("--device", &error));
    }
    let device: DeviceId = text.parse().map_err(|error| argument("--device", &error))?;
    if device.org() != *org {
        return Err(Failure::usage(format!("{device} is no device of {org}"))
            .help("give --device the name alone, or a URN of the same organisation"));
    }
    Ok(device)
}

/// What the organisation is asked to attest.
struct Details {
    class: DeviceClass,
    model: String,
    quantity: Option<Quantity>,
    accuracy_ppm: Option<u32>,
    facility: Option<FacilityId>,
    place_e7: Option<(i64, i64)>,
}

impl Details {
    fn parse(args: &InitArgs) -> Result<Details, Failure> {
        let class = match args.class.as_deref() {
            Some("meter") => DeviceClass::Meter,
            Some("kit") => DeviceClass::Kit,
            Some(_) => DeviceClass::Scanner,
            None if args.sources.contains(&SourceKind::Replay) => DeviceClass::Meter,
            None => DeviceClass::Scanner,
        };
        let quantity = args.quantity.as_deref().map(str::parse::<Quantity>).transpose();
        let quantity = quantity.map_err(|error| argument("--quantity", &error))?;
        if class == DeviceClass::Meter && quantity.is_none() {
            return Err(Failure::usage("a meter says what it measures")
                .help("add --quantity, such as --quantity electricity"));
        }
        let facility = args.facility.as_deref().map(str::parse::<FacilityId>).transpose();
        let facility = facility.map_err(|error| argument("--facility", &error))?;
        let degrees = |name: &str, text: &Option<String>, most: i64| {
            text.as_deref().map(|text| parse_e7(name, text, most)).transpose()
        };
        let (lat, lon) = (degrees("--lat", &args.lat, 90)?, degrees("--lon", &args.lon, 180)?);
        Ok(Details {
            class,
            model: args.model.clone(),
            quantity: quantity.filter(|_| class == DeviceClass::Meter),
            accuracy_ppm: args.accuracy_ppm,
            facility,
            place_e7: lat.zip(lon),
        })
    }

    fn device(&self, key: &SecretKey) -> Device {
        Device {
            key: key.public().clone(),
            class: self.class,
            model: self.model.clone(),
            quantity: self.quantity,
            unit: self.quantity.map(|quantity| quantity.unit().to_owned()),
            accuracy_ppm: self.accuracy_ppm,
            facility: self.facility.clone(),
            lat_e7: self.place_e7.map(|place| place.0),
            lon_e7: self.place_e7.map(|place| place.1),
            replaces: None,
            reason: None,
        }
    }
}

/// Decimal degrees as whole 10⁻⁷ degrees, without floating point.
fn parse_e7(name: &str, text: &str, most: i64) -> Result<i64, Failure> {
    let wrong = || {
        Failure::usage(format!("the argument {name} is wrong"))
            .note(format!("{text:?} is no number of degrees"))
            .help(format!("degrees go from -{most} to {most}, with at most seven decimals"))
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || 3 < whole.len() || 7 < decimals.len() || !is_number(whole) {
        return Err(wrong());
    }
    let e7: i64 = format!("{whole}{decimals:0<7}").parse().map_err(|_| wrong())?;
    if most * 10_000_000 < e7 { Err(wrong()) } else { Ok(sign * e7) }
}

fn make_folder(dir: &Path, layout: &Layout) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(|error| {
        Failure::usage(format!("cannot make {}", dir.display()))
            .because(&error)
            .help("give a folder whose parent you may write to")
    })?;
    for file in [layout.config(), layout.key(), layout.enrol()] {
        if file.exists() {
            return Err(Failure::usage(format!("{} is there already", file.display()))
                .help("take another folder: a device keeps its key for life"));
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .map_err(|error| Failure::fault(format!("cannot write {}", path.display())).because(&error))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use hallmark_schemas::enrolment::Enrol;

    use super::*;
    use crate::cli::{Cli, Command, Format};

    const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";

    fn init(dir: &Path, more: &[&str]) -> Result<Exit, Failure> {
        let dir = dir.to_str().unwrap();
        let args = [&["hallmark-agent", "init", dir, "--org", ORG][..], more].concat();
        let Command::Init(args) = Cli::try_parse_from(args).unwrap().command else {
            unreachable!("init was asked for");
        };
        run(&args, &Output { format: Format::Text })
    }

    #[test]
    fn a_folder_gets_a_private_key_readable_options_and_a_signed_request() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("meter");
        let more = ["--device", "m-7", "--source", "replay", "--quantity", "electricity"];
        let place = ["--lat", "31.2304", "--lon", "-121.4737001"];
        assert_eq!(
            init(&dir, &[&more[..], &place].concat()).map_err(|f| f.lines()),
            Ok(Exit::Done)
        );
        let layout = Layout::new(&dir);
        let key = key::load(&layout.key()).unwrap();
        let request = Enrol::parse(&fs::read(layout.enrol()).unwrap()).unwrap();
        assert_eq!(request.details.key, *key.public());
        assert_eq!(request.details.lat_e7, Some(312_304_000));
        assert_eq!(request.details.lon_e7, Some(-1_214_737_001));
        let config = Config::load(&layout).map_err(|failure| failure.lines()).unwrap();
        assert_eq!(config.device, request.device);
        assert_eq!(config.sources.len(), 1);
        assert!(init(&dir, &more).unwrap_err().lines().contains("is there already"));
    }

    #[test]
    fn what_describes_no_device_is_refused_and_leaves_no_key() {
        let dir = tempfile::tempdir().unwrap();
        for (index, more) in [
            &["--device", "a b", "--source", "stdin"][..],
            &["--device", "m-7", "--source", "replay"],
            &["--device", "m-7", "--source", "replay", "--quantity", "electric"],
            &["--device", "m-7", "--source", "stdin", "--lat", "91", "--lon", "0"],
            &["--device", "m-7", "--source", "stdin", "--lat", "1e1", "--lon", "0"],
            &["--device", "m-7", "--source", "stdin", "--facility", "mill"],
            &["--device", "urn:hallmark:device:gln:9506000134352:x", "--source", "stdin"],
        ]
        .iter()
        .enumerate()
        {
            let dir = dir.path().join(index.to_string());
            let failure = init(&dir, more).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(!Layout::new(&dir).key().exists());
        }
    }

    #[test]
    fn a_bench_gets_a_stdin_source_with_its_read_point() {
        let dir = tempfile::tempdir().unwrap();
        let facility = "urn:hallmark:facility:lei:529900T8BM49AURSDO55:hall-1";
        let more = ["--device", "b-1", "--source", "stdin", "--facility", facility];
        init(dir.path(), &more).map_err(|failure| failure.lines()).unwrap();
        let text = fs::read_to_string(Layout::new(dir.path()).config()).unwrap();
        assert!(text.contains(&format!("read_point = \"{facility}\"")), "{text}");
    }
}
