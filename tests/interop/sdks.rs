//! The real Python and Node SDKs: how they are set up, and how their scripts are run.

#![allow(unreachable_pub, reason = "a module of test crates, which have no public items")]

use crate::setup::{self, Need};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The SDKs of a language.
#[derive(Clone, Copy, Debug)]
pub enum Sdk {
    Python,
    Node,
}

impl Sdk {
    /// The program that runs scripts, which find the SDKs.
    pub fn interpreter(self) -> Command {
        match self {
            Sdk::Python => {
                let folder = PYTHON_SDKS.as_ref().unwrap();
                let mut command = Command::new(folder.join("bin/python"));
                // Keeps its caches out of the sources.
                command.arg("-B");
                command
            }
            Sdk::Node => {
                let folder = NODE_SDKS.as_ref().unwrap();
                let mut command = Command::new("node");
                command.env("NODE_PATH", folder.join("node_modules"));
                command
            }
        }
    }

    /// A script of `tests/interop`, by its name without an ending.
    pub fn script(self, name: &str) -> Command {
        let (language, ending) = match self {
            Sdk::Python => ("python", "py"),
            Sdk::Node => ("node", "js"),
        };
        let mut command = self.interpreter();
        command.arg(sources(language).join(name).with_extension(ending));
        command
    }
}

pub static PYTHON_SDKS: Need = LazyLock::new(|| {
    let list = sources("python").join("requirements.txt");
    let versions = std::fs::read_to_string(&list).unwrap();
    setup::python("python", &versions, &[OsStr::new("--requirement"), list.as_os_str()])
});

pub static NODE_SDKS: Need = LazyLock::new(|| {
    let missing = || "no node with npm: apt-get install nodejs npm".to_owned();
    let version = setup::ask("node", &["--version"]).ok_or_else(missing)?;
    let lists = ["package.json", "package-lock.json"];
    let versions = lists.map(|list| std::fs::read(sources("node").join(list)).unwrap());
    setup::install("node", (version, &versions), |folder| {
        setup::ask("npm", &["--version"]).ok_or_else(missing)?;
        for (list, content) in lists.iter().zip(&versions) {
            let copy = folder.join(list);
            std::fs::write(&copy, content).map_err(setup::in_words(&copy))?;
        }
        let mut npm = setup::tool("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        setup::finish("npm", npm.current_dir(folder))
    })
});

/// Where the scripts are, for a package that is further down as well.
fn sources(language: &str) -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let sources = folders.map(|folder| folder.join("tests/interop").join(language));
    sources.into_iter().find(|sources| sources.is_dir()).unwrap()
}

/// Runs a script to its end, and returns the lines it printed.
pub async fn finish(mut command: Command, input: &str) -> Vec<Value> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = async move { stdin.write_all(input.as_bytes()).await };
    let both = async { tokio::join!(feed, child.wait_with_output()) };
    let (fed, output) = tokio::time::timeout(Duration::from_secs(120), both)
        .await
        .unwrap_or_else(|_| panic!("not done after two minutes: {command:?}"));
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fed.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
