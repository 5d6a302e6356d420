//! All that a request can be signed by.

use crate::reference::{
    Acs, Acs3, Algorithm, Fc, acs_signature, acs_string_to_sign, acs3_canonical_request,
    acs3_signature, fc_signature, fc_string_to_sign,
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
    /// `names` are signed, and the text to sign of the others. `None` if nobody says what
    /// that is.
    pub fn canonical(self, names: &[&str], request: &Request) -> Option<Vec<u8>> {
        let method = request.method.as_str();
        let target = request.target();
        let headers = request.lines();
        match self {
            Way::Fc(dialect) => fc_string_to_sign(dialect, false, method, &target, &headers),
            Way::Presigned => fc_string_to_sign(Fc::STANDARD, true, method, &target, &headers),
            Way::Acs3(dialect, _) => {
                acs3_canonical_request(dialect, names, method, &target, &headers)
            }
            Way::Acs(dialect) => acs_string_to_sign(dialect, method, &target, &headers),
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
}
