//! How far a long transfer is, on the standard error.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often it is said, and for how long a transfer is not yet a long one.
const PERIOD: Duration = Duration::from_secs(1);

/// A line that is written over itself, once a second.
pub(crate) struct Progress {
    /// Whether there is to be one.
    is_wanted: bool,
    is_begun: bool,
    started: Instant,
    /// When to say something again.
    next: Instant,
    pub(crate) sent: Arc<AtomicU64>,
    pub(crate) to_send: u64,
    pub(crate) received: Arc<AtomicU64>,
    pub(crate) to_receive: Option<u64>,
}

impl Progress {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            is_begun: false,
            started: Instant::now(),
            next: Instant::now() + PERIOD,
            sent: Arc::default(),
            to_send: 0,
            received: Arc::default(),
            to_receive: None,
        }
    }

    /// Waits for something, and says meanwhile how far all is.
    pub(crate) async fn during<T>(&mut self, future: impl Future<Output = T>) -> T {
        if !self.is_wanted {
            return future.await;
        }
        let mut future = std::pin::pin!(future);
        loop {
            if Instant::now() >= self.next {
                self.write();
                self.is_begun = true;
                self.next = Instant::now() + PERIOD;
            }
            tokio::select! {
                biased;
                output = &mut future => return output,
                () = sleep_until(self.next) => {}
            }
        }
    }

    /// Over the line that is there, which may be longer.
    fn write(&self) {
        let line = format!("\r{:<70}", self.line(self.started.elapsed()));
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn line(&self, elapsed: Duration) -> String {
        let sent = self.sent.load(Ordering::Relaxed);
        let received = self.received.load(Ordering::Relaxed);
        let is_sending = sent < self.to_send;
        let (done, all, what) = match is_sending {
            true => (sent, Some(self.to_send), "sent"),
            false => (received, self.to_receive, "received"),
        };
        let seconds = elapsed.as_secs_f64();
        let of = all.map(|all| format!(" of {}", size(all))).unwrap_or_default();
        let speed = (done as f64 / seconds.max(0.001)) as u64;
        let left = all.filter(|_| speed > 0).map(|all| all.saturating_sub(done) / speed);
        let left = left.map(|left| format!(", {}:{:02} left", left / 60, left % 60));
        let (minutes, rest) = (elapsed.as_secs() / 60, elapsed.as_secs() % 60);
        let left = left.unwrap_or_default();
        format!("{}{of} {what}, {}/s, {minutes}:{rest:02}{left}", size(done), size(speed))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_begun {
            self.write();
            note!("");
        }
    }
}

/// `12.3 MB`: powers of 1000.
fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{value:.1} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_how_fast_and_how_long() {
        let mut progress = Progress::new(false);
        let line = |progress: &Progress| progress.line(Duration::from_secs(10));
        progress.received.store(12_340_000, Ordering::Relaxed);
        assert_eq!(line(&progress), "12.3 MB received, 1.2 MB/s, 0:10");
        progress.to_receive = Some(123_400_000);
        let text = "12.3 MB of 123.4 MB received, 1.2 MB/s, 0:10, 1:30 left";
        assert_eq!(line(&progress), text);
        progress.to_send = 999_949;
        progress.sent.store(500, Ordering::Relaxed);
        assert_eq!(line(&progress), "500 B of 999.9 kB sent, 50 B/s, 0:10, 333:08 left");
        progress.sent.store(999_949, Ordering::Relaxed);
        assert_eq!(line(&progress), text);
    }
}
