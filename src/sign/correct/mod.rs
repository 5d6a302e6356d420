//! Signing by the time of the server, where the clock of this machine is wrong.

mod answer;
mod body;
mod copy;
mod correction;
mod future;
mod layer;
mod service;

pub use body::AnswerBody;
pub use copy::{CloneBody, CopyBody};
pub use future::CorrectClockFuture;
pub use layer::{CorrectClockLayer, DEFAULT_MAX_OFFSET};
pub use service::CorrectClock;
