//! What some tests need from outside the crate: how it is set up below `target/`, and what becomes
//! of a test without it. It is ignored, or fails in CI.

#![allow(unreachable_pub, reason = "a module of test crates, which have no public items")]

use libtest_mimic::{Arguments, Completion, Trial};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{LazyLock, Mutex};

/// Where something is, which is set up when it is first asked for. If it cannot be had: one line
/// that says so, and by which command to get it.
pub type Need = LazyLock<Result<PathBuf, String>>;

/// Tests with their names. One that is in no list is dead code to the compiler.
macro_rules! named {
    ($($test:ident),* $(,)?) => { [$((stringify!($test), $test as fn())),*] };
}
pub(crate) use named;

/// Tests that need something, or nothing.
pub fn needing<const N: usize>(
    need: Option<&'static Need>,
    tests: [(&'static str, fn()); N],
) -> impl Iterator<Item = Trial> {
    tests.into_iter().map(move |(name, test)| {
        Trial::ignorable_test(name, move || match need.map(|need| &**need) {
            Some(Err(missing)) if is_ci() => Err(missing.into()),
            Some(Err(missing)) => {
                MISSING.lock()?.insert(missing);
                Ok(Completion::ignored())
            }
            Some(Ok(_)) | None => {
                test();
                Ok(Completion::Completed)
            }
        })
    })
}

static MISSING: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// Runs tests as the command line says, and names at the end what was missing.
pub fn run(tests: impl Iterator<Item = Trial>) -> ExitCode {
    let conclusion = libtest_mimic::run(&Arguments::from_args(), tests.collect());
    for missing in MISSING.lock().iter().flat_map(|missing| missing.iter()) {
        eprintln!("tests were ignored: {missing}");
    }
    conclusion.exit_code()
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

/// Where tests may write.
pub fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// What a command prints, if there is such a program and it succeeds.
pub fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// A folder that `make` fills, once for each `versions`. It is filled under another name, so that
/// it is complete as soon as it is there, whoever else is at it.
pub fn install(
    name: &str,
    versions: impl Hash,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    versions.hash(&mut hasher);
    let parent = scratch().join("setup");
    let folder = parent.join(format!("{name}-{:016x}", hasher.finish()));
    if folder.exists() {
        return Ok(folder);
    }
    eprintln!("setting up {}", folder.display());
    let unfinished = parent.join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&unfinished);
    let made = std::fs::create_dir_all(&unfinished)
        .map_err(in_words(&unfinished))
        .and_then(|()| make(&unfinished))
        .and_then(|()| std::fs::rename(&unfinished, &folder).map_err(in_words(&folder)));
    let _ = std::fs::remove_dir_all(&unfinished);
    // Another test program may have been faster.
    if folder.exists() { Ok(folder) } else { made.map(|()| folder) }
}

pub fn in_words<E: Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// A Python environment, and what `pip install` puts into it with these arguments.
pub fn python(name: &str, versions: &str, pip: &[&OsStr]) -> Result<PathBuf, String> {
    let missing = || "no python3 with venv: apt-get install python3 python3-venv".to_owned();
    let version = ask("python3", &["--version"]).ok_or_else(missing)?;
    install(name, (version, versions), |folder| {
        ask("python3", &["-c", "import ensurepip"]).ok_or_else(missing)?;
        finish("venv", tool("python3").args(["-m", "venv"]).arg(folder))?;
        let mut command = tool(folder.join("bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        finish("pip", command.args(pip).current_dir(folder))
    })
}

/// A program that is to keep its caches and its temporary files below `target/`.
pub fn tool(program: impl AsRef<OsStr>) -> Command {
    let cache = scratch().join("setup/cache");
    let temporary = scratch().join("setup/tmp");
    let _ = std::fs::create_dir_all(&temporary);
    let mut command = Command::new(program);
    command.env("TMPDIR", temporary);
    command.env("PIP_CACHE_DIR", cache.join("pip")).env("npm_config_cache", cache.join("npm"));
    command
}

/// Lets it do its work. What it says is shown if it fails.
pub fn finish(name: &str, command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(format!("{name} fails, see above"))
}
