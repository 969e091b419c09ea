//! Schemas of the passport.

use serde_json::{Value, json};

use super::schemas::{count, list, object, or_null, schema, string, truth, words};
use crate::passport::State;

pub(super) fn passports() -> Value {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let mut all = parts();
    all["PassportState"] = words(&states);
    all["Passport"] = object("What the records say of a code.", members());
    let mut linked = members();
    linked["@context"] = json!({ "type": "object" });
    linked["@type?"] = string();
    linked["@id?"] = string();
    all["PassportLd"] = object("The same as JSON-LD.", linked);
    all
}

fn members() -> Value {
    let sorts =
        ["item", "lot", "class", "unit", "place", "document", "coupon", "relation", "other"];
    let late_label = object(
        "The code was recorded by the day `seen`, before its label can have been ordered on `made`. \
         By the times of the logs, not those that events claim.",
        json!({ "seen": or_null(string()), "made": string() }),
    );
    let inactive = object(
        "A label that was made and, as far as is recorded, not put on goods.",
        json!({ "others_are_active": truth(), "is_seen": truth() }),
    );
    json!({
        "state": schema("PassportState"),
        "state_text": object(
            "The state in a sentence.",
            json!({ "en": string(), "zh-Hans": string() }),
        ),
        "goods": or_null(string()),
        "sort": or_null(words(&sorts)),
        "misread": or_null(words(&["nothing", "short_gtin", "garbled"])),
        "did_you_mean": or_null(string()),
        "link": link(),
        "item": schema("PassportItem"),
        "recalls": list(schema("PassportRecall")),
        "idle_recalls": list(object(
            "A recall that was lifted on the day `lifted`, or begins later; it changes no state.",
            json!({ "lifted": or_null(string()), "recall": schema("PassportRecall") }),
        )),
        "lot_recalls": list(object(
            "A recall of lots of the product, where no record tells the lot of the goods.",
            json!({ "lots": list(string()), "recall": schema("PassportRecall") }),
        )),
        "certificates": list(schema("PassportCertificate")),
        "journey": list(schema("PassportStep")),
        "ended": or_null(object(
            "The goods are no more, by their records; it changes no state, and heading and sentence \
             say so where the state is a calm one.",
            json!({
                "how": words(&["used_up", "destroyed", "taken_out_of_use"]),
                "month": or_null(string()), "by": schema("PassportParty"),
                "id": or_null(schema("ContentId")), "is_of_others": truth(),
            }),
        )),
        "doubted": doubted(),
        "erased": erased(),
        "footprints": list(schema("PassportFootprint")),
        "findings": list(schema("PassportFinding")),
        "stated_findings": list(schema("PassportStatedFinding")),
        "names": list(object(
            "What a place or an organisation is called whose identifier is in a sentence of a finding.",
            json!({ "id": string(), "names": texts(), "party": or_null(schema("PassportParty")) }),
        )),
        "confirmations": object("Buyers' confirmations.", json!({
            "count": count(), "innocent_max": count(), "months": list(string()),
            "impossible": list(words(&["after_end", "before_shipping", "other_market"])),
        })),
        "is_scrapped": truth(),
        "inactive": or_null(inactive),
        "late_label": or_null(late_label),
        "elsewhere": or_null(schema("PassportElsewhere")),
        "proof": schema("PassportProof"),
        "forms": object("Tokens for one confirmation and one complaint, where these are taken; none are handed out \
            to a request with `Origin`.",
            json!({ "confirmation": or_null(string()), "complaint": or_null(string()) })),
    })
}

fn doubted() -> Value {
    list(object(
        "A record that may be another's than who is said to have signed it, as the key is revoked; with \
             `is_origin` it is what the goods are known by, and the state no calm one.",
        json!({
            "id": schema("ContentId"), "kind": string(), "by": schema("PassportParty"),
            "since": string(), "is_origin": truth(),
        }),
    ))
}

fn erased() -> Value {
    list(object(
        "A public record about the goods, their lot or class was erased, as the record `id` says.",
        json!({
            "id": schema("ContentId"), "record": schema("ContentId"),
            "by": schema("PassportParty"), "day": string(), "reason": string(),
        }),
    ))
}

fn link() -> Value {
    let attribute = object(
        "An application identifier of the code. `value` is as printed; `date` and `amount` with its \
         `unit` (or currency) are what it means, where it is one of these.",
        json!({
            "ai": string(), "title": string(), "value": string(), "date": or_null(string()),
            "amount": or_null(string()), "unit": or_null(string()),
        }),
    );
    let contradiction = object(
        "A part of it that the records contradict.",
        json!({
            "ai": string(), "title": string(), "printed": string(), "recorded": list(string()),
        }),
    );
    let passed = object(
        "A printed date that has passed, where no record tells it.",
        json!({ "ai": string(), "title": string(), "day": string() }),
    );
    let unreadable = object(
        "A part of the print that did not pass its checks, and what is wrong with it.",
        json!({ "ai": string(), "title": string(), "value": string(), "reason": string() }),
    );
    object(
        "What the code says beside the identifier: printed, not signed.",
        json!({
            "attributes": list(attribute), "has_unreadable": truth(),
            "unreadable": list(unreadable), "contradictions": list(contradiction),
            "passed": list(passed),
        }),
    )
}

