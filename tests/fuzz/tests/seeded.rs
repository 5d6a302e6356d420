//! The fuzz targets without a fuzzer: each takes some thousand inputs of a fixed seed.

use tower_fc_fuzz::checks::{self, Outcome};
use tower_fc_fuzz::requests::{ACS_DATE, HTTP_DATE, PIECES};

/// xorshift64
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// A text of pieces of targets and of these.
    fn text(&mut self, most: usize, more: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(most + 1) {
            match self.below(PIECES.len() + more.len()).checked_sub(PIECES.len()) {
                Some(at) => text.extend_from_slice(more[at].as_bytes()),
                None => text.extend_from_slice(PIECES[self.below(PIECES.len())]),
            }
        }
        text
    }
}

/// Runs a target, and sums up what came of the inputs that it took.
fn run(
    count: usize,
    target: fn(&[u8]) -> Option<Outcome>,
    input: impl Fn(&mut Random) -> Vec<u8>,
) -> (usize, Outcome) {
    let mut random = Random(0x5eed_0005);
    let (mut taken, mut sum) = (0, Outcome::default());
    for _ in 0..count {
        let data = input(&mut random);
        let Some(outcome) = target(&data) else { continue };
        taken += 1;
        sum.strict += outcome.strict;
        sum.observed += outcome.observed;
        sum.edits_refused += outcome.edits_refused;
    }
    println!("{taken} of {count}: {sum:?}");
    (taken, sum)
}

#[test]
fn nobody_gets_in_without_the_secret() {
    let words = [
        "FC ",
        "acs ",
        "ACS3-HMAC-SHA256 ",
        "ACS3-HMAC-SM3 ",
        "id",
        "sts",
        ":",
        ",",
        ";",
        "=",
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        "x-acs-date",
        "x-acs-none",
        "host",
        "Credential=id,SignedHeaders=x-acs-date,Signature=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ];
    let query = ["/?", "&x-fc-access-key-id=id", "&x-fc-expires=1800000001", "&x-fc-signature=AA"];
    let headers = [
        "authorization:FC id:A",
        "date:",
        "x-acs-date:",
        "x-acs-security-token:t",
        "host:a",
        "x-fc-security-token:",
        "x-acs-signature-nonce:",
        HTTP_DATE,
        ACS_DATE,
    ];
    let (taken, _) = run(20_000, checks::authorization, |random| {
        let scheme = words[random.below(5)].as_bytes();
        let mut lines = [scheme, &random.text(6, &words)].concat();
        lines.extend([b"\n/", random.text(3, &query).as_slice()].concat());
        for _ in 0..random.below(3) {
            lines.push(b'\n');
            lines.extend_from_slice(headers[random.below(7)].as_bytes());
            lines.extend(random.text(1, &headers));
        }
        lines
    });
    assert!(taken > 19_000);
}

#[test]
fn targets_are_signed_as_the_reference_does_and_accepted() {
    let (taken, sum) = run(2_000, checks::targets, |random| {
        [b"/", random.text(3, &[]).as_slice(), b"?", &random.text(8, &["a=1&", "b="])].concat()
    });
    assert!(taken > 1_000);
    assert!(sum.observed > 10 * taken && sum.strict > 2 * taken);
}

#[test]
fn dates_are_read_as_httpdate_does() {
    let (taken, sum) = run(50_000, checks::dates, |random| random.bytes(40));
    assert!(taken > 30_000 && sum.strict > 4_000);
}

#[test]
fn both_verifiers_agree() {
    let (taken, sum) = run(40_000, checks::verify, |random| random.bytes(200));
    assert!(taken > 20_000);
    assert!(sum.observed > taken / 4 && sum.strict > taken / 10);
}

#[test]
fn what_is_signed_is_accepted_and_nothing_else() {
    let (taken, sum) = run(60_000, checks::sign_verify, |random| random.bytes(300));
    assert!(taken > 30_000);
    assert!(sum.strict > taken / 5 && sum.edits_refused > 2 * sum.strict);
}
