//! Where the three programs come from: `cargo demo` builds them first, with the same cargo, profile
//! and selection as everything else, so that nothing is built twice. Started by itself, the demo
//! takes those that lie beside it, wherever that is, and builds nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tokio::process::Command;

use super::tell::Teller;
use crate::world::program::Programs;

/// What the demo starts.
const PROGRAMS: [&str; 3] = ["hallmark-node", "hallmark-agent", "hallmark-verify"];

/// Programs that are not where they have to be.
#[derive(Debug)]
pub struct Missing {
    names: Vec<&'static str>,
    folder: PathBuf,
}

impl Missing {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        "put the demo beside the three programs, or run `cargo demo` in a checkout, which builds them"
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} not beside the demo in {}", self.names.join(", "), self.folder.display())
    }
}

impl std::error::Error for Missing {}

/// Builds the programs, where cargo runs the demo, and says where they are; cargo shows its own
/// progress on stderr.
pub(super) async fn programs(teller: &mut Teller) -> anyhow::Result<Programs> {
    let programs = Programs::beside_this()?;
    if let Some(root) = checkout(|name| std::env::var_os(name)) {
        teller.step("Build the three programs");
        build(&root).await?;
    } else {
        teller.step("Find the three programs");
    }
    missing(&programs)?;
    Ok(programs)
}

/// The root of the checkout whose demo cargo runs: it describes the demo's package to it.
fn checkout(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("CARGO")?;
    if variable("CARGO_PKG_NAME")? != env!("CARGO_PKG_NAME") {
        return None;
    }
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    package.parent().map(Path::to_owned)
}

fn missing(programs: &Programs) -> Result<(), Missing> {
    let mut names = PROGRAMS.to_vec();
    names.retain(|name| !programs.path(name).is_file());
    let folder = programs.path("");
    if names.is_empty() { Ok(()) } else { Err(Missing { names, folder }) }
}

async fn build(root: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--workspace", "--bins", "--locked"]).current_dir(root);
    // A build script that reads the variables that describe the demo's package (ring's does) would
    // run again, and half of the workspace with it.
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargo_that_runs_the_demo_names_a_checkout() {
        let of = |package: &'static str, has_cargo: bool| {
            checkout(move |name| match name {
                "CARGO" if has_cargo => Some("cargo".into()),
                "CARGO_PKG_NAME" => Some(package.into()),
                "CARGO_MANIFEST_DIR" => Some("/src/hallmark/examples".into()),
                _ => None,
            })
        };
        assert_eq!(of("hallmark-examples", true), Some(PathBuf::from("/src/hallmark")));
        assert_eq!(of("hallmark-examples", false), None);
        assert_eq!(of("hallmark-tests", true), None, "a test that starts the demo");
        assert_eq!(checkout(|_| None), None);
    }

    #[test]
    fn programs_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hallmark-node", "hallmark-verify"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let programs = Programs::in_folder(folder.path());
        let told = missing(&programs).unwrap_err().to_string();
        assert!(told.starts_with("hallmark-agent not beside the demo in /"), "{told}");
        std::fs::write(folder.path().join("hallmark-agent"), "").unwrap();
        assert!(missing(&programs).is_ok());
    }
}
