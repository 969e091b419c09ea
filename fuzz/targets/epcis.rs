//! Any text to the reader of EPCIS documents: it never panics, and an event that it finds is read
//! again as what it was.

use hallmark_schemas::kind::event::{Event, document};
use hallmark_schemas::time::Timestamp;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = document::read_conforming(text);
    let Ok(found) = document::read(text) else {
        return;
    };
    let _ = found.event_hashes();
    for (index, text) in found.events.iter().enumerate() {
        let _ = found.pointer(index);
        let Ok(event) = Event::parse(text) else {
            continue;
        };
        let recorded = event.recorded(Timestamp::EPOCH);
        let again = Event::parse(&recorded).expect("an event with its time is one");
        assert_eq!(again.fields().event_hash, event.fields().event_hash, "{text}");
        assert_eq!(again.fields().identity(), event.fields().identity(), "{text}");
    }
}
