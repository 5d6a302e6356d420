use super::algorithm::{Algorithm, Kind, Material};
use crate::error::{Error, ErrorKind};
use crate::trigger::config::json;
use crate::trigger::config::value::{Field, Fields};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The keys that tokens are verified by: a JSON Web Key Set (RFC 7517).
///
/// A key is chosen by the `kid` of a token. A token without one goes to the key without one, or
/// to the only key there is. Which algorithms a key is for is said by its `alg`, and without one
/// by its type: all of RS and PS for `RSA`, all of HS for `oct`, that of the curve for others.
/// Clones share the keys.
#[derive(Clone)]
pub struct Jwks(Arc<[Key]>);

/// A key of a set.
#[derive(Clone)]
pub(super) struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    material: Material,
}

impl Jwks {
    /// Reads a set from its JSON text: an object whose `keys` are `RSA` keys of 2 048 to 8 192
    /// bits, `EC` keys on P-256, P-384 or P-521, `OKP` keys on Ed25519, or `oct` secrets.
    ///
    /// Members of keys that are not known are ignored, private ones included.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a set without keys, a `kid` twice, more than one key
    /// without a `kid`, an algorithm that is none of RS, PS, ES and HS with 256, 384 or 512 and
    /// `EdDSA` or does not fit its key, an empty secret, and what cannot be read. The text names
    /// the field by its path, and quotes no key.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value = json::read(text).map_err(|rule| unreadable(&rule))?;
        Self::read(&Field::named("JWKS", &value)?)
    }

    /// Reads a set, each key of which has to be of use.
    pub(in crate::trigger) fn read(field: &Field<'_>) -> Result<Self, Error> {
        let keys = listed(field)?.into_iter();
        let keys = keys.map(|field| Key::read(&field).map(|key| (field, key)));
        let keys = distinct(keys.collect::<Result<_, _>>()?)?;
        match keys.0.is_empty() {
            true => Err(field.error("has no keys")),
            false => Ok(keys),
        }
    }

    /// Reads a set that others publish: keys that are of no use here are left out (RFC 7517 §5),
    /// and there may be none.
    #[cfg(feature = "jwks-fetch")]
    pub(super) fn published(text: &str) -> Result<Self, Error> {
        let value = json::read(text).map_err(|rule| unreadable(&rule))?;
        let keys = listed(&Field::named("JWKS", &value)?)?.into_iter();
        distinct(keys.filter_map(|field| Key::read(&field).ok().map(|key| (field, key))).collect())
    }

    /// The key for a token.
    pub(super) fn choose(&self, kid: Option<&str>) -> Option<&Key> {
        match (&*self.0, kid) {
            ([only], None) => Some(only),
            (keys, _) => keys.iter().find(|key| key.kid.as_deref() == kid),
        }
    }

    /// Whether there are none.
    #[cfg(feature = "jwks-fetch")]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|key| (&key.kid, &key.algorithms))).finish()
    }
}

fn unreadable(rule: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("JWKS: {rule}"))
}

/// The members of `keys`.
fn listed<'a>(field: &Field<'a>) -> Result<Vec<Field<'a>>, Error> {
    field.map()?.required("keys")?.list()
}

/// Keys that can be told apart.
fn distinct(keys: Vec<(Field<'_>, Key)>) -> Result<Jwks, Error> {
    for (at, (field, key)) in keys.iter().enumerate() {
        if keys[..at].iter().any(|(_, other)| other.kid == key.kid) {
            return Err(match key.kid {
                Some(_) => field.error("its kid is that of another key"),
                None => field.error("has no kid, and neither has another key"),
            });
        }
    }
    Ok(Jwks(keys.into_iter().map(|(_, key)| key).collect()))
}

impl Key {
    fn read(field: &Field<'_>) -> Result<Self, Error> {
        let mut fields = field.map()?;
        // An empty one is none: "a missing or empty kid" is what the documentation says.
        let kid = fields.take("kid").map(|kid| kid.text()).transpose()?;
        let kid = kid.filter(|kid| !kid.is_empty()).map(str::to_owned);
        if let Some(usage) = fields.take("use")
            && usage.text()? != "sig"
        {
            return Err(usage.error("must be sig: the key is not for signatures"));
        }
        if let Some(operations) = fields.take("key_ops")
            && !operations.texts()?.contains(&"verify")
        {
            return Err(operations.error("must have verify: the key is not for verifying"));
        }
        let (kind, material) = material(field, &mut fields)?;
        let mut algorithms: Vec<_> =
            Algorithm::ALL.into_iter().filter(|each| each.kind == kind).collect();
        if let Some(alg) = fields.take("alg") {
            let (name, names) = (alg.text()?, algorithms.iter().map(|each| each.name));
            let rule = format!("must be {} for this key", names.collect::<Vec<_>>().join(" or "));
            algorithms.retain(|each| each.name == name);
            if algorithms.is_empty() {
                return Err(alg.error(rule));
            }
        }
        Ok(Self { kid, algorithms, material })
    }

    /// The algorithm that a token names, if the key is for it.
    pub(super) fn algorithm(&self, name: &str) -> Option<Algorithm> {
        self.algorithms.iter().copied().find(|algorithm| algorithm.name == name)
    }

    /// Whether this is the signature of a message by this key and algorithm.
    pub(super) fn verifies(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> bool {
        self.material.verifies(algorithm, message, signature)
    }
}

fn material(key: &Field<'_>, fields: &mut Fields<'_>) -> Result<(Kind, Material), Error> {
    let kty = fields.required("kty")?;
    let (kind, material, rule) = match kty.text()? {
        "RSA" => {
            let (n, e) = (bytes(fields, "n")?, bytes(fields, "e")?);
            let rule = "n and e must be those of an RSA key of 2048 to 8192 bits";
            (Kind::Rsa, Material::rsa(&n, &e), rule)
        }
        "EC" => {
            let crv = fields.required("crv")?;
            let kind = match crv.text()? {
                "P-256" => Kind::P256,
                "P-384" => Kind::P384,
                "P-521" => Kind::P521,
                _ => return Err(crv.error("must be P-256, P-384 or P-521")),
            };
            let (x, y) = (bytes(fields, "x")?, bytes(fields, "y")?);
            (kind, Material::point(kind, &x, &y), "x and y must be a point on the curve")
        }
        "OKP" => {
            let crv = fields.required("crv")?;
            if crv.text()? != "Ed25519" {
                return Err(crv.error("must be Ed25519"));
            }
            let x = bytes(fields, "x")?;
            (Kind::Ed25519, Material::ed25519(&x), "x must have 32 bytes")
        }
        "oct" => {
            let k = bytes(fields, "k")?;
            (Kind::Secret, Material::secret(&k), "k, the secret, must not be empty")
        }
        _ => return Err(kty.error("must be RSA, EC, OKP or oct")),
    };
    material.map(|material| (kind, material)).ok_or_else(|| key.error(rule))
}

/// The bytes of a member of a key.
fn bytes(fields: &mut Fields<'_>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let field = fields.required(name)?;
    let bytes = URL_SAFE_NO_PAD.decode(field.text()?);
    bytes.map(Zeroizing::new).map_err(|_| field.error("must be base64url without padding"))
}
