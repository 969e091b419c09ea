//! Where a node is says which bodies its copies keep.

use super::*;
use crate::core::testing::facility_within;

#[test]
fn a_body_for_other_regions_is_not_kept_and_stays_missing() {
    let region = |code: &str| code.parse::<Region>().unwrap();
    let bodies: Vec<Envelope> = [vec![], vec![region("CN")], vec![region("CN"), region("DE")]]
        .into_iter()
        .zip(0..)
        .map(|(regions, number)| facility_within(number, regions))
        .collect();
    let source = Source::with_times(bodies, 0);
    let keys = Arc::new(Keys::new(KeyHistory::new(&network(Policy::none()))));
    let (disk, catalogue) = (SimDisk::default(), Catalogue::new(Arc::<MemoryIndex>::default()));
    let (data, joined) = (Data::new("/data"), Arc::new(joined(witnessed())));
    let mirror = Mirror::new(Arc::new(disk), data, catalogue, keys, joined);
    let log = mirror.within(Arc::from([region("DE")])).follow(signer().vkey().clone()).unwrap();
    source.feed(&log, 3).unwrap();
    assert_eq!(log.put_bodies(&source.bodies).unwrap(), 2);
    assert_eq!(log.wanted(0, 9).unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1]);
    assert_eq!(log.body(&ContentId::of(&source.bodies[1])).unwrap(), None);
}