fn texts() -> Value {
    list(schema("PassportText"))
}

fn parts() -> Value {
    let standing = || words(&["withdrawn", "expired", "future", "in_force"]);
    let party = || schema("PassportParty");
    let day = || or_null(string());
    let accreditation = object(
        "The accreditation of who vouches.",
        json!({
            "id": or_null(schema("ContentId")), "standing": or_null(standing()),
            "accreditor": or_null(party()),
            "number": or_null(string()), "reason": or_null(string()), "valid_to": day(),
        }),
    );
    json!({
        "PassportText": object("A text; `lang` is BCP 47, where its author told.", json!({
            "lang": or_null(string()), "text": string(),
        })),
        "PassportParty": object("An organisation.", json!({ "id": string(), "name": string() })),
        "PassportElsewhere": object(
            "Who issues such codes, whose own node alone can tell of this one, and its address there.",
            json!({ "issuer": party(), "url": or_null(string()) }),
        ),
        "PassportMakerClaim": object("Whom one description or label order has make the goods.", json!({
            "id": schema("ContentId"), "by": party(), "maker": party(),
        })),
        "PassportPicture": object("A picture by name, published address and SHA-256.", json!({
            "alt": texts(), "url": string(), "digest": schema("Digest"),
        })),
        "PassportItem": object("What it is, in the words of who describes it; `maker` is whom they name. \
            `maker_claims` has all who are named where organisations differ.", json!({
            "names": texts(), "described_by": or_null(party()), "maker": or_null(party()),
            "maker_claims": list(schema("PassportMakerClaim")),
            "pictures": list(schema("PassportPicture")), "brand": texts(),
            "content": or_null(string()), "checks": texts(), "lot": or_null(string()),
            "produced": day(), "expiry": day(), "is_past_expiry": truth(),
            "markets": list(string()),
        })),
        "PassportRecall": object("A recall.", json!({
            "id": schema("ContentId"), "by": party(), "goods": string(), "since": string(), "zone": string(),
            "reason": texts(), "action": texts(), "contact": or_null(string()),
        })),
        "PassportCertificate": object("A certificate. `product_class`, `site` and `volume` (in `unit`) are \
            what it covers.", json!({
            "product_class": or_null(string()), "site": or_null(string()), "volume": or_null(count()),
            "unit": or_null(string()),
            "id": schema("ContentId"), "number": string(), "standard": string(),
            "issuer": party(), "standing": standing(), "valid_from": day(), "valid_to": day(), "zone": string(),
            "withdrawn": day(), "key_revoked": day(), "reason": or_null(string()), "is_superseded": truth(),
            "accreditation": accreditation,
        })),
        "PassportStep": object("A place and a month.", json!({
            "step": or_null(string()), "place": or_null(string()), "place_names": texts(), "region": or_null(string()),
            "month": or_null(string()), "by": party(), "id": or_null(schema("ContentId")),
            "inside": or_null(string()), "is_used_up": truth(),
        })),
        "PassportFootprint": object("A product carbon footprint. Who verified it and how well is \
            its issuer's own claim, which the verifier has not signed.", json!({
            "id": schema("ContentId"), "by": party(), "kg_co2e": string(), "per": string(),
            "boundary": string(), "period": or_null(list(string())),
            "verifier": or_null(party()), "verifier_claimed_by": or_null(party()),
            "assurance": or_null(string()),
            "primary_ppm": or_null(count()),
        })),
        "PassportFinding": findings(),
        "PassportStatedFinding": stated_finding(),
        "PassportProof": proof(),
    })
}

fn answer() -> Value {
    object(
        "An answer to the finding.",
        json!({
            "id": schema("ContentId"), "by": schema("PassportParty"), "day": string(),
            "text": texts(),
        }),
    )
}

fn stated_finding() -> Value {
    object(
        "A finding that another has signed: their word, which changes no state.",
        json!({
            "id": schema("ContentId"), "finding": schema("Digest"), "by": schema("PassportParty"),
            "subject": string(), "code": string(),
            "severity": words(&["note", "warning", "error"]), "message_en": string(),
            "message_zh": string(), "day": string(), "answers": list(answer()),
        }),
    )
}

fn findings() -> Value {
    object(
        "An open finding.",
        json!({
            "id": schema("Digest"), "code": string(), "severity": string(),
            "subject": string(), "is_copy": truth(),
            "title": string(), "message_en": or_null(string()), "message_zh": or_null(string()),
            "months": list(string()), "evidence_count": count(), "answers": list(answer()),
        }),
    )
}

fn proof() -> Value {
    let record = object(
        "A record and what became of it.",
        json!({
            "id": schema("ContentId"), "kind": or_null(schema("Kind")), "log": string(),
            "entry": count(), "issuer": or_null(schema("PassportParty")),
            "recorded": or_null(list(string())), "fault": or_null(string()),
            "is_public": truth(), "is_silent": truth(),
        }),
    );
    let log = object(
        "A log that records lie in.",
        json!({
            "origin": string(), "size": count(), "checkpoint_at": or_null(string()),
            "checkpoint": string(),
        }),
    );
    object(
        "How to check it.",
        json!({
            "records": list(record), "is_cut": truth(), "logs": list(log),
            "checked_at": or_null(string()), "judged_as_of": or_null(string()),
            "bundle": or_null(string()),
        }),
    )
}
