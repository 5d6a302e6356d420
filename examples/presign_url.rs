//! Makes a URL that anyone who has it can call until it expires.
//!
//!     export ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tExample ALIBABA_CLOUD_ACCESS_KEY_SECRET=example-secret
//!     curl "$(cargo run -q --example presign_url -- --seconds 600 http://127.0.0.1:3000/hello)"
//!
//! The example `server` takes such URLs when it runs with `--schemes all`.

use clap::Parser;
use http::{Method, Request, Uri};
use std::process::ExitCode;
use std::time::Duration;
use tower_fc::error::BoxError;
use tower_fc::{Credentials, Presigner};

/// Presigns a URL with the access key of ALIBABA_CLOUD_ACCESS_KEY_ID,
/// ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN (optional).
#[derive(Parser)]
#[command(name = "presign_url")]
struct Args {
    /// The URL, percent-encoded.
    url: Uri,

    /// The method that it is to be called with.
    #[arg(short = 'X', long, default_value = "GET")]
    request: Method,

    /// How long it works.
    #[arg(long, default_value = "3600")]
    seconds: u64,
}

fn main() -> ExitCode {
    match presign(&Args::parse()) {
        Ok(url) => {
            println!("{url}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("presign_url: {error}");
            ExitCode::FAILURE
        }
    }
}

fn presign(args: &Args) -> Result<Uri, BoxError> {
    if args.url.authority().is_none() || args.url.scheme().is_none() {
        // It is not quoted: it may have a signature in it.
        return Err("the URL must begin with http:// or https://".into());
    }
    let presigner = Presigner::new(Credentials::from_env()?);
    // A content-type or x-fc- header here would have to be sent by whoever uses the URL.
    let request = Request::builder().method(&args.request).uri(&args.url).body(())?;
    let lifetime = Duration::from_secs(args.seconds);
    Ok(presigner.presign(&request.into_parts().0, lifetime)?.into_uri())
}
