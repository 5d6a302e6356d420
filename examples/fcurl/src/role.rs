//! The temporary access key of a role, for which STS is asked (AssumeRole of 2015-04-01).

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::keys::Key;
use crate::progress::Progress;
use crate::report::Report;
use crate::request::Draft;
use crate::sign::Way;
use crate::transfer::Transfer;
use crate::url::{Url, escaped};
use clap::Parser as _;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use std::ffi::OsString;
use zeroize::Zeroizing;

/// A role that is assumed before a request is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) session: String,
    /// How long its key works; STS says if it is 0.
    pub(crate) seconds: u64,
    /// Where to ask: a host, or a URL.
    pub(crate) endpoint: String,
}

/// What STS answers. Neither of the two is there by itself.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    credentials: Option<Temporary>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Temporary {
    access_key_id: String,
    access_key_secret: Zeroizing<String>,
    security_token: Zeroizing<String>,
}

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

impl Role {
    /// Asks for its access key with another one. The answer has to come by TLS whose certificate
    /// was looked at, or from this machine: there is a secret in it.
    pub(crate) async fn assume(&self, key: &Key, args: &Args) -> Result<Key, Failure> {
        let about = |failure: Failure| failure.about(&format!("the role {}", self.arn));
        self.ask(key, args).await.map_err(about)
    }

    async fn ask(&self, key: &Key, args: &Args) -> Result<Key, Failure> {
        let args = self.question(args)?;
        let draft = Draft::new(&args)?;
        if !draft.url.is_https && !draft.url.is_loopback() {
            return Err(Failure::usage("STS is asked by https alone"));
        }
        let way = Way::new(&args, key)?;
        let transfer = Transfer::new(&args, key, &way, draft.url.is_https)?;
        let (mut progress, mut report) = (Progress::new(false), Report::new("", false));
        let response = transfer.exchange(&draft, &mut progress, &mut report).await?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let broken =
            |_| Failure::new(Exit::Receive, "the answer of STS breaks off, or is too long");
        let bytes = bytes.map_err(broken)?.to_bytes();
        // What serde says may quote a secret.
        let answer = serde_json::from_slice::<Answer>(&bytes).ok();
        match answer {
            Some(Answer { credentials: Some(key), .. }) if status.is_success() => {
                let Temporary { access_key_id, access_key_secret, security_token } = key;
                Key::new(&access_key_id, &access_key_secret, Some(&security_token))
            }
            Some(Answer { code, message, .. }) if !status.is_success() => {
                let text = format!("STS answers {}: {code}: {message}", status.as_u16());
                Err(Failure::new(Exit::Login, text))
            }
            _ => {
                let text = format!("STS answers {}, and no access key", status.as_u16());
                Err(Failure::new(Exit::Login, text))
            }
        }
    }

    /// The command line that asks.
    fn question(&self, args: &Args) -> Result<Args, Failure> {
        let endpoint = match self.endpoint.contains("://") {
            true => self.endpoint.clone(),
            false => format!("https://{}", self.endpoint),
        };
        let escaped = |text: &str| text.bytes().map(escaped).collect::<String>();
        let mut query =
            format!("RoleArn={}&RoleSessionName={}", escaped(&self.arn), escaped(&self.session));
        if self.seconds > 0 {
            query += &format!("&DurationSeconds={}", self.seconds);
        }
        let mut url = Url::read(&endpoint, false)?;
        url.add_query(&query);
        let mut line: Vec<OsString> = vec!["fcurl".into(), url.to_string().into()];
        let flags =
            ["--scheme=acs3", "--nonce", "--request=POST", "--header=accept: application/json"];
        line.extend(flags.map(Into::into));
        let headers = ["--header=x-acs-action: AssumeRole", "--header=x-acs-version: 2015-04-01"];
        line.extend(headers.map(Into::into));
        if let Some(file) = &args.cacert {
            line.extend(["--cacert".into(), file.into()]);
        }
        if let Some(limit) = args.connect_timeout {
            line.push(format!("--connect-timeout={}", limit.as_secs_f64()).into());
        }
        Args::try_parse_from(line).map_err(|error| Failure::usage(error.to_string()))
    }
}
