//! The algorithms of tokens, and the keys that they take.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use std::fmt;

/// An algorithm that a token can be signed by (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy)]
pub(super) struct Algorithm {
    /// As in the `alg` of tokens and keys.
    pub(super) name: &'static str,
    /// The kind of keys that it takes.
    pub(super) kind: Kind,
    /// The same for the library, if it has it.
    library: Option<jsonwebtoken::Algorithm>,
}

/// The kinds of keys.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    Secret,
}

impl Algorithm {
    pub(super) const ALL: [Self; 13] = {
        use jsonwebtoken::Algorithm::*;
        [
            Self::new("RS256", Kind::Rsa, Some(RS256)),
            Self::new("RS384", Kind::Rsa, Some(RS384)),
            Self::new("RS512", Kind::Rsa, Some(RS512)),
            Self::new("PS256", Kind::Rsa, Some(PS256)),
            Self::new("PS384", Kind::Rsa, Some(PS384)),
            Self::new("PS512", Kind::Rsa, Some(PS512)),
            Self::new("ES256", Kind::P256, Some(ES256)),
            Self::new("ES384", Kind::P384, Some(ES384)),
            Self::new("ES512", Kind::P521, None),
            Self::new("HS256", Kind::Secret, Some(HS256)),
            Self::new("HS384", Kind::Secret, Some(HS384)),
            Self::new("HS512", Kind::Secret, Some(HS512)),
            Self::new("EdDSA", Kind::Ed25519, Some(EdDSA)),
        ]
    };

    const fn new(name: &'static str, kind: Kind, library: Option<jsonwebtoken::Algorithm>) -> Self {
        Self { name, kind, library }
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A key without its name.
#[derive(Clone)]
pub(super) enum Material {
    /// What jsonwebtoken takes.
    Library(DecodingKey),
    /// A point of P-521, which it does not.
    P521(Vec<u8>),
}

impl Material {
    /// A modulus of 2 048 to 8 192 bits, and an exponent, which is odd and not 1: by that, anybody
    /// could sign.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let [n, e] = [n, e].map(|number| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            &number[zeros..]
        });
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if !(2048..=8192).contains(&bits) || !is_odd(n) || !is_odd(e) || e == [1] {
            return None;
        }
        let components = RsaPublicKeyComponents { n, e };
        components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
        Some(Self::Library(DecodingKey::from_rsa_raw_components(n, e)))
    }

    /// The coordinates of a point on the curve.
    pub(super) fn point(kind: Kind, x: &[u8], y: &[u8]) -> Option<Self> {
        let (algorithm, len): (&'static EcdsaVerificationAlgorithm, _) = match kind {
            Kind::P256 => (&ECDSA_P256_SHA256_FIXED, 32),
            Kind::P384 => (&ECDSA_P384_SHA384_FIXED, 48),
            Kind::P521 => (&ECDSA_P521_SHA512_FIXED, 66),
            _ => return None,
        };
        if (x.len(), y.len()) != (len, len) {
            return None;
        }
        let point = [&[4], x, y].concat();
        ParsedPublicKey::new(algorithm, &point).ok()?;
        Some(match kind {
            Kind::P521 => Self::P521(point),
            _ => Self::Library(DecodingKey::from_ec_der(&point)),
        })
    }

    pub(super) fn ed25519(x: &[u8]) -> Option<Self> {
        (x.len() == 32).then(|| Self::Library(DecodingKey::from_ed_der(x)))
    }

    pub(super) fn secret(secret: &[u8]) -> Option<Self> {
        (!secret.is_empty()).then(|| Self::Library(DecodingKey::from_secret(secret)))
    }

    /// Whether this is the signature of a message by this key and algorithm.
    pub(super) fn verifies(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> bool {
        match (self, algorithm.library) {
            // Not by the library's own default provider: which that is, other crates have a say
            // in, and it panics where they disagree.
            (Self::Library(key), Some(algorithm)) => {
                let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, key);
                verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
            }
            (Self::P521(point), None) => UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            _ => false,
        }
    }
}
