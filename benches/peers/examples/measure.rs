//! Fills two criterion baselines with figures that can be trusted on a machine
//! that is shared, then the report can be written from them.
//!
//! ```text
//! cargo run --release --example measure -- run1 run2          # all rows
//! cargo run --release --example measure -- run1 run2 sign/    # rows that start so
//! cargo run --release --example measure -- --settle run1 run2 # only the last step
//! ```
//!
//! 1. The suite is run twice, row by row. A row during which other processes
//!    used more than a little of the machine is run again once it is idle.
//! 2. What happens on the physical host cannot be seen from a virtual machine,
//!    but it only ever makes a row slower. So each row whose two medians differ
//!    by more than [`AGREE`] is run again, and a faster run takes the place of
//!    the slower of the two, until the two fastest agree.
//!
//! `ANCHORS_FEATURES` names features of the bench beside the default ones.
//!
//! How often each row was run is left in `measure-counts.tsv` beside criterion's
//! figures.

use signing_anchors::{Id, criterion_dir, ids};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Two medians of one row that are this close count as the same figure.
const AGREE: f64 = 0.04;
/// Part of one core that others may use while a row is measured.
const OTHERS: f64 = 0.05;
const MOST_RUNS: u32 = 20;

fn row(id: &Id) -> String {
    format!("{}/{}/{}", id.group, id.op, id.shape)
}

/// Seconds that all cores together were busy or stolen, since boot.
fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    [0, 1, 2, 5, 6, 7].iter().filter_map(|&i| ticks.get(i)).sum::<f64>() / 100.0
}

/// Seconds of processor time that finished children of this process used.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> = after_name.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // `filter_map` drops the state letter, so cutime and cstime are at 12 and 13.
    [12, 13].iter().filter_map(|&i| ticks.get(i)).sum::<f64>() / 100.0
}

fn wait_until_idle() {
    for _ in 0..300 {
        let before = busy();
        sleep(Duration::from_secs(2));
        if (busy() - before) / 2.0 <= OTHERS {
            return;
        }
    }
    eprintln!("still not idle after ten minutes; going on all the same");
}

struct Bench {
    root: PathBuf,
    runs: BTreeMap<String, u32>,
}

impl Bench {
    /// Runs one row once, again if it was disturbed.
    fn run(&mut self, row: &str, baseline: &str) {
        let features = std::env::var("ANCHORS_FEATURES").unwrap_or_default();
        for attempt in 0..MOST_RUNS {
            if attempt > 0 {
                wait_until_idle();
            }
            let (from, own, start) = (busy(), children(), Instant::now());
            let status = Command::new("cargo")
                .args(["bench", "--bench", "anchors", "--features", &features, "--"])
                .args(["--exact", row, "--save-baseline", baseline])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("cargo starts");
            assert!(status.success(), "cargo bench failed on {row}");
            *self.runs.entry(row.to_owned()).or_default() += 1;
            let others = (busy() - from) - (children() - own);
            if others / start.elapsed().as_secs_f64() <= OTHERS {
                return;
            }
        }
        eprintln!("{row}: never measured undisturbed");
    }

    fn figures(&self, row: &str, baseline: &str) -> PathBuf {
        self.root.join(row).join(baseline)
    }

    fn median(&self, row: &str, baseline: &str) -> f64 {
        let path = self.figures(row, baseline).join("estimates.json");
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{row}, {baseline}: {e}"));
        let json: serde_json::Value = serde_json::from_str(&text).expect("criterion writes JSON");
        json["median"]["point_estimate"].as_f64().expect("has a median")
    }

    /// Repeats a row until its two fastest runs agree.
    fn settle(&mut self, row: &str, baselines: [&str; 2]) {
        const AGAIN: &str = "again";
        let mut tries = 0;
        loop {
            let [a, b] = baselines.map(|baseline| self.median(row, baseline));
            let (slow, fast) = if a > b { (0, b) } else { (1, a) };
            let apart = a.max(b) / fast - 1.0;
            if apart <= AGREE || tries == MOST_RUNS {
                if tries > 0 {
                    println!("{row}: {a:.1} and {b:.1} ns after {tries} more");
                }
                return;
            }
            tries += 1;
            self.run(row, AGAIN);
            if self.median(row, AGAIN) < a.max(b) {
                let (from, to) = (self.figures(row, AGAIN), self.figures(row, baselines[slow]));
                replace(&from, &to);
            }
        }
    }
}

fn replace(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("criterion made it") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let settle_only = args.first().is_some_and(|a| a == "--settle");
    if settle_only {
        args.remove(0);
    }
    let [first, second] = [0, 1].map(|i| args.get(i).expect("usage: measure RUN1 RUN2 [PREFIX]"));
    let prefix = args.get(2).map_or("", String::as_str);
    let rows: Vec<String> = ids().iter().map(row).filter(|r| r.starts_with(prefix)).collect();
    println!("{} rows", rows.len());

    let mut bench = Bench { root: criterion_dir(), runs: BTreeMap::new() };
    let counts = bench.root.join("measure-counts.tsv");
    for line in fs::read_to_string(&counts).unwrap_or_default().lines() {
        if let Some((row, n)) = line.split_once('\t') {
            bench.runs.insert(row.to_owned(), n.parse().unwrap_or(0));
        }
    }
    if !settle_only {
        rows.iter().for_each(|row| {
            bench.runs.remove(row);
        });
        for baseline in [first, second] {
            for row in &rows {
                bench.run(row, baseline);
            }
            println!("{baseline} done");
        }
    }
    for row in &rows {
        bench.settle(row, [first, second]);
    }
    let table: String = bench.runs.iter().map(|(row, n)| format!("{row}\t{n}\n")).collect();
    fs::write(counts, table).expect("criterion's folder is writable");
}
