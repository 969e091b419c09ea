//! What a follower will ask for next, known before the answer to what it asked last is worked off.

use super::*;

#[test]
fn what_is_asked_for_next_is_known_before_unless_it_was_not_given_before() {
    let bodies = (0..600_u16).map(|n| facility((n % 200) as u8, "plant", (n / 200) as u8));
    let source = Source::new(bodies.collect());
    let log = started(&SimDisk::default());
    source.feed(&log, 600).unwrap();
    let given = |ids: &[ContentId]| {
        let body = |id: &ContentId| source.bodies.iter().find(|body| ContentId::of(body) == *id);
        Heard::Bodies(ids.iter().map(|id| (*id, body(id).cloned())).collect())
    };
    let withheld = |ids: &[ContentId]| Heard::Bodies(ids.iter().map(|id| (*id, None)).collect());
    let mut follower = Follower::new(log.clone());
    let begin = |follower: &mut Follower| {
        follower.begin();
        assert_eq!(follower.ahead(), None);
        let told = follower.heard(Heard::Checkpoint(source.note(600).to_bytes())).unwrap();
        let Some(Ask::Bodies(ids)) = told.ask else { panic!("{:?}", told.ask) };
        ids
    };
    let first = begin(&mut follower);
    let Some(Ask::Bodies(second)) = follower.ahead() else { panic!("nothing ahead") };
    assert_eq!((first.len(), second.len()), (256, 256));
    // The second is asked for whatever came of the first.
    let told = follower.heard(withheld(&first)).unwrap();
    assert_eq!(told.ask, Some(Ask::Bodies(second.clone())));
    let Some(Ask::Bodies(third)) = follower.ahead() else { panic!("nothing ahead") };
    assert_eq!(follower.heard(given(&second)).unwrap().ask, Some(Ask::Bodies(third.clone())));
    assert_eq!(follower.ahead(), None, "nothing follows");
    assert_eq!(follower.heard(given(&third)).unwrap().ask, None);
    assert_eq!(log.wanted_count(600).unwrap(), 256);
    // Once more, as soon as somebody may give it.
    follower.ask_again();
    assert_eq!(begin(&mut follower), first);
    assert_eq!(follower.ahead(), None);
    assert_eq!(follower.heard(given(&first)).unwrap().ask, None);
    assert_eq!(log.wanted_count(1).unwrap(), 0);
}
