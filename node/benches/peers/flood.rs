//! Honest members and clients beside two members that ask and dial without end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::peer::{Flooded, Peer};
use crate::percentiles;
use crate::world::{Outcome, addresses, found, run};

/// How long each side is measured.
const TIME: Duration = Duration::from_secs(12);
/// Rounds, each without and then with the flood: the machine may be busy with something else.
const ROUNDS: usize = 2;

/// How long questions and reads took.
struct Waits {
    questions: Vec<Duration>,
    reads: Vec<Duration>,
}

/// Prints both, without and beside the flood, and the ratios.
pub(crate) async fn measure() -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = root.path().join("node");
    found(&dir, 1..4)?;
    let _node = run(&dir)?;
    let (url, to) = addresses(&dir)?;
    let mut honest = Peer::new(1, &to)?;
    honest.connect().await?;
    let (mut quiet, mut beside) = (Vec::new(), Vec::new());
    let mut flooded = Vec::new();
    for _ in 0..ROUNDS {
        quiet.push(waits(&mut honest, &url, &dir).await?);
        let stop = Arc::new(AtomicBool::new(false));
        let flooders: Vec<_> = [2, 3]
            .into_iter()
            .map(|number| {
                let (mut peer, stop) = (Peer::new(number, &to)?, Arc::clone(&stop));
                Ok(tokio::spawn(async move { peer.flood(stop).await }))
            })
            .collect::<Outcome<_>>()?;
        beside.push(waits(&mut honest, &url, &dir).await?);
        stop.store(true, Ordering::Relaxed);
        for flooder in flooders {
            flooded.push(flooder.await?);
        }
    }
    tell("a member's questions", &quiet, &beside, |waits| &waits.questions);
    tell("reads by HTTP", &quiet, &beside, |waits| &waits.reads);
    let sum = |of: fn(&Flooded) -> u64| flooded.iter().map(of).sum::<u64>();
    println!(
        "the flooders: {} answered, {} refused, cut off {} times",
        sum(|one| one.answered),
        sum(|one| one.refused),
        sum(|one| one.cut_off)
    );
    Ok(())
}

async fn waits(honest: &mut Peer, url: &str, dir: &Path) -> Outcome<Waits> {
    let end = Instant::now() + TIME;
    let client = reqwest::Client::new();
    let url = format!("{url}/log/checkpoint");
    let reading = tokio::spawn(async move {
        let mut times = Vec::new();
        while Instant::now() < end {
            let asked = Instant::now();
            let answer = client.get(&url).send().await.map_err(|e| e.to_string())?;
            let status = answer.status();
            answer.bytes().await.map_err(|e| e.to_string())?;
            if status != reqwest::StatusCode::OK {
                return Err(format!("a reader was answered {status}"));
            }
            times.push(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(times)
    });
    let questions = honest.honest(end).await.map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(Waits { questions, reads: reading.await?? })
}

fn tell(what: &str, quiet: &[Waits], beside: &[Waits], of: fn(&Waits) -> &Vec<Duration>) {
    let all = |rounds: &[Waits]| {
        let times: Vec<Duration> = rounds.iter().flat_map(of).copied().collect();
        let rate = times.len() as f64 / (TIME.as_secs_f64() * rounds.len() as f64);
        (rate, percentiles(times).map(|time| time.as_secs_f64() * 1e3))
    };
    let ((calm, [q50, q99]), (rate, [p50, p99])) = (all(quiet), all(beside));
    println!(
        "{what}: {rate:.0} a second, p50 {p50:.2} ms, p99 {p99:.2} ms beside two flooders; \
         {calm:.0} a second, p50 {q50:.2} ms, p99 {q99:.2} ms without; p99 ratio {:.2}",
        p99 / q99
    );
}
