//! Running curl and fcurl, each in a folder of its own.

use crate::server::{ID, SECRET, SERVERS, Server};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a program did.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub errors: String,
    /// The files that it made.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// A folder with files to send, which is gone when it is dropped.
pub struct Folder(PathBuf);

/// Text of several lines, bytes of all values, and more than an argument can be.
pub fn files() -> [(&'static str, Vec<u8>); 5] {
    [
        ("lines.txt", b"a=1\r\nb=2\n".to_vec()),
        ("binary.bin", (0..=255).collect()),
        ("large.txt", b"0123456789abcde\n".repeat(20_000)),
        ("headers.txt", b"x-one: 1\n\nx-two: 2\n".to_vec()),
        ("ca.pem", SERVERS.certificate.clone().into_bytes()),
    ]
}

impl Folder {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fcurl-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        for (name, content) in files() {
            std::fs::write(path.join(name), content).unwrap();
        }
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// What a program does here, with an access key in its environment.
    pub fn run<A: AsRef<str>>(&self, program: &str, args: &[A], input: &[u8]) -> Outcome {
        let key =
            [("ALIBABA_CLOUD_ACCESS_KEY_ID", ID), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)];
        self.run_with(&key, program, args, input)
    }

    pub fn run_with<A: AsRef<str>>(
        &self,
        variables: &[(&str, &str)],
        program: &str,
        args: &[A],
        input: &[u8],
    ) -> Outcome {
        let mut command = Command::new(if program == "fcurl" { FCURL } else { program });
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text.starts_with("alibaba_cloud") || text.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.args(args.iter().map(AsRef::as_ref)).current_dir(&self.0).env("HOME", &self.0);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Not all of them read it.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let mut made = BTreeMap::new();
        for entry in std::fs::read_dir(&self.0).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_file() && files().iter().all(|(known, _)| *known != name) {
                made.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
        Outcome {
            code: output.status.code(),
            out: output.stdout,
            errors: String::from_utf8(output.stderr).unwrap(),
            files: made,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FCURL: &str = env!("CARGO_BIN_EXE_fcurl");

/// What fcurl does with these arguments, in which `http:` and `https:` stand for the server that
/// asks for signatures.
pub fn fcurl(args: &[&str]) -> Outcome {
    Folder::new().run("fcurl", &at(&SERVERS.signed, args), b"")
}

/// Arguments with the addresses of a server in them: `HTTP`, `HTTPS`, and `HOST` without a scheme.
pub fn at(server: &Server, args: &[&str]) -> Vec<String> {
    let put = |arg: &&str| {
        let arg = arg.replace("HTTPS", &format!("https://{}", server.tls));
        let arg = arg.replace("HTTP", &format!("http://{}", server.plain));
        let arg = arg.replace("HOST", &server.plain.to_string());
        let arg = arg.replace("CLOSED", &format!("http://{}", SERVERS.closed));
        let arg = arg.replace("MUTE", &format!("http://{}", SERVERS.mute));
        let arg = arg.replace("GONE", &format!("http://{}", SERVERS.gone));
        let arg = arg.replace("RESET", &format!("http://{}", SERVERS.reset));
        let arg = arg.replace("HALF", &format!("http://{}", SERVERS.half));
        arg.replace("GARBAGE", &format!("http://{}", SERVERS.garbage))
    };
    args.iter().map(put).collect()
}
