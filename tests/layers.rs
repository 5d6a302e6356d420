//! The tower layers, the adapters and the key stores, one module for each.
//!
//! `allocation_counter` replaces the global allocator of this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod allocations;
mod auto_traits;
#[cfg(feature = "axum")]
mod axum;
mod correct_clock;
mod credentials;
mod digest_layer;
#[cfg(all(feature = "key-cache", feature = "key-file"))]
mod keys;
mod observe;
mod order;
mod release;
mod replay;
#[cfg(feature = "reqwest-middleware")]
mod reqwest;
mod sign_layer;
mod stacking;
mod unread_bodies;
mod verify_layer;

/// Cargo finds none by itself.
#[test]
fn every_file_of_tests_is_a_program_or_a_module_of_one() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let programs = ["core", "layers", "searches"].map(|name| read(&format!("tests/{name}.rs")));
    let known = programs.concat() + &read("Cargo.toml");
    for entry in std::fs::read_dir("tests").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".rs") else { continue };
        let is_known = known
            .lines()
            .any(|line| line == format!("mod {name};") || line == format!("name = \"{name}\""));
        assert!(is_known, "tests/{name}.rs is not run");
    }
}
