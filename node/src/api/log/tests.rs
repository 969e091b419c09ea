//! The log as any client of tlog-tiles and tlog-witness sees it.

use std::io::Read as _;

use axum::http::{Request, StatusCode};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::note::SignedNote;

use crate::api::tests::{FAR, World, bytes, header_of};

async fn fetch(world: &World, path: &str) -> Option<Vec<u8>> {
    let (status, response) = world.get(FAR, path).await;
    match status {
        StatusCode::OK => Some(bytes(response).await),
        StatusCode::NOT_FOUND => None,
        other => panic!("{path}: {other}"),
    }
}

async fn size(world: &World) -> u64 {
    let note = fetch(world, "/log/checkpoint").await.unwrap();
    SignedNote::parse(&note).unwrap().checkpoint().unwrap().size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_width_below_the_published_size_is_served_before_and_after_the_full_tile() {
    let world = World::new().await;
    world.grow(20).await;
    for (more, full) in [(0, false), (280, true)] {
        world.grow(more).await;
        let size = size(&world).await;
        assert_eq!(256 < size, full, "{size}");
        let widest = if full { 256 } else { size };
        for kind in ["0", "entries"] {
            let each =
                if kind == "0" { 32 } else { 2 + Entry::parse(&[0; 41]).unwrap().to_bytes().len() };
            let name = match full {
                true => format!("/log/tile/{kind}/000"),
                false => format!("/log/tile/{kind}/000.p/{size}"),
            };
            let whole = fetch(&world, &name).await.expect("the widest is there");
            assert_eq!(whole.len(), each * widest as usize);
            for width in (1..widest.min(255)).step_by(7).chain([widest.min(255)]) {
                let path = format!("/log/tile/{kind}/000.p/{width}");
                let part = fetch(&world, &path).await.expect("any width is there");
                assert_eq!(part, whole[..each * width as usize], "{path}");
            }
            if !full {
                let beyond = format!("/log/tile/{kind}/000.p/{}", size + 1);
                assert_eq!(fetch(&world, &beyond).await, None, "not published");
                assert_eq!(fetch(&world, &format!("/log/tile/{kind}/000")).await, None);
            }
        }
        let above = fetch(&world, "/log/tile/1/000.p/1").await;
        assert_eq!(above.is_some(), full);
        assert_eq!(fetch(&world, "/log/tile/1/000.p/2").await, None);
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundles_are_packed_for_whom_it_suits_and_validators_follow_the_bytes() {
    let world = World::new().await;
    world.grow(50).await;
    let path = format!("/log/tile/entries/000.p/{}", size(&world).await);
    let (_, plain) = world.get(FAR, &path).await;
    assert!(plain.headers().get("content-encoding").is_none());
    let plain_tag = header_of(&plain, "etag");
    assert_eq!(header_of(&plain, "vary"), "accept-encoding");
    assert_eq!(header_of(&plain, "content-type"), "application/octet-stream");
    let plain = bytes(plain).await;
    let asked = || Request::get(&path).header("accept-encoding", "gzip");
    let (_, packed) = world.ask(FAR, asked(), Vec::new()).await;
    assert_eq!(header_of(&packed, "content-encoding"), "gzip");
    assert!(header_of(&packed, "cache-control").contains("immutable"));
    let tag = header_of(&packed, "etag");
    assert_ne!(tag, plain_tag);
    let packed = bytes(packed).await;
    assert!(packed.len() < plain.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    let known = world.ask(FAR, asked().header("if-none-match", tag), Vec::new()).await.0;
    assert_eq!(known, StatusCode::NOT_MODIFIED);
    // HEAD tells the same and sends nothing.
    let (status, head) = world.ask(FAR, Request::head(&path), Vec::new()).await;
    assert_eq!((status, header_of(&head, "etag")), (StatusCode::OK, plain_tag));
    assert_eq!(bytes(head).await, b"");
    // A checkpoint may be kept, but is asked for each time.
    let (_, note) = world.get(FAR, "/log/checkpoint").await;
    assert_eq!(header_of(&note, "cache-control"), "no-cache, max-age=0");
    assert_eq!(header_of(&note, "content-type"), "text/plain; charset=utf-8");
    let tag = header_of(&note, "etag");
    let again = |tag: &str| Request::get("/log/checkpoint").header("if-none-match", tag);
    assert_eq!(world.ask(FAR, again(&tag), Vec::new()).await.0, StatusCode::NOT_MODIFIED);
    world.grow(1).await;
    assert_eq!(world.ask(FAR, again(&tag), Vec::new()).await.0, StatusCode::OK);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_tiles_are_not_found() {
    let world = World::new().await;
    for name in [
        "0/00",
        "0/0000",
        "0/x000/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "00/000",
        "8/000",
        "63/000",
        "64/000",
        "-1/000",
        "0/x000",
        "entries/x001/x002/003",
        "entries/000.p/999",
        "data/000",
        "0/000.p/1/",
        "0//000",
        "entries",
        "0/%2e%2e/000",
        "0/999/x999",
    ] {
        assert_eq!(fetch(&world, &format!("/log/tile/{name}")).await, None, "{name}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_answers_with_the_statuses_and_types_of_tlog_witness() {
    let world = World::new().await;
    let note = String::from_utf8(fetch(&world, "/log/checkpoint").await.unwrap()).unwrap();
    // Of this very note: the log may grow meanwhile.
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let unknown = note.replacen("demo/", "other/", 1);
    let root = note.lines().nth(2).unwrap();
    let other = if root.starts_with('A') { "B" } else { "A" };
    let altered = note.replacen(root, &format!("{other}{}", &root[1..]), 1);
    let ask = |body: String| {
        let request = Request::post("/log/add-checkpoint").header("content-type", "text/plain");
        world.ask(FAR, request, body.into_bytes())
    };
    let hash = "A".repeat(43) + "=";
    for (body, expected) in [
        (String::new(), 400),
        (format!("old {}\n\n{note}", size + 1), 400),
        (format!("old 0\n\n{unknown}"), 404),
        (format!("old 0\n\n{altered}"), 403),
        (format!("old 1\n\n{note}"), 409),
        (format!("old 0\n{hash}\n\n{note}"), 422),
        (format!("old 0\n\n{note}"), 200),
        (format!("old 0\n\n{note}"), 409),
        (format!("old {size}\n{hash}\n\n{note}"), 422),
        (format!("old {size}\n\n{note}"), 200),
    ] {
        let (status, response) = ask(body.clone()).await;
        assert_eq!(status.as_u16(), expected, "{body}");
        let kind = header_of(&response, "content-type");
        let text = String::from_utf8(bytes(response).await).unwrap();
        match expected {
            200 => assert!(text.starts_with('\u{2014}') && text.ends_with('\n'), "{text}"),
            409 => {
                let held = if body.starts_with("old 1") { 0 } else { size };
                assert_eq!((kind.as_str(), text), ("text/x.tlog.size", format!("{held}\n")));
            }
            _ => assert_eq!(kind, "application/problem+json", "{body}"),
        }
    }
    world.end();
}
