//! One way for a type with exactly one text form to cross serde: as that text, in JSON and CBOR.

/// Writes `Serialize` and `Deserialize` of a type that has `Display` and a checked `FromStr`.
macro_rules! serde_as_text {
    ($type:ty, $what:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct TextVisitor;
                impl serde::de::Visitor<'_> for TextVisitor {
                    type Value = $type;
                    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        to.write_str($what)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(TextVisitor)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// An enum that is a closed set of words: the same texts in JSON, CBOR and tables.
macro_rules! closed_set {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, serde::Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd,
            serde::Serialize,
        )]
        pub enum $name { $($(#[$meaning])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every member of the set.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its text in JSON, CBOR and tables.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.pad(self.as_str())
            }
        }
    };
}
pub(crate) use closed_set;
