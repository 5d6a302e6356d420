//! What the program is told.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// A local HTTP trigger of Function Compute, in front of any HTTP server.
///
/// Requests are authenticated, limited and stripped as a trigger does it, and passed on to the
/// upstream. The first line of the output is `listening on http://ADDR`.
#[derive(Parser)]
#[command(name = "fc-gateway", version, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    /// The function: an HTTP server, http://host:port.
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) upstream: Option<String>,

    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub(crate) listen: String,

    /// The trigger: its JSON, or an s.yaml of Serverless Devs (.yaml, .yml).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Who may call, in place of what the configuration says.
    #[arg(long, value_enum)]
    pub(crate) auth: Option<Auth>,

    /// Access keys: a JSON object of ids and secrets, read again when it changes. Without it, the
    /// key in ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,

    /// The keys of tokens: a JSON Web Key Set. Tokens are looked for in `Authorization: Bearer`.
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,

    /// Which scripts of other origins may read: the JSON of a corsConfig.
    #[arg(long, value_name = "FILE")]
    pub(crate) cors: Option<PathBuf>,

    /// By what kind of name the trigger is reached.
    #[arg(long, value_enum, default_value = "custom")]
    pub(crate) domain: Domain,

    /// Accept every scheme and the dialects of all SDKs, in place of the documented ones.
    #[arg(long)]
    pub(crate) sdks: bool,

    /// After how many seconds a gRPC call is ended, at most 86400.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = grpc_timeout)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) grpc_timeout: Duration,

    /// Say on the standard error why each refused request is.
    #[arg(long)]
    pub(crate) explain: bool,

    #[command(flatten)]
    pub(crate) later: Later,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What becomes of requests with `x-fc-invocation-type: Async`.
#[derive(clap::Args)]
#[command(next_help_heading = "Asynchronous requests")]
pub(crate) struct Later {
    /// Where they are kept until they have run, sqlite:FILE or nats://HOST:PORT[,HOST:PORT…]. They
    /// are answered 202 once they are on the disk, and run whatever dies. Without it they run at
    /// once.
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<String>,

    #[command(flatten)]
    pub(crate) nats: Nats,

    /// How many run at the same time.
    #[arg(long, value_name = "N", default_value = "100", requires = "store")]
    pub(crate) workers: std::num::NonZeroU16,

    /// How often one is run again whose function failed, 0 to 8. One whose function cannot be
    /// reached, or breaks the connection, is run again for 5 hours.
    #[arg(long, value_name = "N", default_value = "3", requires = "store")]
    pub(crate) retries: u32,

    /// The least status of an answer that is the function's failure; 600: none is.
    #[arg(long, value_name = "STATUS", default_value = "500", requires = "store")]
    pub(crate) failure_from: u16,

    /// One that nobody ran at this age expires, in seconds, 1 to 2592000.
    #[arg(long, value_name = "SECONDS", default_value = "86400", requires = "store")]
    pub(crate) max_age: u64,

    /// How long the id of one that is over stays taken, and what became of it can be looked up.
    #[arg(long, value_name = "SECONDS", default_value = "604800", requires = "store")]
    pub(crate) retention: u64,

    /// The longest body, in bytes.
    #[arg(long, value_name = "BYTES", default_value = "131072", requires = "store")]
    pub(crate) max_async_body: usize,

    /// Is sent a POST for each one that succeeded, http://….
    #[arg(long, value_name = "URL", requires = "store")]
    pub(crate) on_success: Option<String>,

    /// Is sent a POST for each one that failed or expired, http://….
    #[arg(long, value_name = "URL", requires = "store")]
    pub(crate) on_failure: Option<String>,
}

/// What a stream of NATS is.
#[derive(clap::Args)]
pub(crate) struct Nats {
    /// The stream of NATS that has them.
    #[arg(long, value_name = "NAME", default_value = "fc-tasks", requires = "store")]
    pub(crate) nats_stream: String,

    /// How many replicas the stream has, 3 to 5.
    #[arg(long, value_name = "N", default_value = "3", requires = "store")]
    pub(crate) nats_replicas: usize,

    /// One replica will do: I vouch for `sync_interval: always` in the server's configuration.
    #[arg(long, requires = "store", conflicts_with = "nats_replicas")]
    pub(crate) nats_sync_always: bool,
}

/// What else can be done.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show asynchronous requests, one JSON object a line, also while a gateway runs them.
    Tasks {
        /// Where they are, as the gateway is told.
        #[arg(long, value_name = "STORE")]
        store: String,

        #[command(flatten)]
        nats: Nats,

        /// Stop those that are named.
        #[arg(long, requires = "ids")]
        stop: bool,

        /// Their task ids, or the request ids of those that have none. Without any, all are shown.
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    Anonymous,
    Function,
    Jwt,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Domain {
    Builtin,
    Custom,
}

/// The time-out of gRPC calls, within the bounds that Function Compute has.
fn grpc_timeout(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or("must be 1 to 86400 whole seconds")
}
