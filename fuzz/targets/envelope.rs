//! Any bytes to the reader of attestations: it never panics, and what it accepts is the one
//! encoding of what it understood.

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::cbor;
use hallmark_schemas::kind::Body;
use hallmark_schemas::table::{RowContext, Rows};
use hallmark_schemas::time::{EntryTime, Timestamp};

pub(crate) fn check(data: &[u8]) {
    let _ = cbor::scan(data);
    let Ok(envelope) = Envelope::parse(data) else {
        return;
    };
    assert_eq!(envelope.stored(), data, "what is accepted is stored as it came");
    let body = envelope.body();
    let again = Body::from_json(envelope.kind(), body.to_json());
    assert_eq!(again.as_ref(), Ok(body), "JSON says the same");
    let _ = (envelope.identity(), envelope.content_digest(), body.cites(), body.replaces());
    let context = RowContext {
        content_id: envelope.id(),
        log: "example/gln-6901234567892/1",
        entry: 0,
        claims: envelope.claims(),
        from: EntryTime::at(Timestamp::EPOCH),
        facility: None,
        device: None,
    };
    let mut rows = Rows::new();
    body.rows(&context, &mut rows);
    for row in rows.iter() {
        let fits = row.cells.iter().zip(row.table.all_columns()).all(|(cell, own)| cell.fits(own));
        assert!(fits, "{} {:?}", row.table.name, row.cells);
    }
}
