//! A local HTTP trigger of Function Compute, in front of any HTTP server.

mod args;
mod serve;
mod upstream;

use args::{Args, Auth, Command, Domain};
use bytes::Bytes;
use clap::Parser as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serve::{Body, Failed, Trigger};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::layer::layer_fn;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt as _};
use tower_fc::error::BoxError;
use tower_fc::invocation::sqlite::SqliteStore;
use tower_fc::invocation::{InvocationLayer, InvocationStore as _, Worker};
use tower_fc::keys::{KeyFile, KeyStore};
use tower_fc::protocol::{Dialects, Schemes};
use tower_fc::response::ResponseBody;
use tower_fc::trigger::config::{AuthType, TriggerConfig};
use tower_fc::trigger::{self, AnonymousLayer, HttpTrigger};
use tower_fc::{Credentials, Rejection, Scheme, StaticKeys, Verifier, VerifyLayer};
use upstream::Upstream;

/// What a head may have before it is not the trigger's any more to refuse it: in bytes, and in
/// fields, of which the shortest has a name of one byte.
const MAX_HEAD: usize = 256 * 1024;
const MAX_HEADERS: usize = 10_000;

fn main() -> ExitCode {
    let args = Args::parse();
    let run = || -> Result<(), BoxError> {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(args))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fc-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error with the flag that it is about.
fn about(flag: &str) -> impl Fn(BoxError) -> BoxError {
    move |error| format!("{flag}: {error}").into()
}

async fn run(args: Args) -> Result<(), BoxError> {
    if let Some(Command::Tasks { store }) = &args.command {
        return tasks(store).await;
    }
    let upstream = Upstream::new(args.upstream.as_deref().unwrap_or_default());
    let upstream = upstream.map_err(about("--upstream"))?;
    let config = match &args.config {
        Some(file) => read(file).map_err(about("--config"))?,
        None => TriggerConfig::default(),
    };
    let store = args.store.as_deref().map(open).transpose().map_err(about("--store"))?;
    let authentication = Authentication::new(&args, &config)?;
    let domain = match (args.domain, config.disable_url_internet()) {
        (Domain::Custom, _) => trigger::Domain::Custom,
        (Domain::Builtin, false) => trigger::Domain::BuiltIn,
        (Domain::Builtin, true) => trigger::Domain::BuiltInDisabled,
    };
    let trigger = HttpTrigger::new(layer_fn(move |inner| authentication.layer(inner)))
        .with_methods(config.methods())
        .with_domain(domain);
    let worker = store.clone().map(|store| Worker::new(store, trigger.function(upstream.clone())));
    let trigger = trigger.with_invocation(layer_fn(move |inner| match &store {
        Some(store) => boxed(InvocationLayer::new(store.clone()).layer(inner)),
        None => boxed(inner),
    }));
    let mut trigger = boxed(trigger.layer(upstream));
    if args.explain {
        trigger = boxed(trigger.map_response(explain));
    }
    let trigger: Trigger = BoxCloneService::new(trigger.map_err(Failed));

    let listener = TcpListener::bind(&args.listen).await;
    let listener = listener.map_err(|error| about("--listen")(error.into()))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let (end, ended) = watch::channel(());
    let serving = tokio::spawn(serve::serve(listener, trigger, told(ended.clone())));
    let worker = worker.map(|worker| tokio::spawn(worker.run(told(ended))));
    signal().await?;
    end.send_replace(());
    serving.await?;
    if let Some(worker) = worker {
        worker.await?;
    }
    Ok(())
}

async fn told(mut ended: watch::Receiver<()>) {
    // An error is that nobody can tell any more.
    let _ = ended.changed().await;
}

/// A service of one type, whatever its layers.
fn boxed<S, B, R>(service: S) -> BoxCloneService<Request<B>, Response<Body>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Send + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let boxed =
        |response: Response<R>| response.map(|body| body.map_err(Into::into).boxed_unsync());
    BoxCloneService::new(service.map_response(boxed).map_err(Into::into))
}

/// Who may call.
enum Authentication {
    Anonymous,
    Key(Box<VerifyLayer<StaticKeys>>),
    Keys(Box<VerifyLayer<KeyFile>>),
}

impl Authentication {
    fn new(args: &Args, config: &TriggerConfig) -> Result<Self, BoxError> {
        let auth = match args.auth {
            Some(Auth::Anonymous) => AuthType::Anonymous,
            Some(Auth::Function) => AuthType::Function,
            None => config.auth_type(),
        };
        match (auth, &args.keys) {
            (AuthType::Anonymous, _) => Ok(Self::Anonymous),
            (AuthType::Function, Some(file)) => {
                let keys = KeyFile::open(file).map_err(|error| about("--keys")(error.into()))?;
                Ok(Self::Keys(Box::new(verify(args, keys))))
            }
            (AuthType::Function, None) => {
                let own = Credentials::from_env()
                    .map_err(|error| format!("{error} (or use --keys, or --auth anonymous)"))?;
                let keys = StaticKeys::new().with_key(own.access_key_id(), own.key().clone());
                Ok(Self::Key(Box::new(verify(args, keys))))
            }
            (other, _) => Err(format!("the authType {other:?} is not known here").into()),
        }
    }

    fn layer<S>(&self, inner: S) -> BoxCloneService<Request<Incoming>, Response<Body>, BoxError>
    where
        S: Service<Request<Incoming>, Response = Response<ResponseBody<Body>>, Error = BoxError>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        match self {
            Self::Anonymous => boxed(AnonymousLayer.layer(inner)),
            Self::Key(verify) => boxed(verify.layer(inner)),
            Self::Keys(verify) => boxed(verify.layer(inner)),
        }
    }
}

/// Waits until the program is told to end.
async fn signal() -> Result<(), BoxError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn read(file: &Path) -> Result<TriggerConfig, BoxError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let is_yaml = file.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let config = match is_yaml {
        true => TriggerConfig::from_serverless_devs(&text, None),
        false => TriggerConfig::from_json(&text),
    };
    config.map_err(|error| format!("{}: {error}", file.display()).into())
}

fn open(store: &str) -> Result<SqliteStore, BoxError> {
    let file = store.strip_prefix("sqlite:").filter(|file| !file.is_empty());
    Ok(SqliteStore::open(file.ok_or("must be of the form sqlite:FILE")?)?)
}

fn verify<K: KeyStore>(args: &Args, keys: K) -> VerifyLayer<K> {
    let mut verifier =
        Verifier::new(keys).with_schemes([Scheme::Fc, Scheme::FcPresigned, Scheme::Acs3HmacSha256]);
    if args.sdks {
        verifier = verifier.with_schemes(Schemes::all()).with_dialects(Dialects::all());
    }
    VerifyLayer::new(verifier)
}

/// Prints the tasks of a store.
async fn tasks(store: &str) -> Result<(), BoxError> {
    let store = open(store).map_err(about("--store"))?;
    let mut after = None;
    let mut out = std::io::stdout();
    loop {
        let page = store.list(after.as_ref(), 1_000).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        for task in &page {
            let line = serde_json::json!({
                "taskId": task.id.as_str(),
                "requestId": task.request_id,
                "state": task.state.name(),
                "attempts": task.attempts,
                "error": task.error,
            });
            writeln!(out, "{line}")?;
        }
    }
}

/// Says why a request was refused.
fn explain<B>(response: Response<B>) -> Response<B> {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        eprintln!("refused: {} ({})", rejection, rejection.kind().name());
    }
    response
}
