//! A gRPC service that knows who calls it, and a client that signs.
//!
//!     cargo run -p tower-fc-system --example sign_tonic

use greeter::greeter_client::GreeterClient;
use greeter::greeter_server::{Greeter, GreeterServer};
use greeter::{Greeting, Name};
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::ServiceBuilder;
use tower_fc::{
    Credentials, Scheme, SignLayer, Signer, StaticKeys, VerifiedCaller, Verifier, VerifyLayer,
};

#[allow(unreachable_pub, reason = "generated")]
mod greeter {
    tonic::include_proto!("greeter");
}

struct Polite;

#[tonic::async_trait]
impl Greeter for Polite {
    async fn hello(&self, request: Request<Name>) -> Result<Response<Greeting>, Status> {
        let caller = request.extensions().get::<VerifiedCaller>();
        let id = caller.map_or("whoever", VerifiedCaller::access_key_id);
        let text = format!("hello {}, says {id}", request.get_ref().name);
        Ok(Response::new(Greeting { text }))
    }

    type ChatStream = Pin<Box<dyn Stream<Item = Result<Greeting, Status>> + Send>>;

    async fn chat(
        &self,
        request: Request<Streaming<Name>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let greet =
            |name: Result<Name, Status>| Ok(Greeting { text: format!("hello {}", name?.name) });
        Ok(Response::new(Box::pin(request.into_inner().map(greet))))
    }
}

/// Starts a server, and returns its origin.
async fn start_server() -> Result<String, Box<dyn std::error::Error>> {
    let keys = StaticKeys::from_secrets([("LTAI5tExample", "example-secret")])?;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let origin = format!("http://{}", incoming.local_addr()?);
    let server = Server::builder()
        // Refuses the gRPC way: status 16, `Unauthenticated`.
        .layer(VerifyLayer::new(Verifier::new(keys)))
        .add_service(GreeterServer::new(Polite));
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(origin)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = start_server().await?;
    let channel = Channel::from_shared(origin.clone())?.connect().await?;

    let credentials = Credentials::new("LTAI5tExample", "example-secret")?;
    let signer = Signer::new(credentials).with_scheme(Scheme::Acs3HmacSha256)?;
    let signing = ServiceBuilder::new()
        // What cannot be signed ends as `Unauthenticated`, as what is refused does.
        .map_err(Status::from)
        .layer(SignLayer::for_origins(signer, [&origin])?)
        .service(channel.clone());
    // The channel knows the origin, and is below what signs: so the client is told.
    let mut client = GreeterClient::with_origin(signing, origin.parse()?);

    let name = |name: &str| Name { name: name.to_owned() };
    let greeting = client.hello(name("world")).await?.into_inner();
    println!("{}", greeting.text);
    assert_eq!(greeting.text, "hello world, says LTAI5tExample");

    let names = tokio_stream::iter([name("alice"), name("bob")]);
    let mut greetings = client.chat(names).await?.into_inner();
    for expected in ["hello alice", "hello bob"] {
        assert_eq!(
            greetings.message().await?.map(|greeting| greeting.text),
            Some(expected.to_owned())
        );
    }

    // Not signed.
    let refused = GreeterClient::new(channel).hello(name("world")).await;
    assert_eq!(refused.map_err(|status| status.code()).err(), Some(Code::Unauthenticated));
    Ok(())
}
