//! Rule packs: folders of SQL rules with their parameters.
//!
//! Invariants: a pack in memory is whole and checked (every header key, every rule's parsed tree,
//! every parameter named by a rule); its digest covers exactly the files that decide findings
//! (`pack.toml` and the rules, not the cases); nothing is substituted into SQL as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::allow::{self, NotAllowed, Query};
use crate::finding::{Class, Severity};
use crate::judge::bucket::{self, Scope};

/// Most bytes of one file of a pack: the longest case file of ours is a twentieth of it.
pub const PACK_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most files of a pack: the whole catalogue has about 120 rules with their cases.
pub const PACK_FILES_MAX: usize = 2_000;

/// The packs that the program carries: (pack, file, text), sorted.
static EMBEDDED: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Rules and their parameters, checked.
#[derive(Clone, Debug)]
pub struct Pack {
    /// `core` for the pack that every run includes.
    pub name: String,
    /// Version of the pack, not of the program.
    pub version: String,
    /// Where its rules hold: `any`, or an ISO 3166 code.
    pub jurisdiction: String,
    /// Thresholds by name; `$name` in a rule.
    pub parameters: BTreeMap<String, Parameter>,
    /// Which rules' findings explain which others, first what is to be ruled out first.
    pub causes: Vec<Cause>,
    /// By code.
    pub rules: Vec<Rule>,
    /// SHA-256 over `pack.toml` and the rules.
    pub digest: [u8; 32],
}

/// A rule whose finding explains those of other rules on the same subject and period.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The rule.
    pub code: String,
    /// What it explains.
    pub explains: Vec<String>,
}

/// A threshold or other setting of a pack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What replaces `$name`.
    pub value: ParameterValue,
    /// Unit of the value; `1` for a count.
    pub unit: String,
    /// Where the value comes from.
    pub source: String,
    /// Since when it holds, as a date.
    pub in_force: String,
}

/// A parameter becomes a typed literal of the parsed query.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A 64-bit integer.
    Integer(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParameterValue::Integer(number) => number.fmt(f),
            ParameterValue::Text(text) => text.fmt(f),
        }
    }
}

/// One rule: a query that returns no rows when all is well.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The header.
    pub header: Header,
    /// `<family>/<CODE>-<slug>.sql` inside the pack.
    pub file: String,
    /// The file as it is.
    pub text: String,
    /// The `.cases.md` beside it; empty when there is none.
    pub cases: String,
    /// The parsed query, parameters not yet filled in.
    pub query: Query,
}

/// What a rule's header says. Every key is required but `stage`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `MTR-005`; a retired code is never used again.
    pub code: String,
    /// What is wrong, in a few words.
    pub title: String,
    /// How far the rule may be relied on.
    pub status: Status,
    /// The release that brought it.
    pub since: String,
    /// The highest severity that it gives.
    pub severity: Severity,
    /// What kind of thing it finds.
    pub class: Class,
    /// What it looks at together.
    pub scope: Scope,
    /// Standards and laws it rests on.
    pub basis: Vec<String>,
    /// Honest explanations; a case shows for each that the rule stays silent.
    pub innocent: Vec<String>,
    /// What the accused can do.
    pub answer: String,
    /// How long after its period a finding lasts.
    pub expires: Days,
    /// One sentence; `{column}` stands for the column's value.
    pub message_en: String,
    /// The same in Chinese.
    pub message_zh: String,
    /// 2 for rules that read `findings`.
    #[serde(default = "first_stage")]
    pub stage: u8,
}

const fn first_stage() -> u8 {
    1
}

/// How far a rule may be relied on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Runs in `rules test` only.
    Draft,
    /// Runs everywhere.
    Stable,
    /// Never runs; keeps its code taken.
    Retired,
}

impl Status {
    /// As the header spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Stable => "stable",
            Status::Retired => "retired",
        }
    }
}

/// A number of days, written `730d`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Days(pub u32);

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Days, D::Error> {
        let text = String::deserialize(deserializer)?;
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        match days {
            Some(days) if 0 < days => Ok(Days(days)),
            _ => Err(serde::de::Error::custom(format!(
                "{text:?} is no number of days like \"730d\""
            ))),
        }
    }
}

