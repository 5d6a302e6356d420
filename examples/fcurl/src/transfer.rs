//! From a draft to an answer that is written down: connecting, sending, redirects.

use crate::args::Args;
use crate::connect::{Connection, connect};
use crate::exit::{Exit, Failure};
use crate::hidden::Hidden;
use crate::keys::Key;
use crate::output::{Decoder, Output, head_of, status_line};
use crate::progress::Progress;
use crate::report::Report;
use crate::request::Draft;
use crate::send;
use crate::sign::{Signed, Way};
use crate::tls;
use crate::upload::Upload;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio_rustls::rustls::ClientConfig;

/// What a transfer needs.
pub(crate) struct Transfer<'a> {
    args: &'a Args,
    key: &'a Key,
    way: &'a Way,
    /// Where there is TLS: a redirect does not change that.
    config: Option<Arc<ClientConfig>>,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(
        args: &'a Args,
        key: &'a Key,
        way: &'a Way,
        is_https: bool,
    ) -> Result<Self, Failure> {
        let config = is_https.then(|| tls::config(args)).transpose()?;
        Ok(Self { args, key, way, config })
    }

    /// Sends a draft, follows redirects if that is asked for, and writes the answer down.
    pub(crate) async fn run(&self, mut draft: Draft, report: &mut Report) -> Result<(), Failure> {
        let mut output = Output::new(self.args, &draft.url)?;
        report.file = output.file_name();
        loop {
            let mut progress = Progress::new(!self.args.silent && !output.is_terminal());
            let response = self.exchange(&draft, &mut progress, report).await?;
            let status = response.status();
            let location = response.headers().get(LOCATION).filter(|_| status.is_redirection());
            let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let next = location.map(|it| draft.url.join(&it, self.args.path_as_is));
            let head = head_of(&response);
            report.header_bytes += head.len();
            if self.args.include || self.args.head {
                output.write(&head)?;
            }
            let Some(url) = next.filter(|next| {
                let url = next.as_ref().map(ToString::to_string).unwrap_or_default();
                report.redirect_url = if self.args.location { String::new() } else { url };
                self.args.location
            }) else {
                return self.answer(response, &mut output, &mut progress, report).await;
            };
            let url = url?;
            if self.args.max_redirs >= 0 && report.redirects >= self.args.max_redirs {
                let message = format!("Maximum ({}) redirects followed", self.args.max_redirs);
                return Err(Failure::new(Exit::Redirects, message));
            }
            if !url.has_origin_of(&draft.url) {
                // A request that is signed for a stranger can be sent on by the stranger.
                let message = format!(
                    "the redirect to {}://{} is not followed: it is another origin, for which \
                     nothing is signed",
                    url.scheme(),
                    url.authority()
                );
                return Err(Failure::new(Exit::Redirects, message));
            }
            let note = format!("Issue another request to this URL: '{url}', signed anew");
            self.note(&report.hidden.redact(&note));
            draft.redirect(status, url);
            report.redirects += 1;
            report.redirect = report.started.elapsed();
        }
    }

    /// Signs and sends a request.
    pub(crate) async fn exchange(
        &self,
        draft: &Draft,
        progress: &mut Progress,
        report: &mut Report,
    ) -> Result<Response<Incoming>, Failure> {
        let Signed { head, body, .. } = self.way.sign(draft).await?;
        report.hidden.add(&head, self.key);
        report.url_effective = draft.url.to_string();
        report.method = draft.method.to_string();
        report.scheme = if draft.url.is_https { "HTTPS" } else { "HTTP" };
        let limit = self.args.connect_timeout;
        self.note(&format!("Connecting to {}", draft.url.authority()));
        let connection = progress.during(connect(&draft.url, self.config.as_ref(), limit)).await?;
        self.connected(&connection, report);
        let head = send::fitted(head, &connection, self.args.http2_prior_knowledge);
        self.sending(&head, report);
        progress.to_send = body.len() as u64;
        let sent = progress.sent.clone();
        let upload = Upload::new(body, sent.clone());
        let response = progress.during(send::send(connection.stream, head, upload)).await;
        report.uploaded = sent.load(Ordering::Relaxed);
        let response = response?;
        report.starttransfer = report.started.elapsed();
        report.status = Some(response.status());
        report.version = Some(response.version());
        report.headers = response.headers().clone();
        self.say("<", &status_line(&response), response.headers(), &report.hidden);
        Ok(response)
    }

    fn connected(&self, connection: &Connection, report: &mut Report) {
        let since = |at: Instant| at.duration_since(report.started);
        let tls = connection.tls.as_ref();
        report.namelookup = since(connection.resolved);
        report.connect = since(connection.connected);
        report.appconnect = tls.map(|_| since(connection.secured)).unwrap_or(Duration::ZERO);
        report.pretransfer = report.started.elapsed();
        report.addresses = Some((connection.remote, connection.local));
        report.connects += 1;
        self.note(&format!("Connected to {}", connection.remote));
        if let Some(tls) = tls {
            let protocol = if connection.is_http2 { "h2" } else { "http/1.1" };
            self.note(&format!("SSL connection using {tls}, ALPN: {protocol}"));
        }
    }

    /// Says what is sent. A signature is good for more than one request: it is not shown.
    fn sending(&self, head: &Parts, report: &mut Report) {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let version = if head.version == http::Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        let line = format!("{} {target} {version}", head.method);
        let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        report.request_bytes += line.len() + 4 + fields.sum::<usize>();
        self.say(">", &line, &head.headers, &report.hidden);
    }

    /// Says a head, line by line.
    fn say(&self, way: &str, line: &str, headers: &HeaderMap, hidden: &Hidden) {
        if self.args.verbose {
            note!("{way} {}", hidden.redact(line));
            for (name, value) in headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                note!("{way} {name}: {}", hidden.redact(&value));
            }
            note!("{way} ");
        }
    }

    fn note(&self, text: &str) {
        if self.args.verbose {
            note!("* {text}");
        }
    }

    /// Writes the body down, unless the status is a failure.
    async fn answer(
        &self,
        response: Response<Incoming>,
        output: &mut Output,
        progress: &mut Progress,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let status = response.status();
        let is_failure = status.as_u16() >= 400;
        let returned = || {
            let message = format!("The requested URL returned error: {}", status.as_u16());
            Err(Failure::new(Exit::Returned, message))
        };
        if self.args.fail && is_failure {
            return returned();
        }
        let is_coded = self.args.compressed && *report.method != *"HEAD";
        let mut decoder = Decoder::of(response.headers(), is_coded)?;
        let mut body = response.into_body();
        progress.to_receive = body.size_hint().exact();
        while let Some(frame) = progress.during(body.frame()).await {
            let frame = frame.map_err(|error| Self::broken(&error, report, progress))?;
            let Ok(data) = frame.into_data() else { continue };
            report.downloaded += data.len() as u64;
            progress.received.store(report.downloaded, Ordering::Relaxed);
            output.write(&decoder.decode(data)?)?;
        }
        output.write(&decoder.finish()?)?;
        output.finish()?;
        if self.args.fail_with_body && is_failure { returned() } else { Ok(()) }
    }

    /// A body that breaks off.
    fn broken(error: &hyper::Error, report: &Report, progress: &Progress) -> Failure {
        if !send::is_cut_off(error) {
            return send::failure(error);
        }
        let left = match progress.to_receive {
            Some(all) => {
                format!("{} bytes remaining to read", all.saturating_sub(report.downloaded))
            }
            None => "outstanding read data remaining".to_owned(),
        };
        Failure::new(Exit::Partial, format!("transfer closed with {left}"))
    }
}
