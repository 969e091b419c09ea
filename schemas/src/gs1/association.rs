//! What application identifiers say about one another: what must come along, what must not.

use crate::gs1::ai::{Ai, matches};
use crate::gs1::element::Element;

/// Two elements that do not go together, or one that lacks company.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AssociationError {
    /// One identifier with two values.
    #[error("({code}) stands there twice with different values")]
    Repeated {
        /// The identifier.
        code: String,
    },
    /// Two identifiers that exclude one another.
    #[error("({code}) must not stand beside ({other})")]
    Exclusive {
        /// The identifier whose line in the table says so.
        code: String,
        /// The other.
        other: String,
    },
    /// An identifier that needs another. It may be on another barcode of the same item.
    #[error("({code}) needs {needs}")]
    Missing {
        /// The identifier.
        code: String,
        /// What it needs.
        needs: String,
    },
}

/// Checks all elements of one item. The first fault counts: repeats, then exclusions, then needs.
pub fn check(elements: &[Element]) -> Result<(), AssociationError> {
    check_contradictions(elements)?;
    for element in elements {
        let Some(ai) = Ai::find(&element.code) else {
            continue;
        };
        let present = |pattern: &&str| elements.iter().any(|other| matches(pattern, &other.code));
        if !ai.requires.is_empty() && !ai.requires.iter().any(|group| group.iter().all(present)) {
            let groups: Vec<String> =
                ai.requires.iter().map(|group| format!("({})", group.join(") and ("))).collect();
            return Err(AssociationError::Missing {
                code: element.code.clone(),
                needs: groups.join(", or "),
            });
        }
    }
    check_signature_key(elements)
}

/// The part that one barcode alone can break: repeats with other values, and exclusions.
pub fn check_contradictions(elements: &[Element]) -> Result<(), AssociationError> {
    for (index, element) in elements.iter().enumerate() {
        let repeats = |other: &Element| other.code == element.code && other.value != element.value;
        if elements[index + 1..].iter().any(repeats) {
            return Err(AssociationError::Repeated { code: element.code.clone() });
        }
    }
    for element in elements {
        let Some(ai) = Ai::find(&element.code) else {
            continue;
        };
        for other in elements.iter().filter(|other| other.code != element.code) {
            if ai.excludes.iter().any(|pattern| matches(pattern, &other.code)) {
                let (code, other) = (element.code.clone(), other.code.clone());
                return Err(AssociationError::Exclusive { code, other });
            }
        }
    }
    Ok(())
}

/// A digital signature is over one thing: keys with an optional serial must have it.
fn check_signature_key(elements: &[Element]) -> Result<(), AssociationError> {
    const SERIAL_AT: [(&str, usize); 3] = [("253", 13), ("255", 13), ("8003", 14)];
    if !elements.iter().any(|element| element.code == "8030") {
        return Ok(());
    }
    let unserialised = elements.iter().find(|element| {
        SERIAL_AT.iter().any(|(code, at)| element.code == *code && element.value.len() <= *at)
    });
    match unserialised {
        Some(element) => Err(AssociationError::Missing {
            code: "8030".to_owned(),
            needs: format!("a serial number in ({})", element.code),
        }),
        None => Ok(()),
    }
}
