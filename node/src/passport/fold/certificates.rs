//! Certificates and the accreditation of who vouches.
//!
//! Invariants: what has an end is in force on the day that is shown as its last, to the end of that
//! day on the clock that its issuer tells, else in UTC; a revoked key vouches for nothing that it
//! signed since; one certificate takes the place of another only if whoever issued that says the same
//! of the same. The script of the check works the same out (tell.mjs).

use hallmark_schemas::day::Day;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::accreditation::{self, Status};
use hallmark_schemas::kind::{Body, certificate};
use hallmark_schemas::time::Timestamp;

use super::super::gather::{Level, Proven};
use super::super::view::{Accreditation, Certificate, Standing};
use super::{Given, day, last_day, last_of, on_clock, zone};

/// All that are about the goods, those that raise a question first.
pub(super) fn of(records: &[&Proven], given: &Given<'_>) -> Vec<Certificate> {
    let mut found = Vec::new();
    let mut bodies: Vec<(&OrgId, &certificate::Certificate)> = Vec::new();
    for record in records.iter().filter(|one| one.level != Level::Beside && one.is_public) {
        let Body::Certificate(body) = record.verified.body() else { continue };
        let issuer = &record.verified.claims().iss;
        let offset = body.utc_offset.as_deref();
        let [now, from] = [given.now, body.valid_from].map(|at| on_clock(at, offset));
        let [to, withdrawn] =
            [body.valid_to, body.withdrawn_at].map(|at| at.map(|at| on_clock(at, offset)));
        let revoked = record.doubt.map(|since| on_clock(since, offset));
        bodies.push((issuer, body));
        found.push(Certificate {
            id: record.verified.id().to_string(),
            number: body.id.clone(),
            standard: body.standard.clone(),
            issuer: (given.party)(issuer),
            standing: match record.doubt {
                Some(_) => Standing::Withdrawn,
                None => standing(now, from, to, withdrawn),
            },
            valid_from: Some(day(from)),
            valid_to: to.map(last_day),
            withdrawn: withdrawn.or(revoked).map(day),
            key_revoked: revoked.map(day),
            product_class: body.product_class.clone(),
            site: body.site.clone(),
            volume: body.volume,
            unit: body.unit.clone(),
            zone: zone(offset),
            reason: body.withdrawn_at.and(body.reason.clone()),
            is_superseded: false,
            accreditation: behind(issuer, records, given),
        });
    }
    let is_good = |one: &Certificate, (issuer, body): &(&OrgId, &certificate::Certificate)| {
        one.standing == Standing::InForce && is_accredited(issuer, body.valid_from, records)
    };
    let later = found.iter().zip(&bodies).filter(|(one, body)| is_good(one, body));
    let later: Vec<_> = later.map(|(_, body)| *body).collect();
    for (one, body) in found.iter_mut().zip(&bodies) {
        let is_after = later.iter().any(|later| takes_the_place(later, body));
        one.is_superseded = one.standing < Standing::Future && is_after;
    }
    found.sort_by(|a, b| {
        let key = |one: &Certificate| (one.is_superseded, one.standing);
        (key(a), &a.standard, &a.id).cmp(&(key(b), &b.standard, &b.id))
    });
    found
}

/// Whether a certificate says later what another said: the same issuer, of the same.
fn takes_the_place(
    (issuer, later): &(&OrgId, &certificate::Certificate),
    (before, one): &(&OrgId, &certificate::Certificate),
) -> bool {
    let of = |body: &certificate::Certificate| {
        (body.standard.clone(), body.product_class.clone(), body.site.clone())
    };
    issuer == before && of(later) == of(one) && one.valid_from < later.valid_from
}

/// Whether a body was accredited then, if anybody ever said that it is.
fn is_accredited(body: &OrgId, at: Timestamp, records: &[&Proven]) -> bool {
    let current = accreditations(body, records, at);
    let is_told = !accreditations(body, records, Timestamp::MAX).is_empty();
    !is_told || current.into_iter().any(|one| standing_of(one, at) == Standing::InForce)
}

fn standing(
    now: Timestamp,
    from: Timestamp,
    to: Option<Timestamp>,
    withdrawn: Option<Timestamp>,
) -> Standing {
    if withdrawn.is_some_and(|at| at <= now) {
        Standing::Withdrawn
    } else if to.is_some_and(|to| last_of(to) < Day::of(now)) {
        Standing::Expired
    } else if now < from {
        Standing::Future
    } else {
        Standing::InForce
    }
}

