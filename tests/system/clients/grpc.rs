//! A generated service of tonic, with every kind of call, behind a verifier and called by a client
//! that signs.

use crate::{ID, SCHEMES, credentials, listen, signer, verify_layer};
use orders::orders_client::OrdersClient;
use orders::orders_server::{Orders, OrdersServer};
use orders::{Order, Receipt};
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt as _};
use tonic::codegen::{Body, Bytes, StdError};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::ServiceBuilder;
use tower_fc::error::Error;
use tower_fc::{Credentials, Scheme, SignLayer, Signer, VerifiedCaller};

#[allow(unreachable_pub, reason = "generated")]
mod orders {
    tonic::include_proto!("orders");
}

type Receipts = Pin<Box<dyn Stream<Item = Result<Receipt, Status>> + Send>>;

/// Says who called it, and counts.
struct Counter;

fn buyer<T>(request: &Request<T>) -> Result<String, Status> {
    let caller = request.extensions().get::<VerifiedCaller>();
    let caller = caller.ok_or_else(|| Status::internal("no verifier"))?;
    Ok(caller.access_key_id().to_owned())
}

#[tonic::async_trait]
impl Orders for Counter {
    async fn place(&self, request: Request<Order>) -> Result<Response<Receipt>, Status> {
        let buyer = buyer(&request)?;
        Ok(Response::new(Receipt { buyer, count: request.get_ref().count }))
    }

    async fn place_all(
        &self,
        request: Request<Streaming<Order>>,
    ) -> Result<Response<Receipt>, Status> {
        let mut receipt = Receipt { buyer: buyer(&request)?, count: 0 };
        let mut orders = request.into_inner();
        while let Some(order) = orders.message().await? {
            receipt.count += order.count;
        }
        Ok(Response::new(receipt))
    }

    type WatchStream = Receipts;

    async fn watch(&self, request: Request<Order>) -> Result<Response<Receipts>, Status> {
        let buyer = buyer(&request)?;
        let receipts = (1..=request.get_ref().count)
            .map(move |count| Ok(Receipt { buyer: buyer.clone(), count }));
        Ok(Response::new(Box::pin(tokio_stream::iter(receipts))))
    }

    type HaggleStream = Receipts;

    async fn haggle(
        &self,
        request: Request<Streaming<Order>>,
    ) -> Result<Response<Receipts>, Status> {
        let buyer = buyer(&request)?;
        let orders = request.into_inner();
        let receipts =
            orders.map(move |order| Ok(Receipt { buyer: buyer.clone(), count: order?.count * 2 }));
        Ok(Response::new(Box::pin(receipts)))
    }
}

/// Serves it. Returns the origin.
async fn serve() -> String {
    let (listener, address) = listen().await;
    let server = Server::builder().layer(verify_layer()).add_service(OrdersServer::new(Counter));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    format!("http://{address}")
}

fn order(count: u32) -> Order {
    Order { item: "pear".to_owned(), count }
}

/// Makes one call of each kind. Returns what came of each: the receipts, or the first error.
async fn call_each<T>(client: OrdersClient<T>) -> [Result<Vec<Receipt>, Status>; 4]
where
    T: tonic::client::GrpcService<tonic::body::Body> + Clone,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let orders = || tokio_stream::iter([order(1), order(2), order(3)]);
    let one = |receipt: Response<Receipt>| vec![receipt.into_inner()];
    let all = async |receipts: Result<Response<Streaming<Receipt>>, Status>| {
        receipts?.into_inner().collect::<Result<Vec<_>, _>>().await
    };
    let mut client = client;
    [
        client.place(order(7)).await.map(one),
        client.place_all(orders()).await.map(one),
        all(client.watch(order(2)).await).await,
        all(client.haggle(orders()).await).await,
    ]
}

fn receipts<const N: usize>(counts: [u32; N]) -> Vec<Receipt> {
    counts.map(|count| Receipt { buyer: ID.to_owned(), count }).into()
}

fn assert_let_in(calls: [Result<Vec<Receipt>, Status>; 4], scheme: Scheme) {
    let [unary, client, server, both] = calls.map(Result::unwrap);
    assert_eq!(unary, receipts([7]), "{scheme}");
    assert_eq!(client, receipts([6]), "{scheme}");
    assert_eq!(server, receipts([1, 2]), "{scheme}");
    assert_eq!(both, receipts([2, 4, 6]), "{scheme}");
}

fn assert_refused(calls: [Result<Vec<Receipt>, Status>; 4], by_client: bool, what: &str) {
    for (call, kind) in calls.into_iter().zip(["unary", "client", "server", "both"]) {
        let status = call.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{what}, {kind}: {status:?}");
        let source = std::error::Error::source(&status);
        let is_ours = source.is_some_and(|source| source.is::<Error>());
        assert_eq!(is_ours, by_client, "{what}, {kind}: {status:?}");
        assert_eq!(status.metadata().contains_key("x-fc-request-id"), !by_client, "{what}, {kind}");
    }
}

/// A channel to an origin around which a layer signs.
macro_rules! signing {
    ($sign:expr, $origin:expr) => {
        ServiceBuilder::new()
            .map_err(Status::from)
            .layer($sign)
            .service(Channel::from_shared($origin.clone()).unwrap().connect_lazy())
    };
}

#[tokio::test]
async fn every_kind_of_call_is_signed_and_let_in() {
    let origin = serve().await;
    for scheme in SCHEMES {
        let sign = SignLayer::for_origins(signer(scheme), [&origin]).unwrap();
        let client = OrdersClient::with_origin(signing!(sign, origin), origin.parse().unwrap());
        assert_let_in(call_each(client).await, scheme);

        let awaited = Signer::new(async || Ok(credentials())).with_scheme(scheme).unwrap();
        let sign = SignLayer::for_origins(awaited, [&origin]).unwrap().awaiting_credentials();
        let client = OrdersClient::with_origin(signing!(sign, origin), origin.parse().unwrap());
        assert_let_in(call_each(client).await, scheme);
    }
}

#[tokio::test]
async fn every_kind_of_call_is_refused_as_unauthenticated_by_the_server_or_before_it_is_sent() {
    let origin = serve().await;
    let uri = || origin.parse::<http::Uri>().unwrap();
    let channel = Channel::from_shared(origin.clone()).unwrap().connect_lazy();
    assert_refused(call_each(OrdersClient::new(channel)).await, false, "not signed");
    let wrong = || Signer::new(Credentials::new(ID, "wrong").unwrap());
    let none = || async { Err(Error::provider("no role")) };
    for scheme in SCHEMES {
        let sign = SignLayer::new(wrong().with_scheme(scheme).unwrap());
        let client = OrdersClient::with_origin(signing!(sign, origin), uri());
        assert_refused(call_each(client).await, false, "another secret");

        let signer = Signer::new(none).with_scheme(scheme).unwrap();
        let sign = SignLayer::new(signer).awaiting_credentials();
        let client = OrdersClient::with_origin(signing!(sign, origin), uri());
        assert_refused(call_each(client).await, true, "no credentials");
    }
    // A client that was not told the origin: the host would go unsigned.
    let sign = SignLayer::new(signer(Scheme::Acs3HmacSha256));
    let client = OrdersClient::new(signing!(sign, origin));
    assert_refused(call_each(client).await, true, "no origin");
}
