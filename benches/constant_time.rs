//! Whether the time that a refusal takes tells anything about the right signature.
//!
//! As in [dudect](https://eprint.iacr.org/2016/1123): two classes of requests are timed in
//! random order, and Welch's t-test compares their mean times, over all samples and over the
//! fastest ones, cropped at 100 percentiles. The largest |t| counts. 5 or more is a difference;
//! less is none that so many samples can show.
//!
//! Fails when there is a difference between signatures that are wrong in their first and in
//! their last byte, and when a comparison that stops at the first wrong byte does not show as one.
//!
//! ```text
//! cargo bench --bench constant_time                  # 2 000 000 samples a row
//! cargo bench --bench constant_time -- 10000000
//! ```

#![allow(missing_docs, clippy::unwrap_used)]

mod shapes;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tower_fc::{Rejection, RejectionKind, Scheme, Signer, StaticKeys, Verifier};

const SAMPLES: usize = 2_000_000;
/// So many are thrown away first.
const WARM_UP: usize = 20_000;
/// From here on, |t| is a difference.
const DIFFERENT: f64 = 5.0;
/// The least that the comparison that does leak must show.
const PLAIN: f64 = 10.0;
/// As long as the id that is known, and not among the keys.
const UNKNOWN_ID: &str = "LTAI5tExampleExampleKey2";

