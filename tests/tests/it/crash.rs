//! kill -9 at random moments: nothing acknowledged is lost, doubled or moved.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::world::{SOON, World, http, run, wait};

/// One node killed ten times under load, from a printed seed.
#[test]
fn a_node_killed_ten_times_keeps_each_acknowledged_attestation_once_at_its_index() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(7);
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let token = node.token("capture");
    let mut recorded: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for round in 0..10 {
        let stop = AtomicBool::new(false);
        let (url, org) = (node.url.clone(), node.org.clone());
        let pause = Duration::from_millis(random.u64(30..700));
        let acknowledged = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..4)
                .map(|sender| {
                    let (url, token, stop, org) = (&url, &token, &stop, &org);
                    scope.spawn(move || {
                        let mut ids = Vec::new();
                        for number in 0.. {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let body = facility(org, &format!("r{round}-s{sender}-n{number}"));
                            ids.extend(post(url, token, &body));
                        }
                        ids
                    })
                })
                .collect();
            std::thread::sleep(pause);
            node.kill();
            stop.store(true, Ordering::Relaxed);
            senders
                .into_iter()
                .flat_map(|sender| sender.join().expect("no panic"))
                .collect::<Vec<_>>()
        });
        recorded.extend(acknowledged.into_iter().map(|id| (id, None)));
        node.start();
        node.ready();
    }
    assert!(
        10 < recorded.len(),
        "the load acknowledged too little: {}",
        recorded.len()
    );
    let mut indexes = BTreeMap::new();
    for (id, _) in &recorded {
        let place = wait("the index of an acknowledged attestation", SOON, || {
            let view = node.run("get", &[id, "--format", "json"]);
            let json: serde_json::Value = serde_json::from_str(view.stdout.lines().next()?).ok()?;
            json["index"]
                .as_u64()
                .or_else(|| json["entry"]["index"].as_u64())
        });
        assert_eq!(
            indexes.insert(place, id.clone()),
            None,
            "two attestations at index {place}"
        );
    }
    node.stop();
    run("hallmark-verify", &["check", node.dir_text()]).ok();
}

fn facility(org: &str, local: &str) -> String {
    let sub = org.replace(":org:", ":facility:");
    format!(
        r#"{{"kind":"facility","sub":"{sub}:{local}","payload":{{"v":1,"name":"{local}","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","sector":"steel","utc_offset":"+08:00"}}}}"#
    )
}

/// The id, if the node acknowledged.
fn post(url: &str, token: &str, body: &str) -> Option<String> {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let answer = http("POST", url, "/v1/attestations", &headers, body.as_bytes());
    if !(200..300).contains(&answer.status) {
        return None;
    }
    answer.json()["id"].as_str().map(ToOwned::to_owned)
}
