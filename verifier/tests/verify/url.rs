//! A node read at its URL, by a program with feature `url`; one without it says how to get it.

use super::command::{stderr, verify};

#[cfg(not(feature = "url"))]
#[test]
fn a_url_is_refused_with_the_command_that_builds_what_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1:1", "https://node.example.org/"] {
        let refused = verify(&["check", url], folder.path());
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(url) && said.contains("--features url"), "{said}");
        assert!(said.contains("hallmark-node export DIR"), "{said}");
    }
    let refused = verify(&["check", "./http://127.0.0.1:1"], folder.path());
    assert_eq!(refused.status.code(), Some(3), "a file may be called so: {}", stderr(&refused));
}

#[cfg(feature = "url")]
mod asked {
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use hallmark_schemas::attestation::ContentId;
    use hallmark_schemas::audience::Audience;
    use hallmark_schemas::frame;
    use hallmark_schemas::layout::Dir;
    use hallmark_schemas::note::SignedNote;

    use super::super::command::stdout;
    use super::super::world::World;
    use super::{stderr, verify};

    /// Status, further header lines, body.
    type Answer = (u16, &'static str, Vec<u8>);

    /// A node's public routes over its folder.
    struct Shop {
        dir: Dir,
        public: BTreeMap<String, Vec<u8>>,
        /// Answers that stand in for the right ones, each given so often.
        wrong: Mutex<BTreeMap<String, (usize, Answer)>>,
    }

    impl Shop {
        /// A world's folder, and what may be read of it.
        fn of(world: &World, path: &Path) -> Shop {
            world.write_dir(path);
            let pairs = world.entries.iter().zip(&world.bodies);
            let public = pairs.filter(|(entry, _)| entry.audience == 0);
            let named = |id: &ContentId| format!("/v1/attestations/{id}");
            let public = public.map(|(entry, body)| (named(&entry.id), body.clone())).collect();
            Shop { dir: Dir::new(path), public, wrong: Mutex::default() }
        }

        fn instead(self, path: &str, often: usize, answer: Answer) -> Shop {
            self.wrong.lock().unwrap().insert(path.to_owned(), (often, answer));
            self
        }

        fn answer(&self, path: &str) -> Answer {
            if let Some((left, answer)) = self.wrong.lock().unwrap().get_mut(path)
                && 0 < *left
            {
                *left -= 1;
                return answer.clone();
            }
            let data = self.dir.data();
            let file = |path: PathBuf| match fs::read(path) {
                Ok(bytes) => (200, "", bytes),
                Err(_) => (404, "", b"{}".to_vec()),
            };
            if let Some(after) = path.strip_prefix("/log/checkpoints?after=") {
                let after: u64 = after.parse().unwrap();
                let history = fs::read(data.checkpoints()).unwrap();
                let notes = frame::scan(&history).filter_map(|piece| match piece {
                    frame::Piece::Record { content, .. } => SignedNote::parse(content).ok(),
                    _ => None,
                });
                let later = notes.filter(|note| after < note.checkpoint().unwrap().size);
                let later: Vec<_> = later.map(|note| note.to_string()).collect();
                return (200, "", later.join("\n").into_bytes());
            }
            match path {
                "/network.hallmark" => file(self.dir.network()),
                "/log/checkpoint" => file(data.checkpoint()),
                _ => match (path.strip_prefix("/log/tile/"), self.public.get(path)) {
                    (Some(tile), _) => file(data.tile(&format!("tile/{tile}"))),
                    (None, Some(body)) => (200, "", body.clone()),
                    (None, None) => (404, "", b"{}".to_vec()),
                },
            }
        }

        /// Opens; the URL of it. It closes with the test.
        fn open(self) -> String {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    serve(&self, stream.unwrap());
                }
            });
            url
        }
    }

    fn serve(shop: &Shop, mut stream: TcpStream) {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let Some(path) = head.split(' ').nth(1) else { return };
        let (status, lines, body) = shop.answer(path);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{lines}");
        // Whoever refuses an answer hangs up before its end.
        let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
        let _ = stream.write_all(&body);
    }

    /// Identity that anyone may read, and readings for this audience.
    fn world(readings: Audience) -> World {
        let mut world = World::for_audience(2, Audience::Public);
        world.publish();
        world.aud = readings;
        let first = world.readings(1, None, 41_003);
        world.readings(2, Some(first), 39_871);
        world.publish();
        world
    }

    /// Checks the node at this URL: exit code, and everything said.
    fn check(url: &str, more: &[&str], folder: &Path) -> (i32, String) {
        let ran = verify(&[&["check", url], more].concat(), folder);
        (ran.status.code().unwrap(), stdout(&ran) + &stderr(&ran))
    }

    #[test]
    fn a_node_at_its_url_is_proved_and_judged_like_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("plant");
        let url = Shop::of(&world(Audience::Public), &dir).open();
        let told = |input: &str| {
            let ran = verify(&["check", input, "--report", "json"], folder.path());
            assert_eq!(ran.status.code(), Some(0), "{}{}", stdout(&ran), stderr(&ran));
            serde_json::from_slice::<serde_json::Value>(&ran.stdout).unwrap()
        };
        let (far, near) = (told(&url), told("plant"));
        for part in ["steps", "logs", "findings", "rules_run", "unchecked", "verdict"] {
            assert_eq!(far[part], near[part], "{part}");
        }
        assert_eq!(far["logs"][0]["size"], 5);
        assert_eq!(far["sources"][0]["name"], url.as_str());
        // The caller's own network file decides whom to trust.
        let trusted = dir.join("network.hallmark");
        let (code, said) = check(&url, &[trusted.to_str().unwrap()], folder.path());
        assert_eq!(code, 0, "{said}");
        let other = folder.path().join("other.hallmark");
        fs::write(&other, World::new(0).network.bytes()).unwrap();
        let (code, said) = check(&url, &[other.to_str().unwrap()], folder.path());
        assert_eq!(code, 4, "{said}");
    }

    #[test]
    fn what_is_not_for_everyone_is_told_as_not_checked() {
        let folder = tempfile::tempdir().unwrap();
        let shop = Shop::of(&world(Audience::Members), &folder.path().join("plant"));
        let (code, said) = check(&shop.open(), &[], folder.path());
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("the bodies of 2 entries"), "{said}");
    }

    #[test]
    fn what_a_node_lists_and_does_not_give_is_incomplete_and_what_it_gives_changed_broken() {
        let whole = world(Audience::Public);
        let body = format!("/v1/attestations/{}", whole.entries[3].id);
        let other = whole.bodies[4].clone();
        let cases: [(&str, Answer, i32, &str); 6] = [
            (&body, (404, "", Vec::new()), 5, "does not give them: 1, the first that of entry 3"),
            (&body, (200, "", other), 4, "the body stored as"),
            (&body, (410, "", Vec::new()), 5, "does not give them: 1, the first that of entry 3"),
            ("/log/tile/entries/000.p/5", (404, "", Vec::new()), 5, "entries 0 to 4"),
            ("/log/tile/entries/000.p/5", (200, "", vec![0; 9]), 4, "/log/tile/entries/000.p/5: "),
            ("/log/tile/0/000.p/5", (200, "", vec![0; 160]), 4, "tile/0/000.p/5"),
        ];
        for (path, answer, wanted, text) in cases {
            let folder = tempfile::tempdir().unwrap();
            let shop = Shop::of(&whole, &folder.path().join("plant"));
            let url = shop.instead(path, usize::MAX, answer).open();
            let (code, said) = check(&url, &[], folder.path());
            assert_eq!(code, wanted, "{path}: {said}");
            assert!(said.contains(text), "{path}: {said}");
        }
    }

    #[test]
    fn a_busy_node_is_asked_again_and_one_that_answers_something_else_is_refused() {
        let big = vec![0; (1 << 20) + 1];
        let far = "Location: http://192.0.2.1/log/checkpoint\r\n";
        let cases: [(&str, usize, Answer, i32, &str); 7] = [
            ("/log/checkpoint", 1, (429, "Retry-After: 1\r\n", Vec::new()), 0, "nothing found"),
            ("/log/checkpoint", 9, (302, far, Vec::new()), 3, "answered with status 302"),
            ("/log/checkpoint", 9, (500, "", Vec::new()), 6, "answered with status 500"),
            ("/log/checkpoint", 9, (200, "", b"no".to_vec()), 3, "the answer to /log/checkpoint"),
            ("/log/checkpoint", 9, (200, "", big.clone()), 3, "longer than 1048576 bytes"),
            ("/network.hallmark", 9, (404, "", Vec::new()), 3, "answered with status 404"),
            ("/network.hallmark", 9, (200, "", big), 3, "longer than 921600 bytes"),
        ];
        for (path, often, answer, wanted, text) in cases {
            let folder = tempfile::tempdir().unwrap();
            let shop = Shop::of(&world(Audience::Public), &folder.path().join("plant"));
            let url = shop.instead(path, often, answer).open();
            let (code, said) = check(&url, &[], folder.path());
            assert_eq!(code, wanted, "{path}: {said}");
            assert!(said.contains(text), "{path}: {said}");
            assert!(wanted == 0 || said.contains("help: "), "{path}: {said}");
        }
    }

    #[test]
    fn a_claimed_size_is_not_believed_and_nobody_far_is_asked_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(Audience::Public);
        let note = world.checkpoints.last().unwrap().to_string();
        let huge = note.replacen("\n5\n", "\n1152921504606846976\n", 1);
        let shop = Shop::of(&world, &folder.path().join("plant"));
        let answer = (200, "", huge.into_bytes());
        let url = shop.instead("/log/checkpoint", 1, answer).open();
        let (code, said) = check(&url, &[], folder.path());
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("1152921504606846976 entries"), "{said}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        for (url, wanted) in [
            (closed.as_str(), 6),
            ("http://192.0.2.1", 2),
            ("http://who@127.0.0.1:1", 2),
            ("http://127.0.0.1:1/?a=b", 2),
        ] {
            let (code, said) = check(url, &[], folder.path());
            assert_eq!(code, wanted, "{url}: {said}");
            assert!(said.contains("help: "), "{url}: {said}");
        }
    }
}
