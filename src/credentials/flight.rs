//! One question that many wait for.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A question that is under way. All that wait for it poll it, so that it goes on as long as any
/// of them is polled; when the last of them is dropped, so is it.
pub(super) struct Flight<T> {
    state: Mutex<State<T>>,
    waiting: Arc<Waiting>,
}

enum State<T> {
    Asking(Pin<Box<dyn Future<Output = T> + Send>>),
    Answered(T),
}

impl<T> Flight<T> {
    pub(super) fn new(question: impl Future<Output = T> + Send + 'static) -> Self {
        let state = Mutex::new(State::Asking(Box::pin(question)));
        Self { state, waiting: Arc::default() }
    }
}

/// The wakers of those that wait, by their numbers.
#[derive(Default)]
struct Waiting(Mutex<Wakers>);

#[derive(Default)]
struct Wakers {
    next: u64,
    by_number: HashMap<u64, Waker, foldhash::fast::FixedState>,
}

impl Waiting {
    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let wakers: Vec<_> = self.wakers().by_number.drain().map(|(_, waker)| waker).collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// One that waits for the answer.
pub(super) struct Waiter<T> {
    flight: Arc<Flight<T>>,
    number: u64,
}

impl<T> Waiter<T> {
    pub(super) fn of(flight: Arc<Flight<T>>) -> Self {
        let number = {
            let mut wakers = flight.waiting.wakers();
            wakers.next += 1;
            wakers.next
        };
        Self { flight, number }
    }
}

impl<T: Clone> Future for Waiter<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Self { flight, number } = self.get_mut();
        let mut state = flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        let question = match &mut *state {
            State::Answered(answer) => return Poll::Ready(answer.clone()),
            State::Asking(question) => question,
        };
        // Before it is polled, so that no waking up is missed.
        flight.waiting.wakers().by_number.insert(*number, cx.waker().clone());
        let all = Waker::from(Arc::clone(&flight.waiting));
        match question.as_mut().poll(&mut Context::from_waker(&all)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(answer) => {
                *state = State::Answered(answer.clone());
                drop(state);
                all.wake();
                Poll::Ready(answer)
            }
        }
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        self.flight.waiting.wakers().by_number.remove(&self.number);
    }
}
