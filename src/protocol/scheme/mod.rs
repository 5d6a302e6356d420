//! The schemes: one row of facts each, and what each of them signs.

pub(crate) mod acs;
pub(crate) mod acs3;
pub(crate) mod ambiguity;
pub(crate) mod authorization;
pub(crate) mod coverage;
pub(crate) mod fc;
pub(crate) mod presigned;
pub(crate) mod strict;
pub(crate) mod terms;
pub(crate) mod texts;

use super::crypto::{hash::Algorithm, hmac::Mac};
use super::date::DateForm;
use crate::error::Error;
use crate::headers::{
    ACS_PREFIX, CONTENT_MD5, FC_PREFIX, X_ACS_CONTENT_SHA256, X_ACS_DATE, X_ACS_SECURITY_TOKEN,
    X_ACS_SIGNATURE_NONCE, X_FC_SECURITY_TOKEN, X_FC_SIGNATURE_NONCE,
};
use bitflags::bitflags;
use http::HeaderName;
use http::header::DATE;
use std::fmt;
use std::str::FromStr;

/// Schemes that share one construction of the string-to-sign, and so their dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Fc,
    Acs3,
    Acs,
}

/// All that is particular to a scheme but for the text it signs.
pub(crate) struct Facts {
    /// Its short name.
    pub(crate) name: &'static str,
    /// The word that its `Authorization` value begins with, `None` for presigned URLs.
    pub(crate) token: Option<&'static str>,
    /// Whose construction and whose dialects it has.
    pub(crate) family: Family,
    /// What it signs by.
    pub(crate) mac: Mac,
    /// The header that says when a request was signed, and how.
    pub(crate) date: (&'static HeaderName, DateForm),
    /// The header of an STS token.
    pub(crate) security_token: &'static HeaderName,
    /// The header that makes a request unique.
    pub(crate) nonce: &'static HeaderName,
    /// Which headers its signature covers.
    pub(crate) covers: Covers,
    /// The headers that may carry a covered digest of the body, the strongest first.
    pub(crate) digests: &'static [(&'static HeaderName, Algorithm)],
}

