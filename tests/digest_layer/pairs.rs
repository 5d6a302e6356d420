//! Every pair of a signing and a checking set-up: a body that was changed on the way is answered
//! 200 by none but those that promise nothing.

use super::{Read, WAYS, ask_with, full};
use crate::common::{at, credentials, verifier};
use http::Request;
use std::convert::Infallible;
use std::time::Duration;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fc::digest::{BodyPolicy, BufferedBody, DigestHeader, Md5Encoding, SetDigestLayer};
use tower_fc::error::Error;
use tower_fc::headers::{CONTENT_MD5, X_ACS_CONTENT_SHA256};
use tower_fc::protocol::{Ambiguity, Dialects, Schemes};
use tower_fc::verify::Mode;
use tower_fc::{Presigner, Scheme, Signer, StaticKeys, Verifier};

/// How strict a signer is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Strictness {
    Strict,
    /// A digest header may go unsigned, by name.
    Exempting,
    /// Everything may.
    Observing,
}

const STRICTNESS: [Strictness; 3] =
    [Strictness::Strict, Strictness::Exempting, Strictness::Observing];

const POLICIES: [BodyPolicy; 3] =
    [BodyPolicy::Ignore, BodyPolicy::CheckWhenSigned, BodyPolicy::Require];

/// Every scheme with everything that can set a digest, and every strictness.
fn signers() -> impl Iterator<Item = (Scheme, (&'static str, Option<SetDigestLayer>), Strictness)> {
    let pairs = Scheme::ALL
        .iter()
        .flat_map(|scheme| digests(*scheme).into_iter().map(move |digest| (*scheme, digest)));
    pairs.flat_map(|(scheme, digest)| STRICTNESS.map(|strictness| (scheme, digest, strictness)))
}

/// What sets the digest, if anything does.
fn digests(scheme: Scheme) -> Vec<(&'static str, Option<SetDigestLayer>)> {
    let signer = Signer::new(credentials());
    let made = signer.with_scheme(scheme).ok().map(|signer| SetDigestLayer::for_signer(&signer));
    let mut all = vec![
        ("none", None),
        ("its own", made),
        ("MD5", Some(SetDigestLayer::new(Md5Encoding::Rfc1864))),
        ("MD5 in hex", Some(SetDigestLayer::new(Md5Encoding::Hex))),
        ("MD5, base64 of hex", Some(SetDigestLayer::new(Md5Encoding::Base64OfHex))),
        ("SHA-256", Some(SetDigestLayer::new(DigestHeader::ContentSha256))),
    ];
    #[cfg(feature = "sm3")]
    all.push(("SM3", Some(SetDigestLayer::new(DigestHeader::ContentSm3))));
    // A presigner makes no layer.
    all.retain(|(name, layer)| *name == "none" || layer.is_some());
    all
}

/// The settings of verifiers that have to do with what is covered.
fn verifiers() -> [(&'static str, Verifier<StaticKeys>); 6] {
    let of_all = || verifier().with_schemes(Schemes::all());
    [
        ("default", of_all()),
        ("all dialects", of_all().with_dialects(Dialects::all())),
        ("requiring", of_all().with_required_headers([CONTENT_MD5.clone()])),
        ("exempting", of_all().with_insecure_unsigned_header(X_ACS_CONTENT_SHA256.clone())),
        ("allowing", of_all().with_insecure_allowance(Ambiguity::UnsignedHeader).unwrap()),
        ("observing", of_all().with_insecure_observation()),
    ]
}

/// A `POST` of this body with its digest.
async fn digested(layer: Option<SetDigestLayer>, body: &'static str) -> Request<BufferedBody> {
    let keep = service_fn(|request: Request<BufferedBody>| async { Ok::<_, Infallible>(request) });
    let request = Request::post("https://demo.example/a?b=c").body(full(body)).unwrap();
    let set = layer.unwrap_or(SetDigestLayer::new(Md5Encoding::Rfc1864)).layer(keep);
    let mut request = set.oneshot(request).await.unwrap();
    if layer.is_none() {
        request.headers_mut().clear();
    }
    request
}

/// Signs a request, if it is signed.
fn sign<B>(scheme: Scheme, how: Strictness, request: &mut Request<B>) -> Result<(), Error> {
    let exempt = X_ACS_CONTENT_SHA256.clone();
    if scheme == Scheme::FcPresigned {
        let presigner = match (how, Presigner::new(credentials())) {
            (Strictness::Strict, presigner) => presigner,
            (Strictness::Exempting, presigner) => presigner.with_insecure_unsigned_header(exempt),
            (Strictness::Observing, presigner) => presigner.with_insecure_observation(),
        };
        let minute = Duration::from_secs(60);
        let url = presigner.presign_request_at(&*request, minute, at(0))?;
        *request.uri_mut() = url.into_uri();
        return Ok(());
    }
    let signer = match (how, Signer::new(credentials()).with_scheme(scheme)?) {
        (Strictness::Strict, signer) => signer,
        (Strictness::Exempting, signer) => signer.with_insecure_unsigned_header(exempt),
        (Strictness::Observing, signer) => signer.with_insecure_observation(),
    };
    signer.sign_request_at(request, at(0))
}

/// What becomes of the digest headers of a request whose body is changed on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    /// Those that it has are of the changed body.
    Replaced,
    Removed,
    /// Those that it has not are there, of the changed body.
    Added,
}

const CHANGES: [Change; 4] = [Change::Nothing, Change::Replaced, Change::Removed, Change::Added];

const BODY: &str = "pay alice";
const CHANGED: &str = "pay mallory";

/// Changes what was sent; `changed` are requests of the changed body with a digest.
fn change(
    sent: &Request<BufferedBody>,
    how: Change,
    changed: &[Request<BufferedBody>],
) -> Request<BufferedBody> {
    let mut request = sent.clone();
    for other in changed {
        *request.body_mut() = other.body().clone();
        for (name, value) in other.headers() {
            let is_there = sent.headers().contains_key(name);
            match how {
                Change::Replaced if is_there => {
                    request.headers_mut().insert(name, value.clone());
                }
                Change::Added if !is_there => {
                    request.headers_mut().insert(name, value.clone());
                }
                Change::Removed => drop(request.headers_mut().remove(name)),
                _ => {}
            }
        }
    }
    request
}

#[tokio::test]
async fn a_changed_body_is_never_answered_200_where_a_digest_was_set_and_is_checked() {
    let md5 = SetDigestLayer::new(Md5Encoding::Rfc1864);
    let sha256 = SetDigestLayer::new(DigestHeader::ContentSha256);
    let changed = [digested(Some(md5), CHANGED).await, digested(Some(sha256), CHANGED).await];
    let (mut passed, mut refused, mut unpromised, mut unsent) = (0, 0, 0, 0);
    for (scheme, (digest, layer), strictness) in signers() {
        let mut sent = digested(layer, BODY).await;
        if sign(scheme, strictness, &mut sent).is_err() {
            // A digest that its scheme does not cover.
            unsent += 1;
            continue;
        }
        let is_covered = match scheme {
            Scheme::Fc | Scheme::FcPresigned => !sent.headers().contains_key(&X_ACS_CONTENT_SHA256),
            _ => true,
        };
        for (setting, verifier) in verifiers() {
            for (policy, way) in POLICIES.iter().flat_map(|each| WAYS.map(|way| (*each, way))) {
                let name = format!(
                    "signed by {scheme}, {digest}, {strictness:?}; checked {setting}, {policy:?}, \
                     {way:?}"
                );
                let ask =
                    |request| ask_with(verifier.clone(), Mode::Required, way, policy, request);
                // It is not because everything is refused.
                let outcome = ask(sent.clone()).await;
                if digest == "its own" {
                    assert_eq!(outcome, Read(BODY.into()), "{name}");
                }
                passed += usize::from(outcome == Read(BODY.into()));
                for how in CHANGES {
                    let promises_nothing = match policy {
                        BodyPolicy::Ignore => true,
                        BodyPolicy::Require => false,
                        // There is no digest, or none that is signed, as the signer was told.
                        _ => layer.is_none() || !is_covered && how == Change::Removed,
                    };
                    let outcome = ask(change(&sent, how, &changed)).await;
                    match outcome {
                        Read(_) => assert!(promises_nothing, "{name}: {how:?}"),
                        _ => refused += 1,
                    }
                    unpromised += usize::from(matches!(outcome, Read(_)));
                }
            }
        }
    }
    println!("{passed} passed, {refused} refused, {unpromised} let through, {unsent} not sent");
    assert!(passed > 1_000 && refused > 4_000 && unsent > 1, "{passed} {refused} {unsent}");
}
