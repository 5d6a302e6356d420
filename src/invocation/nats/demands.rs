//! What a stream has to be so that nothing of it is lost.

use super::message::Subjects;
use super::settings::{Kept, NatsSettings};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};

/// The oldest server that has message schedules.
pub(super) const SERVER: (i64, i64) = (2, 12);

/// A stream as it should be.
pub(super) fn config(settings: &NatsSettings) -> Config {
    Config {
        name: settings.stream.to_string(),
        description: Some("tasks of tower-fc".to_owned()),
        subjects: vec![Subjects::of_stream(&settings.stream).all()],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        num_replicas: match settings.kept {
            Kept::Replicas(replicas) => replicas,
            Kept::Synced => 1,
        },
        // Schedules need it. It drops nothing where there is no limit.
        discard: DiscardPolicy::Old,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: 1,
        allow_message_ttl: true,
        allow_message_schedules: true,
        allow_rollup: true,
        ..Config::default()
    }
}

/// What is wrong with a stream, and what to do about it. Empty when nothing is.
pub(super) fn faults(found: &Config, settings: &NatsSettings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |is_met: bool, fault: String| {
        if !is_met {
            faults.push(fault);
        }
    };
    let replicas = found.num_replicas;
    match settings.kept {
        Kept::Replicas(least) => demand(
            replicas >= least,
            format!(
                "num_replicas is {replicas}: make it {least}, or set `sync_interval: always` in \
                 the configuration of the server and vouch for it"
            ),
        ),
        Kept::Synced => {}
    }
    let none = |limit: i64| limit <= 0;
    let is_async = found.persist_mode == Some(PersistenceMode::Async);
    let subject = Subjects::of_stream(&settings.stream).all();
    for (is_met, fault) in [
        (found.storage == StorageType::File, "storage is memory: make it file"),
        (!is_async, "persist_mode is async: make it default"),
        (found.retention == RetentionPolicy::WorkQueue, "retention is not workqueue: make it so"),
        (found.max_age.is_zero(), "max_age drops tasks that wait: make it 0"),
        (none(found.max_messages), "max_msgs drops tasks that wait: make it -1"),
        (none(found.max_bytes), "max_bytes drops tasks that wait: make it -1"),
        (found.max_messages_per_subject == 1, "max_msgs_per_subject is not 1: make it 1"),
        (found.allow_message_schedules, "allow_msg_schedules is off: turn it on"),
        (found.allow_message_ttl, "allow_msg_ttl is off: turn it on"),
        (found.allow_rollup, "allow_rollup_hdrs is off: turn it on"),
        (!found.deny_purge, "deny_purge is on: turn it off"),
        (!found.no_ack, "no_ack is on, and nothing is acknowledged: turn it off"),
        (!found.sealed, "it is sealed: use another"),
        (found.subject_transform.is_none(), "it has a subject_transform: remove it"),
        (found.subject_delete_marker_ttl.is_none(), "subject_delete_marker_ttl is set: remove it"),
    ] {
        demand(is_met, fault.to_owned());
    }
    demand(
        found.subjects == [subject.as_str()],
        format!("subjects are {:?}: make them {subject}", found.subjects),
    );
    faults
}