/// Which headers a scheme covers.
pub(crate) enum Covers {
    /// Those of these names, and those whose names begin with the prefix.
    Names { names: &'static [&'static str], prefix: &'static str },
    /// Those that the request lists, and this one in a line of its own.
    Listed { payload: &'static HeaderName },
}

macro_rules! schemes {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $variant:ident, $flag:ident = $facts:expr;)*) => {
        /// A way of signing requests.
        ///
        /// All cover method, path and query, but for the order of the values of one parameter:
        /// `?to=alice&to=bob` has the signature of `?to=bob&to=alice`. That is reported as
        /// [`Ambiguity::ValueOrder`](crate::protocol::Ambiguity::ValueOrder), and refused with
        /// `with_refused`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Scheme {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $variant,)*
        }

        impl Scheme {
            /// Every scheme of this build.
            pub const ALL: &'static [Self] = &[$($(#[cfg($cfg)])? Self::$variant,)*];
        }

        /// The facts of the schemes, in their order.
        static FACTS: &[Facts] = &[$($(#[cfg($cfg)])? $facts,)*];

        bitflags! {
            /// A set of schemes.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct Schemes: u8 {
                $(
                    #[doc = concat!("[`Scheme::", stringify!($variant), "`].")]
                    $(#[cfg($cfg)])?
                    const $flag = 1 << Scheme::$variant as u8;
                )*
            }
        }
    };
}

const FC_FACTS: Facts = Facts {
    name: "fc",
    token: Some("FC"),
    family: Family::Fc,
    mac: Mac::Sha256,
    date: (&DATE, DateForm::Http),
    security_token: &X_FC_SECURITY_TOKEN,
    nonce: &X_FC_SIGNATURE_NONCE,
    covers: Covers::Names { names: &["content-md5", "content-type", "date"], prefix: FC_PREFIX },
    digests: &[(&CONTENT_MD5, Algorithm::Md5)],
};

const ACS3_FACTS: Facts = Facts {
    name: "acs3",
    token: Some("ACS3-HMAC-SHA256"),
    family: Family::Acs3,
    mac: Mac::Sha256,
    date: (&X_ACS_DATE, DateForm::Acs),
    security_token: &X_ACS_SECURITY_TOKEN,
    nonce: &X_ACS_SIGNATURE_NONCE,
    covers: Covers::Listed { payload: &X_ACS_CONTENT_SHA256 },
    digests: &[(&X_ACS_CONTENT_SHA256, Algorithm::Sha256), (&CONTENT_MD5, Algorithm::Md5)],
};

schemes! {
    /// `Authorization: FC <id>:<base64>`, HMAC-SHA256 (Function Compute APIs
    /// 2016-08-15 and 2021-04-06). Covers method, path, query, content-md5,
    /// content-type, date and every `x-fc-` header; neither host nor body.
    Fc, FC = FC_FACTS;
    /// The same in the query of a URL, valid until a time it names.
    FcPresigned, FC_PRESIGNED = Facts {
        name: "presigned",
        token: None,
        covers: Covers::Names { names: &["content-md5", "content-type"], prefix: FC_PREFIX },
        ..FC_FACTS
    };
    /// `Authorization: ACS3-HMAC-SHA256 …` (signature V3 of Alibaba Cloud's APIs;
    /// Function Compute 3.0 HTTP triggers). Covers method, path, query, the
    /// headers it lists, and the payload hash where one is sent.
    Acs3HmacSha256, ACS3_HMAC_SHA256 = ACS3_FACTS;
    /// `Authorization: ACS3-HMAC-SM3 …`: the same with SM3 for both hash and HMAC.
    /// Needs the feature `sm3`.
    #[cfg(feature = "sm3")]
    Acs3HmacSm3, ACS3_HMAC_SM3 = Facts {
        name: "acs3-sm3",
        token: Some("ACS3-HMAC-SM3"),
        mac: Mac::Sm3,
        digests: &[(&X_ACS_CONTENT_SHA256, Algorithm::Sm3), (&CONTENT_MD5, Algorithm::Md5)],
        ..ACS3_FACTS
    };
    /// `Authorization: acs <id>:<base64>`, HMAC-SHA1 (ROA signature V1, documented
    /// for custom domain names). Covers method, accept, content-md5, content-type,
    /// date, every `x-acs-` header, path and query.
    Acs, ACS = Facts {
        name: "acs",
        token: Some("acs"),
        family: Family::Acs,
        mac: Mac::Sha1,
        date: (&DATE, DateForm::Http),
        covers: Covers::Names {
            names: &["accept", "content-md5", "content-type", "date"],
            prefix: ACS_PREFIX,
        },
        ..ACS3_FACTS
    };
}

impl Scheme {
    pub(crate) fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// Whether its signature covers a header of this name, `is_listed` telling what the
    /// request lists where the scheme lists any.
    pub(crate) fn covers(self, name: &str, is_listed: impl FnOnce(&str) -> bool) -> bool {
        match self.facts().covers {
            Covers::Names { names, prefix } => name.starts_with(prefix) || names.contains(&name),
            Covers::Listed { payload } => *payload == name || is_listed(name),
        }
    }

    /// Its short name: `fc`, `presigned`, `acs3`, `acs3-sm3` or `acs`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The word its `Authorization` value begins with, `None` for presigned URLs.
    pub fn token(self) -> Option<&'static str> {
        self.facts().token
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scheme {
    type Err = Error;

    /// Reads the short name of a scheme.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](crate::error::ErrorKind::UnknownName) for any other
    /// text, and for `acs3-sm3` without the feature `sm3`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.iter().copied();
        all.find(|scheme| scheme.name() == name)
            .ok_or_else(|| Error::unknown_name("scheme", Self::ALL.iter().map(|each| each.name())))
    }
}

impl Schemes {
    /// `FC` and `ACS3-HMAC-SHA256` in headers: what a verifier accepts by default.
    pub const DEFAULT: Self = Self::FC.union(Self::ACS3_HMAC_SHA256);
}

impl Default for Schemes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<Scheme> for Schemes {
    fn from(scheme: Scheme) -> Self {
        Self::from_bits_retain(1 << scheme as u8)
    }
}

impl<const N: usize> From<[Scheme; N]> for Schemes {
    fn from(schemes: [Scheme; N]) -> Self {
        schemes.into_iter().collect()
    }
}

impl FromIterator<Scheme> for Schemes {
    fn from_iter<I: IntoIterator<Item = Scheme>>(schemes: I) -> Self {
        schemes.into_iter().map(Self::from).collect()
    }
}
