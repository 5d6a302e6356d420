//! What `tower-fc` is compared with, and how.
//!
//! - [`reference`] rebuilds, from a request as it came over the wire, the text
//!   that each Alibaba Cloud SDK signs. It shares nothing with `tower-fc`: it is
//!   written from the wire contract and the golden vectors alone, in the plainest
//!   way, and copies and allocates freely. `tests/reference_vectors.rs` holds it
//!   to the vectors.
//! - [`strict`] finds what is ambiguous about a request, by the rules that `Verifier` documents.
//! - [`way`] names everything that can be signed by, [`dates`] reads dates, and
//!   [`verdict`] decides about a request: a second verifier on top of them.
//! - [`requests`] makes requests from the bytes of a fuzzer.
//! - [`checks`] are the fuzz targets. `tests/seeded.rs` runs them without a fuzzer.

#![forbid(unsafe_code)]

pub mod checks;
pub mod dates;
pub mod reference;
pub mod requests;
pub mod strict;
pub mod verdict;
pub mod way;

/// Makes a fuzz target of a check: for libFuzzer when it is built by `cargo fuzz`,
/// otherwise a program that checks the files it is called with.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus {
            match $check(data) {
                Some(_) => libfuzzer_sys::Corpus::Keep,
                None => libfuzzer_sys::Corpus::Reject,
            }
        });

        #[cfg(not(fuzzing))]
        fn main() {
            for file in std::env::args_os().skip(1) {
                let data = std::fs::read(&file).expect("a file to check");
                println!("{}: {:?}", file.display(), $check(&data));
            }
        }
    };
}
