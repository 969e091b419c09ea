//! Turns what sources take into signed attestations.
//!
//! Invariants: sequence numbers of readings rise by one across starts and are never used twice;
//! each batch names the content id of the one before; samples keep their own instants. What is
//! signed here counts as taken only once the spool has it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{self, Claims, ContentId, Draft, Envelope};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, Subject};
use hallmark_schemas::identity::NaturalIdentity;
use hallmark_schemas::key::{SignError, Signer};
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::kind::readings::{ClockQuality, Readings, SAMPLES_MAX, Sample, Statistic};
use hallmark_schemas::kind::{Body, FieldError};
use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::time::Timestamp;
use tokio::sync::oneshot;

use crate::spool::{Chain, Class, Mark};

/// Identities of recent events that are remembered to tell a repeated scan: 3 MiB.
const SEEN_MAX: usize = 65_536;

/// What a source hands over.
#[derive(Debug)]
pub enum Taken {
    /// One EPCIS event as JSON text.
    Event {
        /// The event.
        epcis: String,
        /// Told once the event is durable, or why it is not.
        answer: Option<oneshot::Sender<Kept>>,
    },
    /// One sample of the device's series.
    Sample {
        /// What is measured, and how.
        series: Arc<Series>,
        /// The value.
        sample: Sample,
        /// How far it is in its file, if it comes from one.
        mark: Option<Mark>,
    },
    /// No more for now: sign what is open.
    Flush,
}

/// What became of a scan; the operator is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Durable here.
    Here(ContentId),
    /// The same event was taken before.
    Before,
    /// Not taken, and why.
    Refused(String),
}

/// What a device measures; all samples of one batch share it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Series {
    /// What is measured.
    pub quantity: Quantity,
    /// Power of ten of the amounts; `None` means 0.
    pub scale_e10: Option<i8>,
    /// How samples sum up their interval; `None` means `sum`.
    pub statistic: Option<Statistic>,
    /// Seconds that each sample covers.
    pub interval_s: u32,
    /// What the device knows about its clock.
    pub clock_quality: ClockQuality,
    /// Smallest step that the instrument shows.
    pub resolution: Option<u64>,
}

/// An attestation to be spooled.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The signed message.
    pub envelope: Envelope,
    /// What it is to the spool.
    pub class: Class,
    /// How far its last sample is in a file.
    pub mark: Option<Mark>,
}

