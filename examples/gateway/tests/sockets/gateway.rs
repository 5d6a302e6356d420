//! The program, as long as it is not dropped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub const ANONYMOUS: &[&str] = &["--auth", "anonymous"];

/// A running gateway.
pub struct Gateway {
    child: Child,
    pub address: String,
}

/// The program with these arguments and no access key in the environment, by a command that
/// becomes it.
fn command(by: &[&str], args: &[&str]) -> Command {
    let words = [by, &[env!("CARGO_BIN_EXE_fc-gateway")]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for name in ["ID", "SECRET"] {
        command.env_remove(format!("ALIBABA_CLOUD_ACCESS_KEY_{name}"));
    }
    command.args(args);
    command
}

/// What becomes of the program with arguments that it cannot start with.
pub fn output(args: &[&str]) -> Output {
    command(&[], args).output().unwrap()
}

impl Gateway {
    /// Starts one in front of this function.
    pub fn start(upstream: &str, args: &[&str]) -> Self {
        Self::start_by(&[], upstream, args)
    }

    /// The same, by a command that becomes it.
    pub fn start_by(by: &[&str], upstream: &str, args: &[&str]) -> Self {
        let mut command = command(by, &["--listen", "127.0.0.1:0", "--upstream", upstream]);
        let mut child =
            command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").and_then(|line| {
            let line = line.strip_suffix('\n')?;
            line.parse::<std::net::SocketAddr>().ok()
        });
        match address {
            Some(address) => Self { child, address: address.to_string() },
            None => {
                let mut errors = String::new();
                let _ = child.wait();
                child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
                panic!("the first line is {line:?}, {errors}");
            }
        }
    }

    pub fn anonymous(upstream: &str) -> Self {
        Self::start(upstream, ANONYMOUS)
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, as `kill` does.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it, and returns what it has said on the standard error.
    pub fn errors(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut errors = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that is gone when it is dropped.
pub struct File(PathBuf);

impl File {
    pub fn new(ending: &str, content: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fc-gateway-{}-{number}.{ending}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether a program is there. Where it is not, that is said, and is an error in CI.
pub fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        println!("not run: {program} is missing");
    }
    is_there
}
