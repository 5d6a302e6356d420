//! The request that the command line describes, before it is signed.

use crate::args::{Args, Digest, Header, headers_of};
use crate::data::{self, Body, Way};
use crate::exit::Failure;
use crate::url::Url;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use std::path::Path;

/// A request that can be signed again and again, for wherever it is redirected.
pub(crate) struct Draft {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// The method was chosen, so a redirect does not change it.
    is_chosen: bool,
    is_upload: bool,
    pub(crate) body: Option<Body>,
    /// What is sent by itself with such a body, unless it was given.
    own: Vec<(HeaderName, &'static str)>,
    set: Vec<(HeaderName, HeaderValue)>,
    without: Vec<HeaderName>,
    user_agent: Option<HeaderValue>,
    is_compressed: bool,
    pub(crate) digest: Digest,
}

impl Draft {
    pub(crate) fn new(args: &Args) -> Result<Self, Failure> {
        let mut url = Url::read(args.url(), args.path_as_is)?;
        let mut own = Vec::new();
        let mut body = None;
        if let Some(file) = &args.upload_file {
            let name = Path::new(file).file_name().and_then(|name| name.to_str());
            url.add_file_name(name.filter(|_| file != "-").unwrap_or_default());
            body = Some(data::file(file)?);
        } else if !args.pieces.is_empty() {
            let all = data::joined(&args.pieces)?;
            if args.get {
                let query = std::str::from_utf8(&all.bytes);
                url.add_query(query.map_err(|_| Failure::usage("-G: the data is not text"))?);
            } else {
                let is_json = args.pieces.iter().any(|piece| piece.way == Way::Json);
                own = match is_json {
                    true => vec![(ACCEPT, "application/json"), (CONTENT_TYPE, "application/json")],
                    false => vec![(CONTENT_TYPE, "application/x-www-form-urlencoded")],
                };
                body = Some(all);
            }
        }
        let method = match &body {
            _ if args.head => Method::HEAD,
            None => Method::GET,
            Some(_) if args.upload_file.is_some() => Method::PUT,
            Some(_) => Method::POST,
        };
        let (mut set, mut without) = (Vec::new(), Vec::new());
        for header in &args.header {
            let more = match header {
                Header::File(file) => {
                    let text = String::from_utf8(data::read(file)?);
                    let text =
                        text.map_err(|_| Failure::usage(format!("-H @{file}: is no text")))?;
                    headers_of(file, &text)?
                }
                header => vec![header.clone()],
            };
            for header in more {
                match header {
                    Header::Set(name, value) => set.push((name, value)),
                    Header::Without(name) => without.push(name),
                    Header::File(_) => {}
                }
            }
        }
        if without.contains(&HOST) {
            return Err(Failure::usage("-H host: a request has to name its host"));
        }
        let user_agent = args.user_agent.as_deref();
        let user_agent = user_agent.unwrap_or(concat!("fcurl/", env!("CARGO_PKG_VERSION")));
        let user_agent = HeaderValue::from_str(user_agent)
            .map_err(|_| Failure::usage("-A: a user agent cannot contain control characters"))?;
        Ok(Self {
            url,
            method: args.request.clone().unwrap_or(method),
            is_chosen: args.request.is_some(),
            is_upload: args.upload_file.is_some(),
            body,
            own,
            set,
            without,
            user_agent: Some(user_agent).filter(|name| !name.is_empty()),
            is_compressed: args.compressed,
            digest: args.digest,
        })
    }

    /// What to sign and to send. Its URI has the host that its `host` header names.
    pub(crate) fn request(&self) -> Result<Request<()>, Failure> {
        let mut headers = HeaderMap::new();
        let host = self.set.iter().find(|(name, _)| name == HOST);
        let host = match host {
            Some((_, value)) => value.clone(),
            None => HeaderValue::from_str(&self.url.authority())
                .map_err(|_| Failure::usage("the host cannot be named in a header"))?,
        };
        let text = host.to_str().map_err(|_| Failure::usage("-H host: is not in ASCII"))?;
        let uri = self.url.uri(text)?;
        headers.append(HOST, host);
        if let Some(user_agent) = &self.user_agent {
            self.add(&mut headers, USER_AGENT, user_agent.clone());
        }
        for (name, value) in &self.own {
            self.add(&mut headers, name.clone(), HeaderValue::from_static(value));
        }
        if !headers.contains_key(ACCEPT) {
            self.add(&mut headers, ACCEPT, HeaderValue::from_static("*/*"));
        }
        if self.is_compressed {
            self.add(&mut headers, ACCEPT_ENCODING, HeaderValue::from_static("deflate, gzip"));
        }
        for (name, value) in self.set.iter().filter(|(name, _)| name != HOST) {
            let full = |_| Failure::usage("-H: there are more headers than a request can have");
            headers.try_append(name, value.clone()).map_err(full)?;
        }
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Sets a header that is sent by itself, unless it was given or is not wanted.
    fn add(&self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        if !self.has(&name) {
            headers.insert(name, value);
        }
    }

    /// Whether a header was given, or is not wanted.
    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        self.without.contains(name) || self.set.iter().any(|(set, _)| set == name)
    }

    /// Sends it elsewhere, as an answer of this status asks for. As with curl, it is the body that
    /// decides whether that is by GET, and a method that was chosen stays.
    pub(crate) fn redirect(&mut self, status: StatusCode, url: Url) {
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => {
                self.body.is_some() && !self.is_upload
            }
            StatusCode::SEE_OTHER => self.body.is_some(),
            _ => false,
        };
        if becomes_get {
            self.body = None;
            self.own.clear();
            if !self.is_chosen {
                self.method = Method::GET;
            }
        }
        self.url = url;
    }
}
