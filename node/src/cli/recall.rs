//! Arguments of `recall`.

use std::path::PathBuf;

use clap::Args;

/// `recall`.
#[derive(Args, Debug)]
pub struct RecallArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// What is called back: items, lots, classes, inputs or containers, each as `trace` takes it.
    #[arg(required_unless_present = "facility", conflicts_with = "facility")]
    pub goods: Vec<String>,
    /// All that was made at this place, a facility or a GLN as Digital Link, within --period.
    #[arg(long, value_name = "PLACE", requires = "period")]
    pub facility: Option<String>,
    /// The period, `START/END` in RFC 3339.
    #[arg(long, value_name = "START/END", requires = "facility")]
    pub period: Option<String>,
    /// Why, in English. With it, or --reason-zh, the recall is signed and sent; without, nothing is.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Why, in Chinese.
    #[arg(long, value_name = "TEXT")]
    pub reason_zh: Option<String>,
    /// What a holder should do, in English. Default: not to use it, and to take it back to the shop.
    #[arg(long, value_name = "TEXT")]
    pub action: Option<String>,
    /// The same in Chinese.
    #[arg(long, value_name = "TEXT")]
    pub action_zh: Option<String>,
    /// Your page about the recall.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Your service number; never a person's.
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// Name of the recall. Default: `R` with the day and 32 random bits.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Since when it is called back, RFC 3339. Default: now; without --reason, since the recall that is
    /// on record.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}
