//! Where the answer goes, and in which form.

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::url::Url;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Response, Version};
use hyper::ext::ReasonPhrase;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

/// A file that is made when there is something to write, or the standard output.
pub(crate) struct Output {
    file: Option<PathBuf>,
    opened: Option<File>,
}

impl Output {
    pub(crate) fn new(args: &Args, url: &Url) -> Result<Self, Failure> {
        let file = match args.remote_name {
            true => Some(url.file_name().map(PathBuf::from).ok_or_else(|| {
                Failure::new(Exit::Write, "-O: the path of the URL ends without the name of a file")
            })?),
            false => args.output.clone().filter(|file| file.as_os_str() != "-"),
        };
        Ok(Self { file, opened: None })
    }

    /// Whether what is written is seen by someone at once.
    pub(crate) fn is_terminal(&self) -> bool {
        self.file.is_none() && io::stdout().is_terminal()
    }

    pub(crate) fn file_name(&self) -> String {
        self.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer().and_then(|mut out| out.write_all(bytes)).map_err(|error| self.failure(&error))
    }

    /// Also makes the file of an empty answer.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.writer().and_then(|mut out| out.flush()).map_err(|error| self.failure(&error))
    }

    fn writer(&mut self) -> io::Result<Box<dyn Write + '_>> {
        let Some(name) = &self.file else { return Ok(Box::new(io::stdout().lock())) };
        let file = match self.opened.take() {
            Some(file) => file,
            None => File::create(name)?,
        };
        Ok(Box::new(self.opened.insert(file)))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let failure = Failure::unwritten(error);
        match &self.file {
            None => failure,
            Some(file) => {
                let message = format!("{}: {}", file.display(), failure.message());
                Failure::new(Exit::Write, message)
            }
        }
    }
}

/// Status and headers, as they came but for the case of their names.
pub(crate) fn head_of<B>(response: &Response<B>) -> Vec<u8> {
    let mut text = status_line(response).into_bytes();
    text.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

pub(crate) fn status_line<B>(response: &Response<B>) -> String {
    let status = response.status();
    if response.version() == Version::HTTP_2 {
        return format!("HTTP/2 {} ", status.as_u16());
    }
    let given = response.extensions().get::<ReasonPhrase>();
    let reason = match given {
        Some(reason) => String::from_utf8_lossy(reason.as_bytes()),
        None => status.canonical_reason().unwrap_or_default().into(),
    };
    format!("{:?} {} {reason}", response.version(), status.as_u16())
}

/// Undoes the coding of a body, where that was asked for.
pub(crate) enum Decoder {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Not begun: some servers leave out the header of zlib.
    Deflate,
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Raw(Box<DeflateDecoder<Vec<u8>>>),
}

impl Decoder {
    pub(crate) fn of(headers: &HeaderMap, is_asked_for: bool) -> Result<Self, Failure> {
        let coding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii());
        match coding {
            _ if !is_asked_for => Ok(Self::Plain),
            None | Some(b"identity" | b"") => Ok(Self::Plain),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            Some(b"deflate") => Ok(Self::Deflate),
            Some(_) => {
                let message = "Unrecognized content encoding type. fcurl understands deflate, gzip \
                               content encodings.";
                Err(Failure::new(Exit::Encoding, message))
            }
        }
    }

    /// What these bytes were before.
    pub(crate) fn decode(&mut self, bytes: Bytes) -> Result<Bytes, Failure> {
        if let Self::Deflate = self {
            let Some(first) = bytes.first() else { return Ok(bytes) };
            *self = match first & 0x0f == 8 {
                true => Self::Zlib(Box::new(ZlibDecoder::new(Vec::new()))),
                false => Self::Raw(Box::new(DeflateDecoder::new(Vec::new()))),
            };
        }
        let written = match self {
            Self::Plain | Self::Deflate => return Ok(bytes),
            Self::Gzip(decoder) => decoder.write_all(&bytes).and_then(|()| decoder.flush()),
            Self::Zlib(decoder) => decoder.write_all(&bytes).and_then(|()| decoder.flush()),
            Self::Raw(decoder) => decoder.write_all(&bytes).and_then(|()| decoder.flush()),
        };
        written.map_err(|error| badly_coded(&error))?;
        let decoded = match self {
            Self::Plain | Self::Deflate => return Ok(Bytes::new()),
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
        };
        Ok(std::mem::take(decoded).into())
    }

    /// What is left at the end, which fails if it came too soon.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Failure> {
        let rest = match self {
            Self::Plain | Self::Deflate => Ok(Vec::new()),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zlib(decoder) => decoder.finish(),
            Self::Raw(decoder) => decoder.finish(),
        };
        rest.map_err(|error| badly_coded(&error))
    }
}

fn badly_coded(error: &io::Error) -> Failure {
    Failure::new(Exit::Encoding, format!("Error while processing content unencoding: {error}"))
}
