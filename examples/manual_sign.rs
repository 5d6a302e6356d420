//! Signs and verifies without tower: the parts of a request in, headers out. For any HTTP client
//! or server that can be given headers.
//!
//!     cargo run --example manual_sign

use clap::Parser;
use http::Request;
use std::time::SystemTime;
use tower_fc::error::BoxError;
use tower_fc::{Credentials, Scheme, Signer, StaticKeys, Verifier};

/// Signs one request, shows what was signed and what is to be sent, and verifies it.
#[derive(Parser)]
struct Args {}

fn main() -> Result<(), BoxError> {
    Args::parse();
    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
    let signer = Signer::new(credentials).with_scheme(Scheme::Fc)?;
    let request = Request::post("https://demo.example/orders?id=5&note=a%20b")
        .header("content-type", "application/json")
        .body("{}")?;
    let (mut parts, _body) = request.into_parts();
    let now = SystemTime::now();

    let text = signer.string_to_sign_at(&parts, now)?;
    println!("--- string-to-sign\n{}", String::from_utf8_lossy(&text));

    signer.sign_at(&mut parts, now)?;
    println!("\n--- headers to send");
    for (name, value) in &parts.headers {
        println!("{name}: {}", value.to_str()?);
    }

    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let caller = Verifier::new(keys).verify_at(&parts, now)?;
    println!("\n--- verified\nsigned by {}", caller.access_key_id());
    Ok(())
}
