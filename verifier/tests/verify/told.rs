//! Whatever is broken or missing is named, with a command of this release that mends it.

use std::fs;
use std::path::Path;

use hallmark_verifier::evidence::{DefectKind, Proven};

/// The next kind: the compiler asks for each that there is.
const fn after(kind: DefectKind) -> Option<DefectKind> {
    Some(match kind {
        DefectKind::BadSignature => DefectKind::KeyNotInForce,
        DefectKind::KeyNotInForce => DefectKind::RoleMissing,
        DefectKind::RoleMissing => DefectKind::Fork,
        DefectKind::Fork => DefectKind::ForkCorrected,
        DefectKind::ForkCorrected => DefectKind::Split,
        DefectKind::Split => DefectKind::Shrink,
        DefectKind::Shrink => DefectKind::BadChain,
        DefectKind::BadChain => DefectKind::Unlogged,
        DefectKind::Unlogged => DefectKind::Withheld,
        DefectKind::Withheld => DefectKind::Unchecked,
        DefectKind::Unchecked => DefectKind::BadProof,
        DefectKind::BadProof => DefectKind::Damaged,
        DefectKind::Damaged => DefectKind::BadBody,
        DefectKind::BadBody => DefectKind::BadAudience,
        DefectKind::BadAudience => DefectKind::NoQuorum,
        DefectKind::NoQuorum => DefectKind::BadTile,
        DefectKind::BadTile => DefectKind::BadCosignature,
        DefectKind::BadCosignature => return None,
    })
}

/// The help of a command, from its page under `docs`; `None` where there is no such command.
fn help_of(command: &str) -> Option<String> {
    let (program, rest) = command.split_once(' ')?;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/{program}.md"));
    let page = fs::read_to_string(page).ok()?;
    let heading = format!("\n## {program} {}\n", rest.split(' ').next()?);
    let section = page.split_once(&heading)?.1;
    let end = section.find("\n## ").unwrap_or(section.len());
    Some(section[..end].to_owned())
}

/// A command that the docs know, with every option that is given.
#[track_caller]
fn assert_is_command(command: &str, text: &str) {
    let help = help_of(command);
    assert!(help.is_some(), "no command `{command}`: {text}");
    let help = help.unwrap_or_default();
    for option in command.split(' ').filter(|word| word.starts_with('-')) {
        let known = help.contains(&format!("{option} ")) || help.contains(&format!("{option},"));
        assert!(known || help.contains(&format!("{option}\n")), "no {option} of `{command}`");
    }
}

/// At least one command stands in the text, and every one is a command.
#[track_caller]
fn assert_names_a_command(text: &str) {
    let quoted = text.split('`').skip(1).step_by(2);
    let commands: Vec<&str> = quoted.filter(|piece| piece.starts_with("hallmark-")).collect();
    assert!(!commands.is_empty(), "no command: {text}");
    commands.iter().for_each(|command| assert_is_command(command, text));
}

/// Every defect names what it is about and a command; whatever is not at hand, how to fetch it.
#[track_caller]
pub(crate) fn assert_tells_what_to_do(proven: &Proven) {
    for defect in &proven.defects {
        assert_names_a_command(defect.help());
        let about = [
            defect.log.is_some(),
            !defect.cites.is_empty(),
            defect.detail.contains('/'),
            defect.subject == "network file",
        ];
        assert!(8 < defect.detail.len() && about.contains(&true), "about what? {defect:#?}");
    }
    for one in &proven.unchecked {
        let command = one.command.split([':', ',']).next().expect("the first piece");
        assert_is_command(command, &one.detail);
        assert!(0 < one.count && !one.detail.is_empty(), "{one:#?}");
    }
}

#[test]
fn every_kind_of_defect_names_a_command_that_mends_it() {
    let (mut kind, mut count) = (DefectKind::BadSignature, 1);
    loop {
        assert_names_a_command(kind.help());
        let Some(next) = after(kind) else { break };
        (kind, count) = (next, count + 1);
    }
    assert_eq!(count, 18, "each is passed once");
}
