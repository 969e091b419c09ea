//! Builds the three programs with the same cargo, profile and selection as everything else, so
//! that nothing is built twice.

use std::path::Path;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::world::program::Programs;

/// Builds and says where the programs are; cargo shows its own progress on stderr.
pub async fn programs() -> anyhow::Result<Programs> {
    let programs = Programs::beside_this()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("Cargo.toml").exists() {
        // Installed elsewhere: the programs lie beside this one.
        return Ok(programs);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--workspace", "--bins", "--locked"]).current_dir(root);
    // `cargo run` describes the demo's own package to it; a build script that reads those variables
    // (ring's does) would run again, and half of the workspace with it.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|begin| name.starts_with(begin)) {
            build.env_remove(&key);
        }
    }
    let exe = std::env::current_exe()?;
    if exe.parent().is_some_and(|folder| folder.ends_with("release")) {
        build.arg("--release");
    }
    let status = build.kill_on_drop(true).status().await.context("cannot start cargo")?;
    ensure!(status.success(), "the programs could not be built");
    Ok(programs)
}
