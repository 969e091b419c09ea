//! An agent's folder, opened by the one process that works on it.
//!
//! Invariants: two processes never hold one folder; nothing runs before the enrolment is proved and
//! belongs to the key that is here.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::key::Signer;
use tracing::warn;

use crate::batch::{BatchOptions, Batcher};
use crate::config::{Config, MqttConfig};
use crate::failure::Failure;
use crate::key;
use crate::layout::Layout;
use crate::publish::{Courier, CourierError, CourierOptions, LinkOptions, Patience};
use crate::spool::{Limits, Opened, Spool};
use crate::trust::{Trust, TrustError};

/// Longest wait between two attempts to reach the broker.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(15);

/// An opened folder: the lock is held as long as this lives.
pub(crate) struct Agent {
    pub(crate) config: Config,
    pub(crate) courier: Courier,
    pub(crate) lock: File,
}

impl Agent {
    /// Takes the folder and reads all that is in it.
    pub(crate) fn open(
        layout: &Layout,
        config: Config,
        patience: Patience,
    ) -> Result<Agent, Failure> {
        let lock = lock(layout)?;
        let trust = Trust::read(&layout.enrolled()).map_err(|fault| untrusted(&fault))?;
        let named = &trust.enrolled().device;
        if *named != config.device {
            let message =
                format!("the enrolment is for {named}, config.toml says {}", config.device);
            return Err(Failure::usage(message).help("enrol this device, or correct config.toml"));
        }
        let key = key::load(&layout.key())?;
        let link = link_options(&config, &trust)?;
        let limits =
            Limits { bytes_max: config.spool.bytes_max, when_full: config.spool.when_full };
        let Opened { spool, chain, damaged } =
            Spool::open(&layout.spool(), limits).map_err(|fault| {
                Failure::fault("cannot open the spool")
                    .because(&fault)
                    .help("free or repair the disk and start again: what was fsynced is kept")
            })?;
        for file in damaged {
            warn!(file = %file.display(), "a damaged part of the spool was set aside");
        }
        let batching = BatchOptions {
            device: config.device.clone(),
            audience: config.audience.clone(),
            samples_max: config.samples_max,
            wait_max: config.batch_wait_max,
        };
        let signer: Arc<dyn Signer> = Arc::new(key);
        let batcher = Batcher::new(batching, signer, chain);
        let options = CourierOptions {
            release: config.release,
            ack_wait_max: config.ack_wait_max,
            window_max: config.window_max,
            link,
            patience,
            enrolled: layout.enrolled(),
        };
        let courier = Courier::new(options, spool, batcher, trust);
        Ok(Agent { config, courier, lock })
    }
}

/// Takes the folder's lock, or fails with exit code 6.
fn lock(layout: &Layout) -> Result<File, Failure> {
    let path = layout.lock();
    let unusable = |error: &_| {
        Failure::usage(format!("cannot use {}", path.display()))
            .because(error)
            .help("the folder must be writable by whoever runs the agent")
    };
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(|error| unusable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("{} is in use by another process", layout.dir().display());
            Err(Failure::busy(message).help("stop the other hallmark-agent first"))
        }
        Err(TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

fn untrusted(fault: &TrustError) -> Failure {
    let help = match fault {
        TrustError::NotEnrolled { .. } => {
            "give enrol.cbor to `hallmark-node enrol`, then run `hallmark-agent enrol DIR FILE`"
        }
        _ => "ask the node for a new enrolled.cbor",
    };
    Failure::usage("the agent has no enrolment to trust").because(fault).help(help)
}

fn link_options(config: &Config, trust: &Trust) -> Result<LinkOptions, Failure> {
    let MqttConfig { url, username, password_file, ca_file, cert_file, key_file, keep_alive } =
        &config.mqtt;
    let credentials = match (username, password_file) {
        (None, None) => None,
        (Some(user), Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}", file.display())).because(&error).help(
                    "correct mqtt.password_file in config.toml; its first line is the password",
                )
            })?;
            Some((user.clone(), text.lines().next().unwrap_or_default().to_owned()))
        }
        _ => {
            let message = "mqtt.username and mqtt.password_file go together";
            return Err(Failure::usage(message).help("set both in config.toml, or neither"));
        }
    };
    let client_certificate = match (cert_file, key_file) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        _ => {
            let message = "mqtt.cert_file and mqtt.key_file go together";
            return Err(Failure::usage(message).help("set both in config.toml, or neither"));
        }
    };
    let device = &config.device;
    Ok(LinkOptions {
        url: url.clone().unwrap_or_else(|| trust.enrolled().broker.clone()),
        client_id: format!("hallmark-{}-{}", device.org().slug(), device.local()),
        credentials,
        ca_file: ca_file.clone(),
        client_certificate,
        keep_alive: *keep_alive,
        retry_wait_max: RETRY_WAIT_MAX,
    })
}

/// What a person reads when the courier cannot go on.
pub(crate) fn courier_failure(fault: &CourierError) -> Failure {
    match fault {
        CourierError::Unreachable { .. } => Failure::busy(fault)
            .help("start the broker and the node, then run the command again: nothing is lost"),
        CourierError::Link(_) => {
            Failure::usage(fault).because_of(fault).help("correct [mqtt] in config.toml")
        }
        CourierError::Spool(_) => Failure::fault(fault)
            .because_of(fault)
            .help("free or repair the disk, then start the agent again: nothing is lost"),
        CourierError::Batch(_) => Failure::fault(fault).because_of(fault),
    }
}

impl Failure {
    /// Adds the causes below an error whose own sentence is the failure's.
    fn because_of(self, error: &dyn std::error::Error) -> Failure {
        match error.source() {
            Some(cause) => self.because(cause),
            None => self,
        }
    }
}
