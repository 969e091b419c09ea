//! What the places and organisations are called that the sentences of findings name.
//!
//! Invariants: names come from public records and from registrars alone; an identifier that nothing
//! names stays, in the short form that people know.

use std::collections::BTreeSet;

use hallmark_schemas::id::OrgId;

use super::fold::journey::Place;
use super::view::{Named, Party, Passport};

/// What identifiers of places and organisations begin with, and what people call their kind.
const FORMS: [(&str, &str); 6] = [
    ("https://id.gs1.org/414/", "GLN "),
    ("https://id.gs1.org/417/", "GLN "),
    ("urn:hallmark:org:gln:", "GLN "),
    ("urn:hallmark:org:lei:", "LEI "),
    ("urn:hallmark:org:uscc:", "USCC "),
    ("urn:hallmark:facility:", ""),
];

impl Passport {
    /// The organisations that are called by their names here, by their identifiers.
    pub fn organisations(&self) -> BTreeSet<String> {
        let Passport { item, recalls, lot_recalls, certificates, footprints, .. } = self;
        let claims = item.maker_claims.iter().flat_map(|one| [&one.by, &one.maker]);
        let recalls = recalls.iter().chain(lot_recalls.iter().map(|one| &one.recall));
        let answers = self.findings.iter().flat_map(|one| &one.answers);
        let answers = answers.chain(self.stated_findings.iter().flat_map(|one| &one.answers));
        let parties = item.described_by.iter().chain(&item.maker).chain(claims);
        let parties = parties
            .chain(recalls.map(|one| &one.by))
            .chain(certificates.iter().map(|one| &one.issuer))
            .chain(certificates.iter().filter_map(|one| one.accreditation.accreditor.as_ref()))
            .chain(self.journey.iter().map(|one| &one.by))
            .chain(footprints.iter().flat_map(|one| [&one.by].into_iter().chain(&one.verifier)))
            .chain(self.stated_findings.iter().map(|one| &one.by))
            .chain(answers.map(|one| &one.by))
            .chain(self.names.iter().filter_map(|one| one.party.as_ref()))
            .chain(self.proof.records.iter().filter_map(|one| one.issuer.as_ref()));
        parties.filter(|one| !one.name.is_empty()).map(|one| one.id.clone()).collect()
    }
}

