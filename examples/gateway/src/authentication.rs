//! Who may call.

use crate::args::{Args, Auth};
use crate::serve::Body;
use crate::{about, boxed};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt as _};
use tower_fc::error::BoxError;
use tower_fc::keys::{KeyFile, KeyStore};
use tower_fc::protocol::{Dialects, Schemes};
use tower_fc::trigger::AnonymousLayer;
use tower_fc::trigger::config::{AuthType, TriggerConfig};
use tower_fc::trigger::jwt::{Jwks, JwtLayer};
use tower_fc::{Credentials, Scheme, StaticKeys, Verifier, VerifyLayer};

/// The layer that authenticates.
pub(crate) enum Authentication {
    Anonymous,
    Key(Box<VerifyLayer<StaticKeys>>),
    Keys(Box<VerifyLayer<KeyFile>>),
    Jwt(Box<JwtLayer>),
}

impl Authentication {
    pub(crate) fn new(args: &Args, config: &TriggerConfig) -> Result<Self, BoxError> {
        let auth = match args.auth {
            Some(Auth::Anonymous) => AuthType::Anonymous,
            Some(Auth::Function) => AuthType::Function,
            Some(Auth::Jwt) => AuthType::Jwt,
            None => config.auth_type(),
        };
        // Who gives keys means to ask for them.
        match (auth, &args.keys, &args.jwks) {
            (AuthType::Function, _, None) | (AuthType::Jwt, None, _) => {}
            (_, None, None) => {}
            (_, Some(_), _) => return Err("--keys: is for signatures (--auth function)".into()),
            (_, None, Some(_)) => return Err("--jwks: is for tokens (--auth jwt)".into()),
        }
        match auth {
            AuthType::Anonymous => Ok(Self::Anonymous),
            AuthType::Function => Self::by_signature(args),
            AuthType::Jwt => Self::by_token(args, config),
            other => Err(format!("the authType {other:?} is not known here").into()),
        }
    }

    fn by_signature(args: &Args) -> Result<Self, BoxError> {
        if let Some(file) = &args.keys {
            let keys = KeyFile::open(file).map_err(|error| about("--keys")(error.into()))?;
            return Ok(Self::Keys(Box::new(verify(args, keys))));
        }
        let own = Credentials::from_env()
            .map_err(|error| format!("{error} (or use --keys, or --auth anonymous)"))?;
        let keys = StaticKeys::new().with_key(own.access_key_id(), own.key().clone());
        Ok(Self::Key(Box::new(verify(args, keys))))
    }

    fn by_token(args: &Args, config: &TriggerConfig) -> Result<Self, BoxError> {
        let layer = match (config.jwt(), &args.jwks) {
            (Some(layer), None) => layer.clone(),
            (None, Some(file)) => {
                let keys = std::fs::read_to_string(file).map_err(BoxError::from);
                let keys = keys.and_then(|text| Ok(Jwks::from_json(&text)?));
                let about = |error| format!("--jwks: {}: {error}", file.display());
                JwtLayer::new(keys.map_err(about)?)
            }
            (Some(_), Some(_)) => return Err("--jwks: the configuration has keys already".into()),
            (None, None) => {
                return Err("--auth jwt: needs --jwks, or a configuration with keys".into());
            }
        };
        Ok(Self::Jwt(Box::new(layer)))
    }

    pub(crate) fn layer<S, R>(
        &self,
        inner: S,
    ) -> BoxCloneService<Request<Incoming>, Response<Body>, BoxError>
    where
        S: Service<Request<Body>, Response = Response<R>, Error = BoxError, Future: Send>
            + Clone
            + Send
            + 'static,
        R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        match self {
            Self::Anonymous => boxed(AnonymousLayer.layer(inner.map_request(of_one_type))),
            Self::Key(verify) => boxed(verify.layer(inner.map_request(of_one_type))),
            Self::Keys(verify) => boxed(verify.layer(inner.map_request(of_one_type))),
            Self::Jwt(jwt) => boxed(jwt.layer(inner.map_request(of_one_type))),
        }
    }
}

/// A request whose body is of one type, whoever has looked into it.
fn of_one_type<B>(request: Request<B>) -> Request<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    request.map(|body| body.map_err(Into::into).boxed_unsync())
}

fn verify<K: KeyStore>(args: &Args, keys: K) -> VerifyLayer<K> {
    let mut verifier =
        Verifier::new(keys).with_schemes([Scheme::Fc, Scheme::FcPresigned, Scheme::Acs3HmacSha256]);
    if args.sdks {
        verifier = verifier.with_schemes(Schemes::all()).with_dialects(Dialects::all());
    }
    VerifyLayer::new(verifier)
}
