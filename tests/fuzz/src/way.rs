//! All that a request can be signed by.

use crate::reference::{
    Acs, Acs3, Algorithm, Fc, Reading, acs_signature, acs_string_to_sign, acs3_canonical_request,
    acs3_signature, fc_signature, fc_string_to_sign, form_pairs, percent_decode,
    percent_decode_strict,
};
use crate::requests::Request;
use tower_fc::Scheme;
use tower_fc::protocol::Dialect;

/// A scheme in the dialect of one SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Fc(Fc),
    Presigned,
    Acs3(Acs3, Algorithm),
    Acs(Acs),
}

impl Way {
    /// Every way, in the order in which `tower-fc` tries their dialects.
    pub fn all() -> Vec<Way> {
        let mut all = vec![Way::Presigned];
        all.extend(Fc::ALL.map(Way::Fc));
        for algorithm in [Algorithm::Sha256, Algorithm::Sm3] {
            all.extend(Acs3::ALL.map(|dialect| Way::Acs3(dialect, algorithm)));
        }
        all.extend(Acs::ALL.map(Way::Acs));
        all.sort_by_key(|way| way.dialect());
        all
    }

    /// What `tower-fc` calls the scheme.
    pub fn scheme(self) -> Scheme {
        match self {
            Way::Fc(_) => Scheme::Fc,
            Way::Presigned => Scheme::FcPresigned,
            Way::Acs3(_, Algorithm::Sha256) => Scheme::Acs3HmacSha256,
            Way::Acs3(_, Algorithm::Sm3) => Scheme::Acs3HmacSm3,
            Way::Acs(_) => Scheme::Acs,
        }
    }

    /// What `tower-fc` calls the dialect.
    pub fn dialect(self) -> Dialect {
        let name = match self {
            Way::Presigned | Way::Acs3(Acs3::Standard, _) => return Dialect::Standard,
            Way::Fc(dialect) => dialect.name(),
            Way::Acs3(dialect, _) => dialect.name(),
            Way::Acs(dialect) => dialect.name(),
        };
        name.parse().expect("tower-fc knows all dialects")
    }

    /// What is hashed or signed first: the canonical request of `ACS3`, of which
    /// `names` are signed, and the text to sign of the others.
    pub fn canonical(self, reading: Reading, names: &[&str], request: &Request) -> Option<Vec<u8>> {
        let method = request.method.as_str();
        let target = request.target();
        let headers = request.lines();
        match self {
            Way::Fc(dialect) => {
                fc_string_to_sign(reading, dialect, false, method, &target, &headers)
            }
            Way::Presigned => fc_string_to_sign(reading, Fc::GoFc, true, method, &target, &headers),
            Way::Acs3(dialect, _) => {
                acs3_canonical_request(reading, dialect, names, method, &target, &headers)
            }
            Way::Acs(dialect) => acs_string_to_sign(reading, dialect, method, &target, &headers),
        }
    }

    /// The signature of that, as it is written.
    pub fn signature(self, secret: &str, canonical: &[u8]) -> String {
        let secret = secret.as_bytes();
        match self {
            Way::Fc(_) | Way::Presigned => fc_signature(secret, canonical),
            Way::Acs3(_, algorithm) => acs3_signature(algorithm, secret, canonical),
            Way::Acs(_) => acs_signature(secret, canonical),
        }
    }

    /// The header that says when the request was signed.
    pub fn date_header(self) -> &'static str {
        match self {
            Way::Acs3(..) => "x-acs-date",
            _ => "date",
        }
    }

    /// The header of a security token.
    pub fn token_header(self) -> &'static str {
        match self {
            Way::Fc(_) | Way::Presigned => "x-fc-security-token",
            _ => "x-acs-security-token",
        }
    }

    /// The header of a nonce.
    pub fn nonce_header(self) -> &'static str {
        match self {
            Way::Fc(_) | Way::Presigned => "x-fc-signature-nonce",
            _ => "x-acs-signature-nonce",
        }
    }

    /// Why what the SDK signs of a target need not be what a verifier reads: the
    /// choice that [`Reading`] lists, if one of them may apply.
    pub fn choice(self, request: &Request) -> Option<&'static str> {
        let target = request.target();
        let decoded = percent_decode(&target);
        let query = request.query();
        let pairs = form_pairs(query);
        let is_text = |text: &[u8]| std::str::from_utf8(text).is_ok();

        let semicolon = || {
            let last_segment = request.uri.path().rsplit('/').next();
            last_segment.is_some_and(|segment| segment.contains(';'))
        };
        let faulty = || query.contains(&b';') || percent_decode_strict(query).is_none();
        let surrogates =
            || decoded.windows(2).any(|pair| pair[0] == 0xED && matches!(pair[1], 0xA0..=0xBF));
        let expires = || decoded.windows(12).any(|text| text == b"x-fc-expires");
        let ampersand = || {
            let in_front = |key: &[u8], value: &[u8]| {
                key.starts_with(b"&") || key.is_empty() && value.is_empty()
            };
            pairs.iter().any(|(key, value)| in_front(key, value))
        };
        let not_utf8 = || !pairs.iter().all(|(key, value)| is_text(key) && is_text(value));

        match self {
            Way::Fc(Fc::PyGateway) | Way::Acs3(Acs3::PyDoc, _) if semicolon() => Some("semicolon"),
            Way::Acs3(Acs3::Go, _) if faulty() => Some("a part that Go's parser drops"),
            Way::Fc(Fc::JavaGateway)
            | Way::Acs3(Acs3::Java | Acs3::JavaDoc, _)
            | Way::Acs(Acs::Java)
                if surrogates() =>
            {
                Some("surrogates")
            }
            Way::Acs(Acs::Py) if not_utf8() => Some("not UTF-8"),
            Way::Fc(Fc::GoGateway | Fc::JavaGateway) if expires() => Some("x-fc-expires"),
            Way::Acs3(Acs3::Go | Acs3::GoDoc, _) | Way::Acs(Acs::Go) if ampersand() => {
                Some("an ampersand in front")
            }
            _ => None,
        }
    }
}