fn main() -> ExitCode {
    let samples = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(SAMPLES);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut random = Random(seed);
    println!("{samples} samples a row, seed {seed}");
    println!("{:<44} {:>9} {:>22}  must be", "row", "max |t|", "difference");

    let schemes = [Scheme::Fc, Scheme::Acs3HmacSha256, Scheme::Acs];
    let mut fine = true;
    for scheme in schemes {
        let found = Trial::new(scheme).run(samples, &mut random, Trial::wrong_byte, Trial::refuse);
        let row = format!("{scheme}: wrong in the first, the last byte");
        fine &= found.report(&row, Some((found.t < DIFFERENT, "< 5")));
    }
    for scheme in schemes {
        let found = Trial::new(scheme).run(samples, &mut random, Trial::either_id, Trial::refuse);
        // Not held to anything: the answer says which of the two it is.
        found.report(&format!("{scheme}: unknown, known access key id"), None);
    }
    let leaky = |trial: &Trial| (trial.refuse(), trial.leak());
    let found = Trial::new(Scheme::Fc).run(samples, &mut random, Trial::wrong_byte, leaky);
    fine &=
        found.report("control: the same and a loop that stops", Some((found.t >= PLAIN, ">= 10")));
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A request that is signed anew before each sample, and then changed.
///
/// Both classes use the same memory, and what they send is evenly distributed in both. No
/// signature comes twice, or branch predictors would learn its digits.
struct Trial {
    scheme: Scheme,
    signer: Signer,
    verifier: Verifier<StaticKeys>,
    now: SystemTime,
    parts: Parts,
    right: Vec<u8>,
    sent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    A,
    B,
}

impl Trial {
    fn new(scheme: Scheme) -> Self {
        let mut trial = Self {
            scheme,
            signer: shapes::signer(scheme),
            verifier: shapes::verifier(),
            now: SystemTime::now(),
            parts: shapes::small(scheme).unsigned(),
            right: Vec::new(),
            sent: Vec::new(),
        };
        let start = trial.sign(&mut Random(0));
        trial.send(&start);
        assert!(trial.verifier.verify_at(&trial.parts, trial.now).is_ok());
        trial
    }

    /// A: wrong in the first byte. B: in the last.
    fn wrong_byte(&mut self, class: Class, random: &mut Random) {
        let start = self.sign(random);
        // Without a branch, which would be predicted or not by class.
        let at = (self.sent.len() - 1) * class as usize;
        self.sent[at] ^= (1 + random.next() % 255) as u8;
        self.send(&start);
    }

    /// A signature at random; A: of an access key that there is not. B: of one that there is.
    fn either_id(&mut self, class: Class, random: &mut Random) {
        let start = self.sign(random);
        self.sent.fill_with(|| random.next() as u8);
        let id = [UNKNOWN_ID, shapes::ID][class as usize];
        self.send(&start.replace(shapes::ID, id));
    }

    /// Gives the start of the `Authorization` value, up to the signature.
    fn sign(&mut self, random: &mut Random) -> String {
        self.parts.uri = format!("/hello?n={:016x}", random.next()).parse().unwrap();
        self.signer.sign_at(&mut self.parts, self.now).unwrap();
        let text = self.parts.headers[AUTHORIZATION].to_str().unwrap();
        // After the last of these; base64 may end with one.
        let end = text.trim_end_matches('=').rfind([':', '=']).unwrap() + 1;
        let (start, signature) = text.split_at(end);
        self.right = decode(self.scheme, signature);
        self.sent.clone_from(&self.right);
        start.to_owned()
    }

    fn send(&mut self, start: &str) {
        let text = start.to_owned() + &encode(self.scheme, &self.sent);
        self.parts.headers.insert(AUTHORIZATION, HeaderValue::from_str(&text).unwrap());
    }

    fn refuse(&self) -> Rejection {
        self.verifier.verify_at(&self.parts, self.now).unwrap_err()
    }

    /// What must not be done: compares up to the first difference.
    fn leak(&self) -> bool {
        self.sent.iter().zip(&self.right).all(|(a, b)| black_box(a) == b)
    }

    /// Times `timed` after `prepare` has changed the request for one class or the other.
    fn run<O>(
        mut self,
        samples: usize,
        random: &mut Random,
        prepare: fn(&mut Self, Class, &mut Random),
        timed: impl Fn(&Self) -> O,
    ) -> Found {
        let (mut a, mut b) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        for i in 0..WARM_UP + samples {
            let class = [Class::A, Class::B][(random.next() & 1) as usize];
            prepare(&mut self, class, random);
            let start = Instant::now();
            let outcome = black_box(timed(black_box(&self)));
            let time = start.elapsed();
            drop(outcome);
            if i >= WARM_UP {
                let times = if class == Class::A { &mut a } else { &mut b };
                times.push(time.as_nanos() as f64);
            }
        }
        // It was the signature or the id that was refused, and nothing before them.
        let kinds = [RejectionKind::SignatureMismatch, RejectionKind::UnknownAccessKey];
        assert!(kinds.contains(&self.refuse().kind()));
        Found::in_times(a, b)
    }
}

fn encode(scheme: Scheme, bytes: &[u8]) -> String {
    match scheme {
        Scheme::Acs3HmacSha256 => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => BASE64.encode(bytes),
    }
}

fn decode(scheme: Scheme, text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    match scheme {
        Scheme::Acs3HmacSha256 => (0..text.len()).step_by(2).map(byte).collect(),
        _ => BASE64.decode(text).unwrap(),
    }
}

/// What the test found at the cropping where it found most.
struct Found {
    /// Without its sign.
    t: f64,
    /// How much longer class A took, in ns, and the standard error of that.
    difference: f64,
    error: f64,
}

impl Found {
    fn in_times(mut a: Vec<f64>, mut b: Vec<f64>) -> Self {
        let mut all = [a.as_slice(), &b].concat();
        for times in [&mut a, &mut b, &mut all] {
            times.sort_unstable_by(f64::total_cmp);
        }
        let percentiles = (1..=100).map(|i| 1.0 - 0.5_f64.powf(f64::from(i) / 10.0));
        let limits = percentiles.map(|p| all[(p * (all.len() - 1) as f64) as usize]);
        let below = |times: &[f64], limit| times.partition_point(|time| *time < limit);
        let tests = limits
            .chain([f64::INFINITY])
            .filter_map(|limit| Self::welch(&a[..below(&a, limit)], &b[..below(&b, limit)]));
        tests.max_by(|x, y| x.t.total_cmp(&y.t)).unwrap()
    }

    /// `None` where there is too little to compare.
    fn welch(a: &[f64], b: &[f64]) -> Option<Self> {
        let ((mean_a, error_a), (mean_b, error_b)) = (mean(a)?, mean(b)?);
        let difference = mean_a - mean_b;
        let error = (error_a + error_b).sqrt();
        Some(Self { t: difference.abs() / error, difference, error })
    }

    fn report(&self, row: &str, held: Option<(bool, &str)>) -> bool {
        let (fine, must) = match held {
            None => (true, "-".to_owned()),
            Some((true, must)) => (true, must.to_owned()),
            Some((false, must)) => (false, format!("{must}, and is NOT")),
        };
        let difference = format!("{:+.2} ± {:.2} ns", self.difference, self.error);
        println!("{row:<44} {:>9.2} {difference:>22}  {must}", self.t);
        fine
    }
}

/// The mean, and the square of its standard error.
fn mean(times: &[f64]) -> Option<(f64, f64)> {
    let n = times.len() as f64;
    let mean = times.iter().sum::<f64>() / n;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (times.len() > 100 && variance > 0.0).then_some((mean, variance / n))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
