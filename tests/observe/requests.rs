//! Requests of which one each becomes something else.

use crate::common::{Counting, at, clock, credentials, get, key, signed, signed_by};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_fc::keys::{KeyStoreError, VerifyingKey};
use tower_fc::replay::{MemoryReplayGuard, ReplayLayer};
use tower_fc::response::Outcome;
use tower_fc::verify::Mode;
use tower_fc::{Credentials, Signer, Verifier, VerifyLayer};

/// Requests of each kind, through layers that tell this observer.
pub(super) async fn send(observe: impl Fn(Outcome<'_>) + Send + Sync + 'static) {
    let store = |id: &str| match id {
        "down" => Err(KeyStoreError::new(std::io::Error::other("no route to the vault"))),
        _ => Ok(vec![VerifyingKey::new("old").unwrap(), key()]),
    };
    let service = ServiceBuilder::new()
        .layer(
            VerifyLayer::new(Verifier::new(store))
                .with_mode(Mode::Optional)
                .with_clock(clock())
                .with_observer(observe),
        )
        .layer(ReplayLayer::new(MemoryReplayGuard::new(100)).with_clock(clock()))
        .service(Counting::default());
    let down = Credentials::new("down", "canary").unwrap();
    let late = signed_by(&Signer::new(credentials()), get("/late"), at(-60));
    let first = signed(get("/"));
    for request in [
        first.clone(),
        late,
        first,
        get("/"),
        signed_by(&Signer::new(down), get("/"), at(0)),
        signed_by(&Signer::new(credentials()), get("/"), at(-1_000)),
    ] {
        service.clone().oneshot(request).await.unwrap();
    }
}
