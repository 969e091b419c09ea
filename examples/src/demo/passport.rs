//! The end of the story: codes are scanned, and the producer's node says what its records hold.
//!
//! Invariants: the passports are read after all findings were checked, so that the record that is
//! changed here spoils none of them; it is changed in place, by one character, behind the node.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use super::product::Labels;
use super::tell::Teller;
use super::verdict::Read;
use super::{NETWORK_WAIT_MAX, Stage};
use crate::generate::goods;
use crate::world::{http, until};

/// Scans the codes of five stories; what each passport said.
pub(super) async fn read(
    stage: &Stage,
    labels: &Labels,
    teller: &Teller,
) -> anyhow::Result<Vec<Read>> {
    let bench = &stage.input.data.bench;
    let honest = labels.link(stage.input.honest())?;
    let mut all = Vec::new();
    let mut asked = async |whose, link: &str, expected| -> anyhow::Result<()> {
        let read = ask(whose, link, expected).await?;
        teller.say(&read.line());
        all.push(read);
        Ok(())
    };
    asked("an honest flask", honest, "consistent").await?;
    teller.say("its buyer says \"I bought this\"");
    buy(stage, stage.input.honest()).await?;
    asked("the same flask", honest, "consistent_seen").await?;
    asked("the flask that was copied", labels.link(bench.copied())?, "copy_suspected").await?;
    asked("an invented serial", &invented(honest), "unknown").await?;

    let serial = bench.tampered();
    let (pack, at) = tamper(stage.producer.dir(), &format!("/21/{serial}"))?;
    let pack = pack.strip_prefix(&stage.folder).unwrap_or(&pack).display();
    teller.say(&format!("TAMPERED: byte {at} of {pack}, in a record of serial {serial}"));
    asked("the flask of that record", labels.link(serial)?, "broken").await?;

    teller.say("");
    teller.say(&format!("the label of the honest flask: {honest}"));
    teller.drawing(&drawn(honest)?);
    Ok(all)
}

/// Reads a passport until it says what is expected, or for as long as the network may take.
async fn ask(whose: &'static str, link: &str, expected: &'static str) -> anyhow::Result<Read> {
    let get = async || {
        let accept = [("accept", "application/json")];
        let answer = http::send("GET", link, &accept, b"").await?;
        anyhow::Ok(Read { whose, expected, status: answer.status, passport: answer.json() })
    };
    let met = until("the passport", NETWORK_WAIT_MAX, || async {
        Ok(Some(get().await?).filter(|read| read.fault().is_none()))
    });
    match met.await {
        Ok(read) => Ok(read),
        // What it says instead is told at the end.
        Err(_) => get().await,
    }
}

/// What the button on the page sends.
async fn buy(stage: &Stage, serial: &str) -> anyhow::Result<()> {
    let (node, goods) = (stage.producer.url(), goods::item(serial));
    let path = goods.strip_prefix("https://id.gs1.org").context("a Digital Link")?;
    let accept = [("accept", "application/json")];
    let passport: Value = http::send("GET", &format!("{node}{path}"), &accept, b"").await?.json();
    let form = &passport["forms"]["confirmation"];
    let body = json!({ "goods": goods, "form": form, "act": "bought" });
    let url = format!("{node}/confirmations");
    let headers = [("content-type", "application/json")];
    let answer = http::send("POST", &url, &headers, body.to_string().as_bytes()).await?;
    let told: Value = answer.json();
    ensure!(answer.status == 201, "the confirmation got {}: {told}", answer.status);
    Ok(())
}

/// The same link with another last character of the serial: it was never issued.
fn invented(link: &str) -> String {
    let mut link = link.to_owned();
    let last = if link.pop() == Some('0') { '1' } else { '0' };
    link.push(last);
    link
}

/// Changes the last character of `needle` where a pack of the node holds it first: the file, and
/// the byte.
fn tamper(node: &Path, needle: &str) -> anyhow::Result<(PathBuf, u64)> {
    let mut packs: Vec<_> = std::fs::read_dir(node.join("data").join("packs"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    packs.sort();
    for path in packs {
        let bytes = std::fs::read(&path)?;
        let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
        if let Some(begin) = found {
            let at = begin + needle.len() - 1;
            let other = if bytes[at] == b'0' { b'1' } else { b'0' };
            // In place, because the node appends to the same file.
            let file = std::fs::File::options().write(true).open(&path)?;
            file.write_all_at(&[other], at as u64)?;
            return Ok((path, at as u64));
        }
    }
    None.with_context(|| format!("no pack holds {needle}"))
}

/// A QR code in half blocks, one string a line, with its quiet zone. Light modules are drawn: most
/// terminals are dark.
fn drawn(link: &str) -> anyhow::Result<Vec<String>> {
    let code = QrCode::new(link).context("too long for a QR code")?;
    let text = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .module_dimensions(1, 1)
        .build();
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_code_is_drawn_within_a_quiet_zone() {
        const QUIET: usize = 4;
        let link = "http://127.0.0.1:8080/01/09521234000129/10/L7/21/7Q2M4N8K0XWJ5RB1T3FD";
        let code = QrCode::new(link).unwrap();
        let (width, modules) = (code.width(), code.to_colors());
        let lines = drawn(link).unwrap();
        assert_eq!(lines.len(), (width + 2 * QUIET).div_ceil(2));
        for (row, line) in lines.iter().enumerate() {
            let line: Vec<char> = line.chars().collect();
            assert_eq!(line.len(), width + 2 * QUIET);
            for (x, drawn) in line.into_iter().enumerate() {
                let halves = match drawn {
                    ' ' => [false, false],
                    '\u{2580}' => [true, false],
                    '\u{2584}' => [false, true],
                    '\u{2588}' => [true, true],
                    other => panic!("{other:?}"),
                };
                for (half, is_light) in halves.into_iter().enumerate() {
                    let y = 2 * row + half;
                    let inside = QUIET..QUIET + width;
                    let is_dark = inside.contains(&x)
                        && inside.contains(&y)
                        && modules[(y - QUIET) * width + x - QUIET] == qrcode::Color::Dark;
                    let is_beyond = width + 2 * QUIET <= y;
                    assert_eq!(is_light, !is_dark && !is_beyond, "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn one_character_of_the_first_record_is_changed_and_nothing_else() {
        let node = tempfile::tempdir().unwrap();
        let packs = node.path().join("data").join("packs");
        std::fs::create_dir_all(&packs).unwrap();
        std::fs::write(packs.join("0"), "a/21/A0, b/21/B0").unwrap();
        std::fs::write(packs.join("1"), "c/21/B0").unwrap();
        assert_eq!(tamper(node.path(), "/21/B0").unwrap(), (packs.join("0"), 15));
        assert_eq!(std::fs::read(packs.join("0")).unwrap(), b"a/21/A0, b/21/B1");
        assert_eq!(std::fs::read(packs.join("1")).unwrap(), b"c/21/B0");
        assert!(tamper(node.path(), "/21/C0").is_err());
    }

    #[test]
    fn an_invented_serial_differs_from_the_printed_one() {
        assert_eq!(invented("x/21/AB7"), "x/21/AB0");
        assert_eq!(invented("x/21/AB0"), "x/21/AB1");
    }
}