/// A text in pieces: identifiers of places and organisations, and what stands between.
pub enum Piece<'a> {
    /// Words.
    Words(&'a str),
    /// An identifier.
    Id(&'a str),
}

/// Cuts a sentence into words and identifiers; together they are the sentence.
pub fn pieces(sentence: &str) -> Vec<Piece<'_>> {
    let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = sentence.get(at..) {
        if !FORMS.iter().any(|(prefix, _)| rest.starts_with(prefix)) {
            let Some(first) = rest.chars().next() else { break };
            at += first.len_utf8();
            continue;
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._:/-%".contains(c);
        let whole = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let id = whole.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if from < at {
            found.push(Piece::Words(&sentence[from..at]));
        }
        found.push(Piece::Id(id));
        at += id.len();
        from = at;
    }
    if from < sentence.len() {
        found.push(Piece::Words(&sentence[from..]));
    }
    found
}

/// An identifier as people read it, such as `GLN 9506000134369`.
pub fn short(id: &str) -> String {
    let form = FORMS.iter().find_map(|(prefix, kind)| Some((kind, id.strip_prefix(prefix)?)));
    form.map_or_else(|| id.to_owned(), |(kind, rest)| format!("{kind}{rest}"))
}

/// The organisation whose identifier this is, or whose own number a place has.
pub(super) fn org(id: &str) -> Option<OrgId> {
    let gln = ["https://id.gs1.org/414/", "https://id.gs1.org/417/"];
    let gln = gln.iter().find_map(|prefix| id.strip_prefix(prefix));
    gln.map_or_else(|| id.to_owned(), |gln| format!("urn:hallmark:org:gln:{gln}")).parse().ok()
}

/// What the findings of a passport name, each once: places by their names, else organisations.
pub(super) fn of(
    passport: &Passport,
    place: &dyn Fn(&str) -> Option<Place>,
    party: &dyn Fn(&OrgId) -> Party,
) -> Vec<Named> {
    let open = passport.findings.iter().flat_map(|one| [&one.message_en, &one.message_zh]);
    let stated = passport.stated_findings.iter();
    let stated = stated.flat_map(|one| [&one.message_en, &one.message_zh]);
    let ids: BTreeSet<&str> = open
        .flatten()
        .chain(stated)
        .flat_map(|sentence| pieces(sentence))
        .filter_map(|piece| match piece {
            Piece::Id(id) => Some(id),
            Piece::Words(_) => None,
        })
        .collect();
    let named = |id: &str| {
        let names = place(id).map(|place| place.names).unwrap_or_default();
        let party = org(id).filter(|_| names.is_empty()).map(|org| party(&org));
        let party = party.filter(|party| !party.name.is_empty());
        let is_named = !names.is_empty() || party.is_some();
        is_named.then(|| Named { id: id.to_owned(), names, party })
    };
    ids.into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::super::view::{Misread, OpenFinding, Text};
    use super::*;

    fn ids(sentence: &str) -> Vec<&str> {
        let whole: String = pieces(sentence)
            .iter()
            .map(|piece| match piece {
                Piece::Words(text) | Piece::Id(text) => *text,
            })
            .collect();
        assert_eq!(whole, sentence, "nothing is lost");
        let id = |piece| match piece {
            Piece::Id(id) => Some(id),
            Piece::Words(_) => None,
        };
        pieces(sentence).into_iter().filter_map(id).collect()
    }

    #[test]
    fn identifiers_are_found_in_sentences_of_both_languages_without_the_marks_around_them() {
        let gln = "https://id.gs1.org/414/9506000134369";
        let works = "urn:hallmark:facility:lei:9999DEM0REGISTRY0146:works-1";
        for (sentence, expected) in [
            (format!("was at {gln} on 1, and at {works}."), vec![gln, works]),
            (format!("于一日在 {gln}，于二日在{works}，相距"), vec![gln, works]),
            (format!("{gln}/254/7:"), vec!["https://id.gs1.org/414/9506000134369/254/7"]),
            ("https://id.gs1.org/01/09506000134352 and 产品".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(ids(&sentence), expected, "{sentence}");
        }
        assert_eq!(short(gln), "GLN 9506000134369");
        assert_eq!(short("urn:hallmark:org:lei:9999DEM0REGISTRY0146"), "LEI 9999DEM0REGISTRY0146");
        assert_eq!(short("other"), "other");
    }

    #[test]
    fn a_place_goes_by_its_own_name_and_else_by_that_of_the_organisation_with_its_number() {
        let mut passport = Passport::unreadable(Misread::Garbled, None);
        let [named, bare, nobody] = ["9506000134369", "9506000134376", "9506000134383"]
            .map(|gln| format!("https://id.gs1.org/414/{gln}"));
        passport.findings = vec![OpenFinding {
            id: String::new(),
            code: "TRC-005".to_owned(),
            severity: "warning".to_owned(),
            subject: String::new(),
            is_copy: true,
            title: String::new(),
            message_en: Some(format!("at {named}, {bare}, {nobody} and {named}")),
            message_zh: None,
            months: Vec::new(),
            evidence_count: 2,
            answers: Vec::new(),
        }];
        let name = || vec![Text { lang: None, text: "Works".to_owned() }];
        let place = |id: &str| (id == named).then(|| Place { names: name(), region: None });
        let party = |org: &OrgId| {
            let is_member = org.to_string().ends_with("376");
            Party { id: org.to_string(), name: if is_member { "Shop" } else { "" }.to_owned() }
        };
        let found = of(&passport, &place, &party);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((&found[0].id, &found[0].names, &found[0].party), (&named, &name(), &None));
        let shop = found[1].party.as_ref().unwrap();
        assert_eq!((&*found[1].id, &*shop.name), (&*bare, "Shop"));
    }
}
