//! A local HTTP trigger of Function Compute, in front of any HTTP server.

mod args;
mod authentication;
mod deadline;
mod linger;
mod patient;
mod serve;
mod tasks;
mod upstream;

use args::{Args, Command, Domain};
use authentication::Authentication;
use bytes::Bytes;
use clap::Parser as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serve::{Body, Failed, Trigger};
use std::error::Error as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use tasks::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::layer::layer_fn;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt as _};
use tower_fc::Rejection;
use tower_fc::error::BoxError;
use tower_fc::headers::X_FC_REQUEST_ID;
use tower_fc::invocation::InvocationLayer;
use tower_fc::trigger::config::TriggerConfig;
use tower_fc::trigger::{self, Cors, HttpTrigger};
use upstream::Upstream;

/// What a head may have before it is not the trigger's any more to refuse it: in fields, of which
/// the shortest has a name of one byte, and in bytes, of which HTTP/2 counts 32 more for each.
const MAX_HEADERS: usize = 10_000;
const MAX_HEAD: usize = 512 * 1024;

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
    if let Some(Command::Tasks { store, nats, stop, ids }) = &args.command {
        return tasks::show(store, nats, ids, *stop).await;
    }
    let upstream = Upstream::new(args.upstream.as_deref().unwrap_or_default(), args.grpc_timeout);
    let upstream = upstream.map_err(about("--upstream"))?;
    let config = match &args.config {
        Some(file) => read(file).map_err(about("--config"))?,
        None => TriggerConfig::default(),
    };
    let authentication = Authentication::new(&args, &config)?;
    let domain = match (args.domain, config.disable_url_internet()) {
        (Domain::Custom, _) => trigger::Domain::Custom,
        (Domain::Builtin, false) => trigger::Domain::BuiltIn,
        (Domain::Builtin, true) => trigger::Domain::BuiltInDisabled,
    };
    let mut trigger = HttpTrigger::new(layer_fn(move |inner| authentication.layer(inner)))
        .with_config(&config)
        .with_domain(domain);
    if let Some(file) = &args.cors {
        trigger = trigger.with_cors(cors(file).map_err(about("--cors"))?);
    }
    let store = tasks::open(&args.later).await?;
    let (end, mut told) = watch::channel(());
    let worker = match &store {
        Some(store) => {
            let shutdown = async move {
                // An error is that nobody can tell any more.
                let _ = told.changed().await;
            };
            let function = trigger.function(upstream.clone());
            Some(tasks::worker(store, function, &args.later, shutdown)?)
        }
        None => None,
    };
    let max_len = args.later.max_async_body;
    let trigger = trigger.with_invocation(layer_fn(move |inner| match &store {
        Some(Store::Sqlite(store)) => {
            let layer = InvocationLayer::new(store.clone()).with_max_body_len(max_len);
            boxed(layer.layer(inner))
        }
        Some(Store::Nats(store)) => {
            let layer = InvocationLayer::new(store.clone()).with_max_body_len(max_len);
            boxed(layer.layer(inner))
        }
        None => boxed(inner),
    }));
    let mut trigger = boxed(trigger.layer(upstream));
    if args.explain {
        trigger = boxed(trigger.map_response(explain));
    }
    let trigger: Trigger = BoxCloneService::new(trigger.map_err(Failed));

    let listener = TcpListener::bind(&args.listen).await;
    let listener = listener.map_err(|error| about("--listen")(error.into()))?;
    let ended = signals()?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let worker = worker.map(tokio::spawn);
    serve::serve(listener, trigger, async move {
        ended.await;
        drop(end);
    })
    .await;
    if let Some(worker) = worker {
        worker.await?;
    }
    Ok(())
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

/// Waits until the program is told to end. Signals count from now on.
fn signals() -> Result<impl Future<Output = ()>, BoxError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Reads a `corsConfig`.
fn cors(file: &Path) -> Result<Cors, BoxError> {
    let about = |error: BoxError| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| about(error.into()))?;
    let config = TriggerConfig::from_json(&format!("{{\"corsConfig\": {text}}}"));
    Ok(config.map_err(|error| about(error.into()))?.cors().clone())
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

/// Says why a request was refused: a line with its id, what it was answered, and all causes.
fn explain<B>(response: Response<B>) -> Response<B> {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        let id = response.headers().get(&X_FC_REQUEST_ID).and_then(|id| id.to_str().ok());
        let status = rejection.status().as_u16();
        let mut line = format!("{}: {status} {rejection}", id.unwrap_or_default());
        let mut cause = rejection.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.ends_with(&text) {
                line += &format!(": {text}");
            }
            cause = error.source();
        }
        eprintln!("{line} ({})", rejection.kind().name());
    }
    response
}