/// Why a folder is no rule pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The file system said no.
    #[error("failed to read {path}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// More than a pack may hold.
    #[error("{path} holds more than {limit} {what}")]
    TooLarge {
        /// File or folder.
        path: PathBuf,
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// `pack.toml` is missing.
    #[error("the pack has no pack.toml")]
    NoManifest,
    /// A TOML text does not say what it must.
    #[error("{file} is not a valid {what}")]
    Toml {
        /// The file.
        file: String,
        /// Manifest or header.
        what: &'static str,
        /// With line and column.
        source: Box<toml::de::Error>,
    },
    /// A rule's header does not fit its place or its columns.
    #[error("{file}: {problem}")]
    Header {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The query of a rule is refused.
    #[error("{file}: the query is not allowed")]
    Query {
        /// The file.
        file: String,
        /// Why.
        source: NotAllowed,
    },
    /// Two rules share a code.
    #[error("{code} is the code of two rules")]
    TwoRules {
        /// The code.
        code: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: String,
    jurisdiction: String,
    #[serde(default, rename = "parameter")]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default, rename = "cause")]
    causes: Vec<Cause>,
}

impl Pack {
    /// The pack that every run includes.
    pub fn core() -> Result<Pack, PackError> {
        let files = EMBEDDED
            .iter()
            .filter(|(pack, _, _)| *pack == "core")
            .map(|(_, file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        Pack::from_files(&files)
    }

    /// Reads the pack in a folder: for its author, to test and to show it.
    pub fn read(folder: &Path) -> Result<Pack, PackError> {
        let mut files = BTreeMap::new();
        read_folder(folder, "", &mut files)?;
        Pack::from_files(&files)
    }

    /// Makes a pack of its files, by their path inside it.
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Pack, PackError> {
        let text = files.get("pack.toml").ok_or(PackError::NoManifest)?;
        let manifest: Manifest = toml::from_str(text).map_err(|source| PackError::Toml {
            file: "pack.toml".to_owned(),
            what: "pack manifest",
            source: Box::new(source),
        })?;
        check_causes(&manifest.causes)?;
        let mut digest = Sha256::new();
        let mut rules: Vec<Rule> = Vec::new();
        for (file, text) in files {
            let is_rule = file.ends_with(".sql");
            if is_rule {
                let cases = format!("{}.cases.md", file.trim_end_matches(".sql"));
                let cases = files.get(&cases).cloned().unwrap_or_default();
                rules.push(Rule::parse(file, text, cases, &manifest.parameters)?);
            }
            if is_rule || file == "pack.toml" {
                for part in [file, text] {
                    digest.update((part.len() as u64).to_be_bytes());
                    digest.update(part.as_bytes());
                }
            }
        }
        rules.sort_by(|a, b| a.header.code.cmp(&b.header.code));
        if let Some(pair) = rules.windows(2).find(|pair| pair[0].header.code == pair[1].header.code)
        {
            return Err(PackError::TwoRules { code: pair[0].header.code.clone() });
        }
        Ok(Pack {
            name: manifest.name,
            version: manifest.version,
            jurisdiction: manifest.jurisdiction,
            parameters: manifest.parameters,
            causes: manifest.causes,
            rules,
            digest: digest.finalize().into(),
        })
    }

    /// The rule with this code.
    pub fn rule(&self, code: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.header.code == code)
    }

    /// The parameters that a rule names.
    pub fn parameters_of(&self, rule: &Rule) -> impl Iterator<Item = (&str, &Parameter)> {
        let named = |name: &str| rule.query.parameters.contains(name);
        let all = self.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter));
        all.filter(move |(name, _)| named(name))
    }
}

/// A rule is a cause once, and explains nothing that is to be ruled out before it.
fn check_causes(causes: &[Cause]) -> Result<(), PackError> {
    for (rank, cause) in causes.iter().enumerate() {
        let before = &causes[..=rank];
        let turned = cause.explains.iter().find(|code| before.iter().any(|one| one.code == **code));
        let twice = causes[..rank].iter().any(|one| one.code == cause.code).then_some(&cause.code);
        if let Some(code) = turned.or(twice) {
            let problem = format!("the cause {} and {code} are not in one order", cause.code);
            return Err(PackError::Header { file: "pack.toml".to_owned(), problem });
        }
    }
    Ok(())
}

impl Rule {
    fn parse(
        file: &str,
        text: &str,
        cases: String,
        parameters: &BTreeMap<String, Parameter>,
    ) -> Result<Rule, PackError> {
        let header: Header = toml::from_str(&header_text(text)).map_err(|source| {
            PackError::Toml { file: file.to_owned(), what: "rule header", source: Box::new(source) }
        })?;
        let wrong = |problem: String| PackError::Header { file: file.to_owned(), problem };
        check_place(file, &header.code).map_err(&wrong)?;
        check_header(&header).map_err(&wrong)?;
        let query = allow::check(text, parameters)
            .map_err(|source| PackError::Query { file: file.to_owned(), source })?;
        if query.tables.contains("findings") != (header.stage == 2) {
            return Err(wrong("stage is 2 exactly where the rule reads findings".to_owned()));
        }
        bucket::check_scope(header.scope, &query.tables).map_err(&wrong)?;
        Ok(Rule { header, file: file.to_owned(), text: text.to_owned(), cases, query })
    }
}

/// The TOML in the comment lines at the start; other lines stay empty, so that positions hold.
fn header_text(text: &str) -> String {
    let mut header = String::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("--") else {
            break;
        };
        header.push_str(line);
        header.push('\n');
    }
    header
}

