//! What is due, which the server gives to workers: one consumer that all of them share.

use super::stream::{PATIENCE, TaskStream, not_connected, unavailable};
use crate::invocation::store::StoreError;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::message::Message;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Its name.
const CONSUMER: &str = "workers";
/// How long the server waits for something that is due.
const WAIT: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Queue {
    consumer: Mutex<Option<(Consumer<Config>, Duration)>>,
}

impl Queue {
    /// What is due next. The server gives it to nobody else before the lease has ended.
    pub(super) async fn next(
        &self,
        stream: &TaskStream,
        max: usize,
        lease: Duration,
    ) -> Result<Vec<Message>, StoreError> {
        let next = self.pull(stream, max, lease).await;
        if next.is_err() {
            stream.doubt();
            self.consumer.lock().await.take();
        }
        next
    }

    async fn pull(
        &self,
        stream: &TaskStream,
        max: usize,
        lease: Duration,
    ) -> Result<Vec<Message>, StoreError> {
        let consumer = self.consumer(stream, lease).await?;
        let pull = consumer.fetch().max_messages(max).expires(WAIT).messages();
        let mut batch = pull.await.map_err(unavailable)?;
        let mut messages = Vec::new();
        loop {
            match timeout(PATIENCE, stream.while_connected(batch.next())).await {
                Ok(Some(Some(Ok(message)))) => messages.push(message),
                Ok(Some(None)) => return Ok(messages),
                // What came before is this worker's all the same.
                _ if !messages.is_empty() => return Ok(messages),
                Ok(Some(Some(Err(error)))) => return Err(unavailable(error)),
                Ok(None) => return Err(not_connected()),
                Err(_) => return Err(unavailable("the server gives no answer")),
            }
        }
    }

    /// The consumer, which is made if there is none, and waits for the longest lease of all.
    async fn consumer(
        &self,
        stream: &TaskStream,
        lease: Duration,
    ) -> Result<Consumer<Config>, StoreError> {
        let mut known = self.consumer.lock().await;
        if let Some((consumer, longest)) = &*known
            && *longest >= lease
        {
            return Ok(consumer.clone());
        }
        let longest = match stream.stream.consumer_info(CONSUMER).await {
            Ok(info) => info.config.ack_wait.max(lease),
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => lease,
            Err(error) => return Err(unavailable(error)),
        };
        let config = Config {
            durable_name: Some(CONSUMER.to_owned()),
            description: Some("workers of tower-fc".to_owned()),
            filter_subject: stream.subjects.every_work(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: longest,
            // What waits to be tried again counts as given, and there may be any number of it.
            max_ack_pending: -1,
            max_deliver: -1,
            ..Config::default()
        };
        let consumer = stream.stream.create_consumer(config).await.map_err(unavailable)?;
        *known = Some((consumer.clone(), longest));
        Ok(consumer)
    }
}
