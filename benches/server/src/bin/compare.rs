//! Puts both servers under the same load in turn, and compares them. Started by `./run`.
//!
//! `compare PAIRS SECONDS A B` measures `serve A` and `serve B` in the order ABBA…, each time
//! in a new process. Servers run on the first core, wrk on the second. Half of the
//! requests are `small` and half are `typical` ones of the other benches, the latter with a
//! body of 1 KiB; they are signed before each pair, and both servers get the same bytes.

#![allow(clippy::unwrap_used)]

#[path = "../../../shapes/mod.rs"]
mod shapes;

use http::request::Parts;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tower_fc::Scheme;

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
const CONNECTIONS: &str = "16";
const WARM_UP: &str = "1";
const LEAST_THROUGHPUT: f64 = 0.97;
const MOST_LATENCY: f64 = 1.05;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [pairs, seconds, a, b] = args.as_slice() else {
        panic!("usage: compare PAIRS SECONDS A B");
    };
    let pairs: usize = pairs.parse().unwrap();
    check();
    println!("{CONNECTIONS} connections, {pairs} pairs of {seconds} s, A = {a}, B = {b}");
    println!(
        "{:>4} {:>8} {:>10} {:>8} {:>8} {:>8} {:>8} {:>5}",
        "pair", "", "req/s", "p50 µs", "p99 µs", "user µs", "CPU µs", "busy"
    );
    let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        let script = write_script();
        let order = if pair.is_multiple_of(2) { [0, 1] } else { [1, 0] };
        for which in order {
            let variant = [a, b][which];
            let run = Server::start(variant).measure(&script, seconds);
            println!(
                "{pair:>4} {variant:>8} {:>10.0} {:>8.0} {:>8.0} {:>8.3} {:>8.3} {:>4.0}%",
                run.throughput,
                run.p50,
                run.p99,
                run.user,
                run.cpu,
                run.throughput * run.cpu / 1e4
            );
            runs[which].push(run);
        }
        std::fs::remove_file(script).unwrap();
    }
    println!(
        "\n{:<12} {:>10} {:>10} {:>11} {:>12}   quartiles, extremes of paired",
        "", "median A", "median B", "of medians", "paired B/A"
    );
    let throughput = compare("req/s", &runs, |run| run.throughput);
    compare("p50 µs", &runs, |run| run.p50);
    let p99 = compare("p99 µs", &runs, |run| run.p99);
    compare("user µs/req", &runs, |run| run.user);
    compare("CPU µs/req", &runs, |run| run.cpu);
    let said = |met| if met { "met" } else { "NOT met" };
    println!("\nthroughput at least {LEAST_THROUGHPUT}: {}", said(throughput >= LEAST_THROUGHPUT));
    println!("p99 at most {MOST_LATENCY}: {}", said(p99 <= MOST_LATENCY));
}

/// Prints a row about one quantity; the median of its paired ratios.
fn compare(name: &str, runs: &[Vec<Run>; 2], of: fn(&Run) -> f64) -> f64 {
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let [a, b] = [0, 1].map(|which| sorted(runs[which].iter().map(of).collect()));
    let ratios = sorted(runs[0].iter().zip(&runs[1]).map(|(a, b)| of(b) / of(a)).collect());
    let (a, b, paired) = (quantile(&a, 0.5), quantile(&b, 0.5), quantile(&ratios, 0.5));
    let [low, high, least, most] = [0.25, 0.75, 0.0, 1.0].map(|q| quantile(&ratios, q));
    println!(
        "{name:<12} {a:>10.2} {b:>10.2} {:>11.4} {paired:>12.4}   {low:.4} to {high:.4}, {least:.4} to {most:.4}",
        b / a
    );
    paired
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Both servers answer signed requests, and only the one behind the layer refuses others.
fn check() {
    let requests: Vec<String> = requests().iter().map(text).collect();
    for (variant, refused) in [("plain", "200"), ("verified", "403")] {
        let server = Server::start(variant);
        for request in &requests {
            let body = request.split_once("\r\n\r\n").unwrap().1;
            let answer = server.answer(request);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(body), "{answer}");
            for wrong in [request.replacen("/", "/other/", 1), without_authorization(request)] {
                let answer = server.answer(&wrong);
                assert!(answer.starts_with(&format!("HTTP/1.1 {refused} ")), "{answer}");
            }
        }
    }
    println!("checked: 200 for signed requests; for others 403 behind the layer, 200 without it");
}

