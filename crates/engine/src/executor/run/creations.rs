//! Creations that are not answered yet: of the run itself and of its children.

use std::sync::{Arc, Mutex, OnceLock};

use onward_store::{Created, Stray};
use onward_types::RunKey;
use tokio::sync::oneshot;

use super::core::RunCore;
use crate::executor::Expected;
use crate::sync::lock;

/// Receives the answer to a creation.
pub(crate) type Answer = oneshot::Sender<Created>;

/// The pending creations of one run.
pub(crate) struct Creations {
    starter: Mutex<Starter>,
    children: Mutex<Vec<NewChild>>,
    /// Calls that wait for the answer to the creation of a child.
    asked: Mutex<Vec<(RunKey, Answer)>>,
    /// Children that an earlier owner of the run created without recording them, once they were read.
    pub(crate) strays: OnceLock<Box<[Stray]>>,
}

/// A child whose creation is not answered yet.
pub(crate) struct NewChild {
    pub(crate) child: Arc<RunCore>,
    /// The position of the call that starts it.
    pub(crate) position: u32,
    /// Keeps the sweep for lost runs from loading the child while the answer is pending.
    _expected: Expected,
}

/// The caller that waits for the creation of the run.
enum Starter {
    /// The creation is answered, or the run was claimed.
    Nobody,
    /// This caller waits.
    Waits(Answer),
    /// The caller stopped waiting. The run is created all the same.
    GaveUp,
}

impl Starter {
    fn take(&mut self) -> Option<Option<Answer>> {
        match std::mem::replace(self, Starter::Nobody) {
            Starter::Nobody => None,
            Starter::Waits(starter) => Some(Some(starter)),
            Starter::GaveUp => Some(None),
        }
    }
}

impl Creations {
    pub(crate) fn new(starter: Option<Answer>) -> Creations {
        Creations {
            starter: Mutex::new(starter.map_or(Starter::Nobody, Starter::Waits)),
            children: Mutex::default(),
            asked: Mutex::default(),
            strays: OnceLock::new(),
        }
    }

    /// Whether the creation of the run itself is not answered yet.
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(*lock(&self.starter), Starter::Nobody)
    }

    /// Stops the caller's wait for the creation. The run is created all the same.
    pub(crate) fn dismiss_starter(&self) {
        let mut starter = lock(&self.starter);
        if matches!(*starter, Starter::Waits(_)) {
            *starter = Starter::GaveUp;
        }
    }

    /// The creation of the run was answered. Returns its caller, if that still waits; the outer `None` means that it was
    /// answered before.
    pub(crate) fn take_starter(&self) -> Option<Option<Answer>> {
        lock(&self.starter).take()
    }

    /// Registers a child whose creation was just added to the changes of the run.
    pub(crate) fn expect(&self, child: Arc<RunCore>, position: u32, expected: Expected) {
        lock(&self.children).push(NewChild { child, position, _expected: expected });
    }

    /// Waits for the answer to the creation of this child.
    pub(crate) fn answer_of(&self, child: RunKey) -> oneshot::Receiver<Created> {
        let (sender, answer) = oneshot::channel();
        lock(&self.asked).push((child, sender));
        answer
    }

    /// The creation of a child was answered. Returns the child, if it is to be executed here, and the call that waits for the
    /// answer.
    pub(crate) fn take_child(&self, run: RunKey) -> (Option<NewChild>, Option<Answer>) {
        let mut children = lock(&self.children);
        let child = children.iter().position(|it| it.child.about.key == run).map(|at| children.swap_remove(at));
        drop(children);
        let mut asked = lock(&self.asked);
        let answer = asked.iter().position(|(key, _)| *key == run).map(|at| asked.swap_remove(at).1);
        (child, answer)
    }
}
