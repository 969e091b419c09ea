//! `hallmark-verify check` needs no network: in an empty network namespace it says the same, and under
//! `strace` it makes no socket that leads anywhere.
//!
//! One of the two must work: an unprivileged user namespace or root for the first, ptrace for the
//! second. Where neither does the test fails and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hallmark_tests::vectors::{defects, passport};

use super::world::{World, path_text};

/// The program beside this test's folder.
fn verifier() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    folder.join("hallmark-verify")
}

/// What another command makes of `hallmark-verify check FILES`; `None` if it cannot be started.
fn within(command: &[&str], verify: &Path, files: &[&str]) -> Option<Output> {
    let mut child = Command::new(command[0]);
    child.args(&command[1..]).arg(verify).arg("check").args(files);
    child.output().ok()
}

#[test]
fn a_check_opens_no_socket() {
    let world = World::new();
    let (_, proof) = &defects::valid()[0];
    let files =
        [world.file("case.hallmark", passport::small()), world.file("case.defect", proof.bytes())];
    let files: Vec<&str> = files.iter().map(|path| path_text(path)).collect();
    let verify = verifier();
    let plain = Command::new(&verify).arg("check").args(&files).output().expect("it starts");
    let said = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(said.contains("Findings: "), "{said}");

    let mut seen = Vec::new();
    for namespace in [["unshare", "-rn"], ["unshare", "-n"]] {
        let can = Command::new(namespace[0]).args([namespace[1], "true"]).status();
        if can.is_ok_and(|status| status.success())
            && let Some(alone) = within(&namespace, &verify, &files)
        {
            assert_eq!(alone.stdout, plain.stdout, "without a network it says something else");
            assert_eq!(alone.status.code(), plain.status.code());
            seen.push(namespace.join(" "));
            break;
        }
    }
    let trace = world.path("trace.txt");
    let strace = ["strace", "-f", "-e", "trace=%network", "-o", path_text(&trace)];
    let can = Command::new("strace").args(["-o", path_text(&trace), "true"]).output();
    if can.is_ok_and(|output| output.status.success())
        && let Some(traced) = within(&strace, &verify, &files)
    {
        assert_eq!(traced.status.code(), plain.status.code());
        let calls = std::fs::read_to_string(&trace).expect("strace wrote it");
        // A pair leads nowhere but to the program itself, which hears of Ctrl-C through one.
        let is_own = |line: &&str| line.contains("socketpair(AF_UNIX,");
        let calls_made = calls.lines().filter(|line| line.contains('('));
        let sockets: Vec<_> = calls_made.filter(|line| !is_own(line)).collect();
        assert!(sockets.is_empty(), "it uses the network: {sockets:?}");
        assert!(calls.contains("+++ exited with"), "strace saw nothing: {calls}");
        seen.push("strace".to_owned());
    }
    assert!(
        !seen.is_empty(),
        "neither `unshare -rn` (util-linux; needs user namespaces or root) nor `strace` (needs \
         ptrace) works here, so nothing shows that a check opens no socket"
    );
    println!("seen by {}", seen.join(" and "));
}