/// How batches are made.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// The device that signs.
    pub device: DeviceId,
    /// Who may read the bodies.
    pub audience: Audience,
    /// Most samples of one batch, up to [`SAMPLES_MAX`].
    pub samples_max: usize,
    /// Longest time that a sample waits for others.
    pub wait_max: Duration,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The event is no EPCIS event.
    #[error("the event is refused: {0}")]
    Event(#[from] FieldError),
    /// The body breaks a limit, or the key does not sign.
    #[error("failed to sign")]
    Sign(#[from] SignError),
    /// No random bytes for the salt.
    #[error("the operating system gives no random bytes: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
}

/// Signs for one device. One thread owns it.
pub struct Batcher {
    options: BatchOptions,
    signer: Arc<dyn Signer>,
    chain: Chain,
    open: Option<Open>,
    seen: HashSet<NaturalIdentity>,
    seen_order: VecDeque<NaturalIdentity>,
}

struct Open {
    series: Arc<Series>,
    samples: Vec<Sample>,
    mark: Option<Mark>,
    since: Instant,
}

impl Batcher {
    /// Goes on where the spool's chain stands.
    pub fn new(options: BatchOptions, signer: Arc<dyn Signer>, chain: Chain) -> Batcher {
        let (seen, seen_order) = (HashSet::new(), VecDeque::new());
        Batcher { options, signer, chain, open: None, seen, seen_order }
    }

    /// Adds a sample; gives the batch that it filled, or that it does not belong to.
    pub fn sample(
        &mut self,
        series: &Arc<Series>,
        (sample, mark): (Sample, Option<Mark>),
        now: Instant,
        at: Timestamp,
    ) -> Result<Option<Sealed>, BatchError> {
        let other = self.open.as_ref().is_some_and(|open| open.series != *series);
        let mut sealed = if other { self.seal(at)? } else { None };
        let open = self.open.get_or_insert_with(|| {
            let series = Arc::clone(series);
            Open { series, samples: Vec::new(), mark: None, since: now }
        });
        open.samples.push(sample);
        open.mark = mark.or(open.mark);
        if self.options.samples_max.clamp(1, SAMPLES_MAX) <= open.samples.len() && sealed.is_none()
        {
            sealed = self.seal(at)?;
        }
        Ok(sealed)
    }

    /// When the open batch must be signed, if there is one.
    pub fn due_at(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.since + self.options.wait_max)
    }

    /// Signs the open batch.
    pub fn seal(&mut self, at: Timestamp) -> Result<Option<Sealed>, BatchError> {
        let Some(Open { series, samples, mark, .. }) = self.open.take() else {
            return Ok(None);
        };
        let sequence = self.chain.last.map_or(0, |(last, _)| last) + 1;
        let body = Body::Readings(Readings {
            boot: self.chain.boot,
            sequence,
            previous: self.chain.last.map(|(_, id)| id),
            quantity: series.quantity,
            unit: series.quantity.unit().to_owned(),
            scale_e10: series.scale_e10,
            statistic: series.statistic,
            interval_s: series.interval_s,
            clock_quality: series.clock_quality,
            resolution: series.resolution,
            config_hash: None,
            samples,
        });
        let envelope = self.sign(body, at)?;
        self.chain.last = Some((sequence, envelope.id()));
        Ok(Some(Sealed { envelope, class: Class::Batch { sequence }, mark }))
    }

    /// Signs an event; `None` if the same was signed since the start.
    pub fn event(&mut self, epcis: &str, at: Timestamp) -> Result<Option<Sealed>, BatchError> {
        let envelope = self.sign(Body::Event(Event::parse(epcis)?), at)?;
        let identity = envelope.identity();
        if !self.seen.insert(identity) {
            return Ok(None);
        }
        self.seen_order.push_back(identity);
        if SEEN_MAX < self.seen_order.len() {
            self.seen_order.pop_front().map(|oldest| self.seen.remove(&oldest));
        }
        Ok(Some(Sealed { envelope, class: Class::Scan, mark: None }))
    }

    /// An event did not become durable: it may be taken again.
    pub fn forget(&mut self, envelope: &Envelope) {
        let identity = envelope.identity();
        self.seen.remove(&identity);
        self.seen_order.retain(|seen| *seen != identity);
    }

    fn sign(&self, body: Body, at: Timestamp) -> Result<Envelope, BatchError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|fault| BatchError::Random { reason: fault.to_string() })?;
        let device = self.options.device.clone();
        let claims = Claims {
            iss: device.org(),
            sub: Subject::Device(device),
            aud: self.options.audience.clone(),
            iat: Timestamp::from_unix_ms(at.unix_ms() / 1000 * 1000),
            regions: Vec::new(),
        };
        Ok(attestation::sign(Draft { claims, body }, salt, &*self.signer)?)
    }
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::key::SecretKey;

    use super::*;

    fn batcher(samples_max: usize, chain: Chain) -> Batcher {
        let device = "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7".parse().unwrap();
        let wait_max = Duration::from_secs(5);
        let options = BatchOptions { device, audience: Audience::Members, samples_max, wait_max };
        Batcher::new(options, Arc::new(SecretKey::from_seed([1; 32])), chain)
    }

    fn series(interval_s: u32) -> Arc<Series> {
        let quantity = "electricity".parse().unwrap();
        let clock_quality = ClockQuality::Synchronised;
        let (scale_e10, statistic, resolution) = (None, None, None);
        let series =
            Series { quantity, scale_e10, statistic, interval_s, clock_quality, resolution };
        Arc::new(series)
    }

    fn sample(n: u64) -> (Sample, Option<Mark>) {
        let read_at = Timestamp::from_unix_ms(n * 900_000);
        let (register, quality, source_amount, source_unit) = (None, None, None, None);
        let amount = n as i64;
        let sample = Sample { read_at, amount, register, quality, source_amount, source_unit };
        (sample, Some(Mark { file: ContentId::of(b"file"), rows: n }))
    }

    fn readings(sealed: &Sealed) -> &Readings {
        match sealed.envelope.body() {
            Body::Readings(readings) => readings,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn batches_are_chained_across_starts() {
        let (now, at) = (Instant::now(), Timestamp::from_unix_ms(1_700_000_000_500));
        let before = ContentId::of(b"the last batch before the restart");
        let mut batcher = batcher(2, Chain { boot: 4, last: Some((41, before)) });
        assert_eq!(batcher.sample(&series(900), sample(1), now, at).unwrap(), None);
        assert_eq!(batcher.due_at(), Some(now + Duration::from_secs(5)));
        let first = batcher.sample(&series(900), sample(2), now, at).unwrap().unwrap();
        let body = readings(&first);
        assert_eq!((body.boot, body.sequence, body.previous), (4, 42, Some(before)));
        assert_eq!((body.samples.len(), first.class), (2, Class::Batch { sequence: 42 }));
        assert_eq!(first.mark.map(|mark| mark.rows), Some(2));
        assert_eq!(batcher.seal(at).unwrap(), None);
        batcher.sample(&series(900), sample(3), now, at).unwrap();
        // Another series closes the batch before it.
        let second = batcher.sample(&series(60), sample(4), now, at).unwrap().unwrap();
        let third = batcher.seal(at).unwrap().unwrap();
        assert_eq!(readings(&second).previous, Some(first.envelope.id()));
        assert_eq!(readings(&third).previous, Some(second.envelope.id()));
        assert_eq!((readings(&second).sequence, readings(&third).sequence), (43, 44));
        assert_eq!(third.envelope.claims().iat, Timestamp::from_unix_ms(1_700_000_000_000));
    }

    #[test]
    fn a_repeated_event_is_told_and_another_is_signed() {
        let at = Timestamp::from_unix_ms(1_700_000_000_000);
        let mut batcher = batcher(2, Chain::default());
        let event = r#"{"type":"ObjectEvent","action":"ADD","eventTime":"2026-01-02T03:04:05Z",
            "eventTimeZoneOffset":"+08:00","bizStep":"commissioning",
            "epcList":["https://id.gs1.org/01/09506000134352/21/A1"]}"#;
        let first = batcher.event(event, at).unwrap().unwrap();
        assert_eq!(first.class, Class::Scan);
        assert_eq!(batcher.event(event, at).unwrap(), None);
        let other = event.replace("A1", "A2");
        assert!(batcher.event(&other, at).unwrap().is_some());
        batcher.forget(&first.envelope);
        assert!(batcher.event(event, at).unwrap().is_some());
        assert!(matches!(batcher.event("{}", at), Err(BatchError::Event(_))));
    }
}
