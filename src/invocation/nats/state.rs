//! What is known of a task, and how that is changed.

use super::message::{Claim, Record};
use super::stream::{PATIENCE, Published, TaskStream};
use crate::invocation::store::StoreError;
use crate::invocation::task::TaskId;
use tokio::time::timeout;

/// How often what has changed meanwhile is read anew.
const TRIES: u32 = 10;

impl TaskStream {
    /// What is known of a task, by its request if nothing has become of it yet.
    pub(super) async fn find(&self, id: &TaskId) -> Result<Option<Record>, StoreError> {
        if let Some((record, _)) = self.state(id).await? {
            return Ok(Some(record));
        }
        let Some(last) = self.last(&self.subjects.task(id)).await? else { return Ok(None) };
        if last.subject == self.subjects.state(id) {
            return Ok(Record::read(&last.payload, last.sequence));
        }
        Ok(Some(Record::of(&Claim::read(&last.headers))))
    }

    /// Changes the state of a task as `change` says, on what it is when it is written; if it
    /// `is_new` there is none to be read, as far as is known. Returns what it was, and what has
    /// been written, if anything.
    pub(super) async fn change(
        &self,
        id: &TaskId,
        is_new: bool,
        change: impl Fn(Option<&Record>) -> Option<Record>,
    ) -> Result<(Option<Record>, Option<(Record, u64)>), StoreError> {
        let mut is_new = is_new;
        // What may have been written, when the connection broke before the answer.
        let mut unknown: Option<(Option<Record>, Record)> = None;
        for _ in 0..TRIES {
            let seen = if is_new { None } else { self.state(id).await? };
            is_new = false;
            if let (Some((before, written)), Some((record, number))) = (&unknown, &seen)
                && written.is_stored_as(record, *number)
            {
                return Ok((before.clone(), seen));
            }
            let (before, number) = seen.map_or((None, 0), |(record, at)| (Some(record), at));
            let Some(record) = change(before.as_ref()) else { return Ok((before, None)) };
            match self.put_state(id, &record, number).await {
                Published::Stored(number) => return Ok((before, Some((record, number)))),
                Published::Conflict => {}
                Published::Refused(error) => return Err(error),
                Published::Unknown(error) => {
                    timeout(PATIENCE, self.wait_until_good()).await.map_err(|_| error)?;
                    unknown = Some((before, record));
                }
            }
        }
        Err(StoreError::new(format!("the task {id} is changed all the time")))
    }
}
