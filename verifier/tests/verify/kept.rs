//! Files of a node that its newest tree does not need: tiles as they were published when they were
//! narrower, and what its witness notes.

use std::fs;
use std::path::Path;

use hallmark_schemas::cosigned;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::{Dir, peer_name};
use hallmark_verifier::evidence::{Defect, DefectKind};
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;

use crate::told;
use crate::world::{ORIGIN, usual};

/// The usual node with its earlier tiles, changed; what is told of it.
fn told_of(change: impl FnOnce(&Dir)) -> (Vec<Defect>, Exit) {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::new(folder.path().join("plant"));
    usual(2).write_dir(dir.path());
    for (tile, bytes_each) in [("tile/0/000.p", 32), ("tile/entries/000.p", 43)] {
        let tile = dir.data().tile(tile);
        let newest = fs::read(tile.join("6")).unwrap();
        for width in [3, 5] {
            fs::write(tile.join(width.to_string()), &newest[..width * bytes_each]).unwrap();
        }
    }
    change(&dir);
    let proven = prove(load(&[dir.path().to_owned()], &[]).unwrap());
    told::assert_tells_what_to_do(&proven);
    let exit = proven.exit();
    (proven.defects, exit)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_earlier_tile_that_does_not_begin_the_one_of_now_is_named_alone() {
    assert_eq!(told_of(|_| {}), (Vec::new(), Exit::Done));
    for file in ["tile/0/000.p/3", "tile/entries/000.p/5"] {
        let damages: [fn(&mut Vec<u8>); 3] =
            [|bytes| bytes[40] ^= 1, |bytes| bytes.truncate(50), |bytes| bytes.push(0)];
        for damage in damages {
            let (defects, exit) = told_of(|dir| change(&dir.data().tile(file), damage));
            assert_eq!(defects.len(), 1, "{defects:#?}");
            assert!(defects[0].detail.contains(file), "{defects:#?}");
            assert_eq!((defects[0].kind, exit), (DefectKind::BadProof, Exit::Broken));
        }
    }
}

#[test]
fn where_the_tile_of_now_is_wrong_no_earlier_one_is_blamed() {
    for file in ["tile/0/000.p/6", "tile/entries/000.p/6"] {
        let (defects, exit) = told_of(|dir| change(&dir.data().tile(file), |bytes| bytes[40] ^= 1));
        assert_eq!(exit, Exit::Broken);
        assert!(!defects.is_empty());
        for earlier in ["000.p/3", "000.p/5"] {
            assert!(defects.iter().all(|defect| !defect.detail.contains(earlier)), "{defects:#?}");
        }
    }
}

#[test]
fn what_the_witness_notes_must_be_whole_and_fit_what_it_keeps() {
    let own = peer_name(ORIGIN);
    let known = |dir: &Dir| dir.witness_memory().join(cosigned::NAME);
    let noted = cosigned::encode([(own.as_str(), false)]);
    let kept = |dir: &Dir| {
        fs::write(dir.witness_memory().join(&own), fs::read(dir.data().checkpoint()).unwrap())
            .unwrap();
    };
    let whole = told_of(|dir| {
        kept(dir);
        fs::write(known(dir), &noted).unwrap();
    });
    assert_eq!(whole, (Vec::new(), Exit::Done));
    let doubted = told_of(|dir| {
        fs::write(known(dir), cosigned::encode([(own.as_str(), true)])).unwrap();
    });
    assert_eq!(doubted, (Vec::new(), Exit::Done), "it says itself that it does not know");
    type Damage<'a> = &'a dyn Fn(&Dir);
    let cases: [(Damage<'_>, &str, Exit); 5] = [
        (&|dir| fs::remove_file(known(dir)).unwrap(), "is missing", Exit::Incomplete),
        (&|dir| fs::write(known(dir), "no note").unwrap(), "is damaged", Exit::Broken),
        (&|dir| kept(dir), "it does not note", Exit::Broken),
        (
            &|dir| fs::write(known(dir), &noted).unwrap(),
            "of which the witness has no checkpoint",
            Exit::Incomplete,
        ),
        (
            &|dir| {
                fs::write(known(dir), &noted).unwrap();
                fs::write(dir.witness_memory().join(&own), "no checkpoint").unwrap();
            },
            "holds no checkpoint of that log",
            Exit::Broken,
        ),
    ];
    for (damage, told, exit) in cases {
        let (defects, found) = told_of(damage);
        assert_eq!((defects.len(), found), (1, exit), "{told}: {defects:#?}");
        assert!(defects[0].detail.contains(told), "{defects:#?}");
    }
}