pub(crate) fn check_place(file: &str, code: &str) -> Result<(), String> {
    let family = code.split_once('-').and_then(|(family, number)| {
        let letters = family.len() == 3 || family.len() == 2;
        let letters = letters && family.bytes().all(|byte| byte.is_ascii_uppercase());
        let digits = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        (letters && digits).then(|| family.to_ascii_lowercase())
    });
    let Some(family) = family else {
        return Err(format!("code {code:?} is not like \"MTR-005\""));
    };
    let start = format!("{family}/{code}-");
    if file.starts_with(&start) {
        Ok(())
    } else {
        Err(format!("the file of {code} must be named {start}<slug>.sql"))
    }
}

fn check_header(header: &Header) -> Result<(), String> {
    if header.stage != 1 && header.stage != 2 {
        return Err(format!("stage is {}; there are 1 and 2", header.stage));
    }
    for (key, text) in [
        ("title", &header.title),
        ("since", &header.since),
        ("answer", &header.answer),
        ("message_en", &header.message_en),
        ("message_zh", &header.message_zh),
    ] {
        if text.trim().is_empty() {
            return Err(format!("{key} is empty"));
        }
    }
    if header.basis.is_empty() {
        return Err("basis names nothing".to_owned());
    }
    Ok(())
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), PackError> {
    let fault = |path: &Path, source| PackError::Read { path: path.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| fault(folder, source))? {
        let entry = entry.map_err(|source| fault(folder, source))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let path = folder.join(&name);
        let meta = std::fs::metadata(&path).map_err(|source| fault(&path, source))?;
        let inside = format!("{prefix}{name}");
        if meta.is_dir() && prefix.is_empty() {
            read_folder(&path, &format!("{inside}/"), files)?;
        } else if meta.is_file() && [".sql", ".md", ".toml"].iter().any(|end| name.ends_with(end)) {
            if PACK_FILE_BYTES_MAX < meta.len() {
                let limit = PACK_FILE_BYTES_MAX;
                return Err(PackError::TooLarge { path, limit, what: "bytes" });
            }
            if files.len() == PACK_FILES_MAX {
                let limit = PACK_FILES_MAX as u64;
                return Err(PackError::TooLarge { path: folder.to_owned(), limit, what: "files" });
            }
            let text = std::fs::read_to_string(&path).map_err(|source| fault(&path, source))?;
            files.insert(inside, text);
        }
    }
    Ok(())
}
