//! Creations whose answer is not known yet: that of the run itself, and those of its children.

use std::sync::{Arc, Mutex, OnceLock};

use onward_store::{Created, Stray};
use onward_types::RunKey;
use tokio::sync::oneshot;

use super::core::RunCore;
use crate::executor::Expected;
use crate::sync::lock;

/// Receives what came of a creation.
pub(crate) type Answer = oneshot::Sender<Created>;

/// The creations of one run.
pub(crate) struct Births {
    starter: Mutex<Starter>,
    children: Mutex<Vec<Newborn>>,
    /// Calls that wait for what comes of the creation of a child.
    asked: Mutex<Vec<(RunKey, Answer)>>,
    /// Children that an earlier life of the run created without recording anything of them, once they were looked for.
    pub(crate) strays: OnceLock<Box<[Stray]>>,
}

/// A child whose creation is on its way to the database.
pub(crate) struct Newborn {
    pub(crate) child: Arc<RunCore>,
    /// Where it was started.
    pub(crate) position: u32,
    /// Keeps the sweep for lost runs from taking it for one while the answer is on its way.
    _expected: Expected,
}

/// Who waits for the creation of the run.
enum Starter {
    /// Nobody: it is created.
    Nobody,
    /// This caller.
    Waits(Answer),
    /// A caller that gave up waiting. The run is created all the same.
    WentAway,
}

impl Starter {
    fn take(&mut self) -> Option<Option<Answer>> {
        match std::mem::replace(self, Starter::Nobody) {
            Starter::Nobody => None,
            Starter::Waits(starter) => Some(Some(starter)),
            Starter::WentAway => Some(None),
        }
    }
}

impl Births {
    pub(crate) fn new(starter: Option<Answer>) -> Births {
        Births {
            starter: Mutex::new(starter.map_or(Starter::Nobody, Starter::Waits)),
            children: Mutex::default(),
            asked: Mutex::default(),
            strays: OnceLock::new(),
        }
    }

    /// Whether it is not known yet what came of the creation of the run itself.
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(*lock(&self.starter), Starter::Nobody)
    }

    /// The caller that started the run waits no longer. The run is created all the same.
    pub(crate) fn send_starter_away(&self) {
        let mut starter = lock(&self.starter);
        if matches!(*starter, Starter::Waits(_)) {
            *starter = Starter::WentAway;
        }
    }

    /// The creation of the run was answered. Gives its starter, if it still waits; the outer option is empty where it was answered
    /// before.
    pub(crate) fn take_starter(&self) -> Option<Option<Answer>> {
        lock(&self.starter).take()
    }

    /// Remember a child whose creation was just made a change of the run.
    pub(crate) fn expect(&self, child: Arc<RunCore>, position: u32, expected: Expected) {
        lock(&self.children).push(Newborn { child, position, _expected: expected });
    }

    /// Wait for what comes of the creation of this child.
    pub(crate) fn ask(&self, child: RunKey) -> oneshot::Receiver<Created> {
        let (tell, told) = oneshot::channel();
        lock(&self.asked).push((child, tell));
        told
    }

    /// The creation of a child was answered. Gives the child, if it is to live here, and the call that waits for the answer.
    pub(crate) fn take_child(&self, run: RunKey) -> (Option<Newborn>, Option<Answer>) {
        let mut children = lock(&self.children);
        let child = children.iter().position(|it| it.child.about.key == run).map(|at| children.swap_remove(at));
        drop(children);
        let mut asked = lock(&self.asked);
        let answer = asked.iter().position(|(key, _)| *key == run).map(|at| asked.swap_remove(at).1);
        (child, answer)
    }
}