/// The accreditation of a body: one in force before others, then the one that ends last.
fn behind(body: &OrgId, records: &[&Proven], given: &Given<'_>) -> Accreditation {
    let none = Accreditation {
        id: None,
        standing: None,
        accreditor: None,
        number: None,
        reason: None,
        valid_to: None,
    };
    let best = accreditations(body, records, given.now)
        .into_iter()
        .max_by_key(|one| (standing_of(*one, given.now), one.1.valid_to.unwrap_or(Timestamp::MAX)));
    best.map_or(none, |(by, one)| Accreditation {
        id: Some(by.verified.id().to_string()),
        standing: Some(standing_of((by, one), given.now)),
        accreditor: Some((given.party)(&by.verified.claims().iss)),
        number: Some(one.number.clone()),
        reason: one.reason.clone().filter(|_| one.status != Status::InForce),
        valid_to: one.valid_to.map(last_day),
    })
}

/// A statement about an accreditation, where it is recorded.
type Accredited<'a> = (&'a Proven, &'a accreditation::Accreditation);

/// What is said of the accreditations of a body: of statements about one the last that holds by then.
fn accreditations<'a>(body: &OrgId, records: &[&'a Proven], at: Timestamp) -> Vec<Accredited<'a>> {
    let subject = Subject::Org(body.clone());
    let mut current: Vec<Accredited<'a>> = Vec::new();
    for record in records.iter().filter(|record| record.is_public) {
        let claims = record.verified.claims();
        let Body::Accreditation(one) = record.verified.body() else { continue };
        if claims.sub != subject || at < one.from_at {
            continue;
        }
        let is_same = |(by, other): &&mut Accredited<'a>| {
            by.verified.claims().iss == claims.iss
                && other.scheme == one.scheme
                && other.number == one.number
        };
        match current.iter_mut().find(is_same) {
            Some(known) if known.1.from_at <= one.from_at => *known = (*record, one),
            Some(_) => {}
            None => current.push((*record, one)),
        }
    }
    current
}

fn standing_of((record, one): Accredited<'_>, now: Timestamp) -> Standing {
    match one.status {
        _ if record.doubt.is_some() => Standing::Withdrawn,
        Status::InForce => standing(now, one.valid_from, one.valid_to, None),
        Status::Suspended | Status::Withdrawn => Standing::Withdrawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_stands_by_its_dates_and_its_withdrawal() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let (from, now) = (at("2020-01-01T00:00:00Z"), at("2026-11-26T17:00:00Z"));
        let (day, noon) = (at("2026-11-26T00:00:00Z"), at("2026-11-26T16:00:00Z"));
        for (from, to, withdrawn, expected) in [
            (from, None, None, Standing::InForce),
            (from, Some(at("2026-11-27T00:00:00Z")), None, Standing::InForce),
            (from, Some(noon), None, Standing::InForce),
            (from, Some(day), None, Standing::Expired),
            (at("2026-11-26T17:00:00.001Z"), None, None, Standing::Future),
            (from, None, Some(now), Standing::Withdrawn),
            (from, Some(day), Some(noon), Standing::Withdrawn),
            (from, None, Some(at("2026-11-26T17:00:00.001Z")), Standing::InForce),
        ] {
            assert_eq!(standing(now, from, to, withdrawn), expected, "{from} {to:?} {withdrawn:?}");
        }
    }

    #[test]
    fn what_ends_is_in_force_on_the_day_that_is_shown_as_its_last() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for end in ["2026-11-26T00:00:00Z", "2026-11-26T16:00:00Z", "2026-11-26T23:59:59.999Z"] {
            let (from, end) = (at("2020-01-01T00:00:00Z"), at(end));
            for now in ["2026-11-25T12:00:00Z", "2026-11-26T23:59:59.999Z", "2026-11-27T00:00:00Z"]
            {
                let is_past = last_day(end).as_str() < &now[..10];
                let is_expired = standing(at(now), from, Some(end), None) == Standing::Expired;
                assert_eq!(is_expired, is_past, "until {end}, seen {now}");
            }
        }
    }
}
