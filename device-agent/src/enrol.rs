//! Enrolment: the request that the device signs, and the answer that it keeps.
//!
//! Invariants: the key was made here and only its public half leaves; an answer is kept only if it
//! is for this device and proves its keys; it replaces an earlier one whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use hallmark_schemas::enrolment::Enrol;
use hallmark_schemas::id::DeviceId;
use hallmark_schemas::key::{SignError, Signer};
use hallmark_schemas::kind::device::Device;

use crate::trust::{Trust, TrustError};

/// Why an enrolment did not take place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The details of the device are refused, or the key does not sign.
    #[error("the enrolment cannot be signed")]
    Sign(#[from] SignError),
    /// The answer cannot be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The answer is for another device.
    #[error("the answer is for {found}, this agent is {wanted}")]
    OtherDevice {
        /// The device that it names.
        found: DeviceId,
        /// This agent's.
        wanted: DeviceId,
    },
    /// A file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Writes the request for the node's `enrol` command.
pub fn request(
    path: &Path,
    device: DeviceId,
    details: Device,
    key: &dyn Signer,
) -> Result<(), EnrolError> {
    let bytes = Enrol { v: 1, device, details }.sign(key)?;
    replace(path, &bytes)
}

/// Checks the node's answer in `from` and keeps it as `to`.
pub fn accept(from: &Path, to: &Path, device: &DeviceId) -> Result<Trust, EnrolError> {
    let read = |source| TrustError::Read { path: from.to_path_buf(), source };
    let bytes = std::fs::read(from).map_err(read)?;
    let refused = |source| TrustError::Refused { path: from.into(), source: Box::new(source) };
    let trust = Trust::parse(&bytes).map_err(refused)?;
    let found = &trust.enrolled().device;
    if found != device {
        return Err(EnrolError::OtherDevice { found: found.clone(), wanted: device.clone() });
    }
    replace(to, &bytes)?;
    Ok(trust)
}

/// Keeps what follows from a newer network file, in the place of the answer to the enrolment.
pub fn keep(trust: &Trust, to: &Path) -> Result<(), EnrolError> {
    replace(to, &trust.enrolled().encode())
}

/// Writes a file whole, durably, in the place of an earlier one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), EnrolError> {
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    });
    written.map_err(|source| EnrolError::Write { path: path.to_path_buf(), source })
}
