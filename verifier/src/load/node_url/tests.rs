use super::{NodeUrlError, base_of, split_notes};

#[test]
fn only_loopback_is_asked_without_tls_and_a_url_is_address_and_path_alone() {
    for (url, base) in [
        ("https://node.example.org", "https://node.example.org"),
        ("https://node.example.org:8443/hallmark/", "https://node.example.org:8443/hallmark"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("HTTP://127.8.9.1:8080", "http://127.8.9.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ] {
        assert_eq!(base_of(url).expect(url), base);
    }
    for url in [
        "http://node.example.org",
        "http://192.0.2.1/",
        "http://[2001:db8::1]/",
        "http://localhost.example.org/",
        "http://127.0.0.1.example.org/",
        "http://0.0.0.0/",
    ] {
        assert!(matches!(base_of(url), Err(NodeUrlError::NotEncrypted { .. })), "{url}");
    }
    for url in [
        "https://who@node.example.org",
        "https://who:what@node.example.org",
        "http://127.0.0.1@node.example.org",
        "https://node.example.org/?a=b",
        "https://node.example.org/#a",
    ] {
        assert!(matches!(base_of(url), Err(NodeUrlError::NotBare)), "{url}");
    }
    for url in ["https://", "http://:80", "https://a b/"] {
        assert!(matches!(base_of(url), Err(NodeUrlError::NotUrl { .. })), "{url}");
    }
}

#[test]
fn notes_one_after_the_other_come_apart_as_they_were() {
    let notes = ["a/1\n1\nAAA=\n\n— a/1 sig\n", "a/1\n2\nBBB=\n\n— a/1 sig\n— w sig\n"];
    let told: Vec<Vec<u8>> = notes.iter().map(|note| note.as_bytes().to_vec()).collect();
    assert_eq!(split_notes(notes.join("\n").as_bytes()), told);
    assert_eq!(split_notes(notes[0].as_bytes()), told[..1]);
    assert_eq!(split_notes(b""), Vec::<Vec<u8>>::new());
}
