//! The engines of the index, chosen by `index.engine` in `config.toml`.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::fjall::FjallIndex;
use super::{Index, IndexError};

/// What keeps keys and values. Which one is better: docs/decisions/0003.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A log-structured merge tree.
    #[default]
    Fjall,
    /// A tree on a log; in builds with feature `sled`.
    #[cfg(feature = "sled")]
    Sled,
}

impl Engine {
    /// Every engine of this build.
    pub const ALL: &[Engine] = &[
        Engine::Fjall,
        #[cfg(feature = "sled")]
        Engine::Sled,
    ];

    /// As `config.toml` names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Engine::Fjall => "fjall",
            #[cfg(feature = "sled")]
            Engine::Sled => "sled",
        }
    }

    /// Opens its files in `dir`, made if missing.
    pub(super) fn open(self, dir: &Path) -> Result<Arc<dyn Index>, IndexError> {
        match self {
            Engine::Fjall => Ok(Arc::new(FjallIndex::open(dir)?)),
            #[cfg(feature = "sled")]
            Engine::Sled => Ok(Arc::new(super::sled::SledIndex::open(dir)?)),
        }
    }
}
