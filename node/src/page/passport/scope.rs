//! What a certificate covers, folded away beneath it.
//!
//! Few certificates tell it; the script of the check knows its words where a page has them (more.mjs).

use maud::{Markup, html};

use super::super::Language;
use crate::passport::view::Certificate;

/// The unit of certified volumes that are counted.
const ITEMS: &str = "items";

/// Class, site and volume.
pub(super) fn of(one: &Certificate, language: Language) -> Markup {
    let has_any = one.product_class.is_some() || one.site.is_some() || one.volume.is_some();
    html! {
        @if has_any {
            details {
                summary { (language.pick("What it covers", "适用范围")) }
                dl {
                    @if let Some(class) = &one.product_class {
                        dt { (language.pick("Class of goods", "产品类别")) }
                        dd data-of="class" { (class) }
                    }
                    @if let Some(site) = &one.site {
                        dt { (language.pick("Site", "场所")) } dd data-of="site" { (site) }
                    }
                    @if let (Some(volume), Some(unit)) = (one.volume, &one.unit) {
                        dt { (language.pick("At most", "数量上限")) }
                        dd data-of="volume" {
                            (volume) " "
                            @if unit == ITEMS { (language.pick("items", "件")) } @else { (unit) }
                        }
                    }
                }
            }
        }
    }
}