fn without_authorization(request: &str) -> String {
    let lines = request.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("authorization:")).collect()
}

/// Signed now, by the scheme `FC`.
fn requests() -> Vec<Parts> {
    let one = |i: usize| {
        let mut shape = if i.is_multiple_of(2) {
            shapes::small(Scheme::Fc)
        } else {
            shapes::typical(Scheme::Fc)
        };
        // So that they are different ones.
        let separator = if shape.target.contains('?') { '&' } else { '?' };
        write!(shape.target, "{separator}n={i:02}").unwrap();
        shape.signed(Scheme::Fc)
    };
    (0..64).map(one).collect()
}

/// As it goes over the wire.
fn text(parts: &Parts) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text += "\r\n";
    if let Some(len) = parts.headers.get("content-length") {
        let len: usize = len.to_str().unwrap().parse().unwrap();
        text += &format!("{{\"data\":\"{:x<1$}\"}}", "", len - 11);
    }
    text
}

/// What wrk sends, one after the other, and the figures it prints at the end.
fn write_script() -> PathBuf {
    let mut script = "local requests = {\n".to_owned();
    for parts in requests() {
        // No request has anything that Lua and Rust would escape in different ways.
        writeln!(script, "{:?},", text(&parts)).unwrap();
    }
    script += r#"}
local at = 0
function request()
    at = at % #requests + 1
    return requests[at]
end
function done(summary, latency)
    local e = summary.errors
    print("FIGURES", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout)
end
"#;
    let path = std::env::temp_dir().join(format!("requests-{}.lua", std::process::id()));
    std::fs::write(&path, script).unwrap();
    path
}

struct Run {
    /// Requests per second.
    throughput: f64,
    p50: f64,
    p99: f64,
    /// Microseconds of processor time of the server for one request: outside of the kernel,
    /// and all.
    user: f64,
    cpu: f64,
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(variant: &str) -> Self {
        let serve = std::env::current_exe().unwrap().with_file_name("serve");
        let mut child = pinned(SERVER_CORE, &serve).arg(variant).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    fn measure(&self, script: &Path, seconds: &str) -> Run {
        self.load(script, WARM_UP);
        let before = self.cpu();
        let [requests, duration, p50, p99] = self.load(script, seconds);
        let after = self.cpu();
        let [user, system] = [0, 1].map(|i| (after[i] - before[i]) * 1e6 / requests);
        Run { throughput: requests / (duration / 1e6), p50, p99, user, cpu: user + system }
    }

    /// Requests, and microseconds: in all, the median latency, its 99th percentile.
    fn load(&self, script: &Path, seconds: &str) -> [f64; 4] {
        let output = pinned(LOAD_CORE, Path::new("wrk"))
            .args(["-t1", "-c", CONNECTIONS, "-d", seconds, "-s"])
            .arg(script)
            .arg(format!("http://{}", self.address))
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let figures = output.lines().find_map(|line| line.strip_prefix("FIGURES"));
        let figures: Vec<f64> =
            figures.unwrap().split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        let [requests, duration, p50, p99, errors] = figures[..] else { panic!("{output}") };
        assert!(
            errors == 0.0 && !output.contains("Non-2xx"),
            "not all were answered 200: {output}"
        );
        [requests, duration, p50, p99]
    }

    /// Seconds of processor time so far, outside of the kernel and in it.
    fn cpu(&self) -> [f64; 2] {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // utime and stime, in hundredths of a second.
        [11, 12].map(|at| fields[at].parse::<f64>().unwrap() / 100.0)
    }

    fn answer(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (line, rest) = request.split_once("\r\n").unwrap();
        write!(stream, "{line}\r\nconnection: close\r\n{rest}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A program on one core.
fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program).stdout(Stdio::piped());
    command
}
