//! A curl for signed requests.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// Writes a line to the standard error, whether anyone reads it or not.
macro_rules! note {
    ($($text:tt)*) => {
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{}\n", format_args!($($text)*)).as_bytes(),
        ))
    };
}

mod args;
mod connect;
mod curl_line;
mod data;
mod exit;
mod hidden;
mod keys;
mod output;
mod profiles;
mod progress;
mod report;
mod request;
mod role;
mod send;
mod sign;
mod tls;
mod transfer;
mod upload;
mod url;

use args::Args;
use clap::CommandFactory as _;
use exit::{Exit, Failure};
use hidden::Hidden;
use report::Report;
use request::Draft;
use sign::Signed;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use transfer::Transfer;

fn main() -> ExitCode {
    let args = Args::of_process();
    let mut report = Report::new(args.url(), args.reveal);
    let result = start(&args, &mut report);
    if let Err(failure) = &result {
        report.exit = failure.code();
        report.error = failure.message().to_owned();
        if !args.silent || args.show_error {
            note!("{failure}");
        }
    }
    ExitCode::from(report.exit)
}

fn start(args: &Args, report: &mut Report) -> Result<(), Failure> {
    if args.man || args.completions.is_some() {
        return install(args);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::usage(error.to_string()))?;
    let result = runtime.block_on(run(args, report));
    // What is left of a connection, or of a name that is looked up, is not waited for.
    runtime.shutdown_background();
    result
}

async fn run(args: &Args, report: &mut Report) -> Result<(), Failure> {
    let format = match args.write_out.as_deref().map(|format| (format, format.strip_prefix('@'))) {
        None => None,
        Some((_, Some(file))) => {
            Some(String::from_utf8_lossy(&data::read(file)?).trim_end_matches('\n').to_owned())
        }
        Some((format, None)) => Some(format.to_owned()),
    };
    let result = match args.max_time {
        None => work(args, report).await,
        Some(limit) => match tokio::time::timeout(limit, work(args, report)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out(limit, report)),
        },
    };
    report.total = report.started.elapsed();
    if let Err(failure) = &result {
        report.exit = failure.code();
        report.error = failure.message().to_owned();
    }
    match format {
        Some(format) if !args.prints_only() => report.write_out(&format).and(result),
        _ => result,
    }
}

/// Signs a request, and sends it or prints it.
async fn work(args: &Args, report: &mut Report) -> Result<(), Failure> {
    let draft = Draft::new(args)?;
    let key = keys::get(args).await?;
    let way = sign::Way::new(args, &key)?;
    if !args.prints_only() {
        return Transfer::new(args, &key, &way, draft.url.is_https)?.run(draft, report).await;
    }
    let signed = way.sign(&draft).await?;
    report.hidden.add(&signed.head, &key);
    let hidden = &report.hidden;
    let curl = curl_line::line(&signed, &draft, hidden);
    print(&match args.print_curl {
        true => curl,
        false => explanation(&signed, hidden) + "\n# curl\n" + &curl,
    })
}

fn timed_out(limit: Duration, report: &Report) -> Failure {
    let message = format!(
        "Operation timed out after {} milliseconds with {} bytes received",
        limit.as_millis(),
        report.downloaded
    );
    Failure::new(Exit::TimedOut, message)
}

/// What is signed, and what is sent.
fn explanation(signed: &Signed, hidden: &Hidden) -> String {
    let mut text = String::new();
    for (title, bytes) in &signed.texts {
        let bytes = hidden.redact(&String::from_utf8_lossy(bytes));
        let _ = writeln!(text, "# {title}\n{bytes}\n");
    }
    let head = &signed.head;
    let uri = hidden.redact(&head.uri.to_string());
    let _ = writeln!(text, "# request\n{} {uri}", head.method);
    for (name, value) in &head.headers {
        let value = hidden.redact(&String::from_utf8_lossy(value.as_bytes()));
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// Prints the man page, or what a shell needs to complete flags.
fn install(args: &Args) -> Result<(), Failure> {
    let mut command = Args::command();
    let mut text = Vec::new();
    match args.completions {
        Some(shell) => clap_complete::generate(shell, &mut command, "fcurl", &mut text),
        None => clap_mangen::Man::new(command)
            .render(&mut text)
            .map_err(|error| Failure::unwritten(&error))?,
    }
    print(&String::from_utf8_lossy(&text))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::unwritten(&error))
}
