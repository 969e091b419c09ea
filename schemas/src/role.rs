//! What an organisation may be in a network. A kind says which roles may issue it.

use std::fmt;
use std::str::FromStr;

macro_rules! roles {
    ($($variant:ident $text:literal $meaning:literal,)*) => {
        /// A part that an organisation plays; the registrar admits it with one or more.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Role { $(#[doc = $meaning] $variant,)* }

        impl Role {
            /// Every role, in the order of the design.
            pub const ALL: &'static [Role] = &[$(Role::$variant,)*];

            /// The role's one text form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Role::$variant => $text,)* }
            }
        }
    };
}

roles! {
    Registrar "registrar" "Admits organisations to the network and signs the network file.",
    Producer "producer" "Makes goods or runs plants that emit.",
    Distributor "distributor" "Stores and moves goods.",
    Retailer "retailer" "Sells goods to consumers.",
    Inspector "inspector" "Inspects lots and shipments (ISO/IEC 17020).",
    Laboratory "laboratory" "Tests samples (ISO/IEC 17025).",
    Certifier "certifier" "Certifies products and producers (ISO/IEC 17065).",
    Accreditor "accreditor" "Accredits inspectors, laboratories, certifiers and verifiers.",
    Verifier "verifier" "Verifies emissions reports (ISO 14065).",
    Registry "registry" "Keeps accounts of carbon units.",
    Exchange "exchange" "Matches trades of carbon units.",
    Clearer "clearer" "Settles trades, units against cash.",
    Regulator "regulator" "An authority that decides and sanctions.",
    Customs "customs" "A customs authority.",
    Association "association" "A trade or consumers' association.",
    Auditor "auditor" "Judges evidence and issues findings.",
}

/// The text names no role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no role")]
pub struct RoleError(pub String);

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Role, RoleError> {
        let found = Role::ALL.iter().find(|role| role.as_str() == text);
        found.copied().ok_or_else(|| RoleError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

crate::text::serde_as_text!(Role, "the name of a role");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_returns_from_its_text_and_no_other_text_is_one() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        assert!("Producer".parse::<Role>().is_err());
        assert!("".parse::<Role>().is_err());
    }
}
