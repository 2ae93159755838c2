//! Answers: responses that another thread gives later, while the supervisor goes on.

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Message};

use super::ControlError;

/// Where the answer to one message goes. Dropping it tells the sender that none will come.
pub(super) struct Answer<T>(Option<OneshotSender<Result<T, ControlError>>>);

impl<T> Answer<T> {
    /// Answers; nothing happens when nobody waits for it.
    pub(super) fn send(self, result: Result<T, ControlError>) {
        if let Some(sender) = self.0 {
            // The sender of the message no longer waits.
            let _ = sender.send(result);
        }
    }
}

/// A response that is handed on to whoever will know it.
pub struct Deferred<T>(Box<dyn FnOnce(Answer<T>)>);

impl<T: 'static> Deferred<T> {
    /// Calls `hand_on` with the answer, right after the handler has returned.
    pub(super) fn new(hand_on: impl FnOnce(Answer<T>) + 'static) -> Self {
        Self(Box::new(hand_on))
    }

    /// Answers with an error at once.
    pub(super) fn refused(error: ControlError) -> Self {
        Self::new(|answer| answer.send(Err(error)))
    }
}

impl<A, M, T> MessageResponse<A, M> for Deferred<T>
where
    A: Actor,
    M: Message<Result = Result<T, ControlError>>,
{
    fn handle(self, _: &mut A::Context, sender: Option<OneshotSender<M::Result>>) {
        (self.0)(Answer(sender));
    }
}
