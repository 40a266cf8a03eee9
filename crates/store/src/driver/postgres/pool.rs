//! A pool of sessions that are opened on demand, within what the server grants.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::{is_full, of_pool, too_few};
use crate::fault::Fault;
use crate::sync::lock;

/// How long a call waits while all sessions are in use.
const TURN: Duration = Duration::from_secs(5);
/// How long after a refusal by the server further sessions are requested again.
const FULL_FOR: Duration = Duration::from_secs(30);

/// A limited number of sessions. Clones share them.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Inner>);

struct Inner {
    pool: Pool,
    /// One permit for each session that may be in use.
    turns: Arc<Semaphore>,
    full: Mutex<Full>,
}

/// The sessions that the server refused.
#[derive(Default)]
struct Full {
    missing: usize,
    since: Option<Instant>,
    /// Whether the log says that the server grants too few, and since when they are requested again.
    is_said: bool,
    again: Option<Instant>,
}

/// A session on loan from the pool.
pub(super) struct Lent {
    object: Object,
    _turn: OwnedSemaphorePermit,
}

impl Sessions {
    pub(super) fn new(pool: Pool, size: usize) -> Sessions {
        Sessions(Arc::new(Inner { pool, turns: Arc::new(Semaphore::new(size)), full: Mutex::default() }))
    }

    /// A session, as soon as one is free.
    pub(super) async fn get(&self) -> Result<Lent, Fault> {
        let late = |_| Fault::try_again("all connections to PostgreSQL are busy");
        crate::real_time::timeout(TURN, self.get_in_turn()).await.map_err(late)?
    }

    /// The same, without a time limit.
    pub(super) async fn get_in_turn(&self) -> Result<Lent, Fault> {
        let Inner { pool, turns, .. } = &*self.0;
        loop {
            self.ask_for_more();
            let turn = turns.clone().acquire_owned().await.map_err(|_| Fault::try_again("the pool is closed"))?;
            match pool.get().await {
                Ok(object) => return Ok(Lent { object, _turn: turn }),
                Err(error) if is_full(&error) => {
                    // Loop to wait for one of the existing sessions.
                    if pool.status().size == 0 {
                        return Err(too_few(&error));
                    }
                    self.do_with_less(turn);
                }
                Err(error) => return Err(of_pool(error)),
            }
        }
    }

    pub(super) fn are_same(one: &Sessions, other: &Sessions) -> bool {
        Arc::ptr_eq(&one.0, &other.0)
    }

    /// A more important session could not be opened: close a free one, and use fewer for a while.
    pub(super) fn give_way(&self) {
        if self.0.turns.available_permits() > 1
            && let Ok(turn) = self.0.turns.clone().try_acquire_owned()
        {
            self.do_with_less(turn);
        }
        let mut left = self.0.pool.status().size;
        drop(self.0.pool.retain(|_, _| {
            left -= 1;
            left > 0
        }));
    }

    fn do_with_less(&self, turn: OwnedSemaphorePermit) {
        let mut full = self.lock();
        if !std::mem::replace(&mut full.is_said, true) {
            let connections = self.0.pool.status().size;
            tracing::warn!(target: "onward::database", connections, "{}", super::fault::FEW);
        }
        full.again = None;
        full.missing += 1;
        full.since = Some(crate::real_time::now());
        turn.forget();
    }

    fn ask_for_more(&self) {
        let mut full = self.lock();
        if full.since.is_some_and(|since| since.elapsed() > FULL_FOR) {
            self.0.turns.add_permits(std::mem::take(&mut full.missing));
            full.since = None;
            full.again = Some(crate::real_time::now());
        }
        if full.again.is_some_and(|again| again.elapsed() > FULL_FOR) {
            full.again = None;
            full.is_said = false;
            tracing::info!(target: "onward::database", "PostgreSQL grants all connections again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Full> {
        lock(&self.0.full)
    }
}

impl Lent {
    /// Close the session instead of returning it.
    pub(super) fn close(self) {
        drop(Object::take(self.object));
    }
}

impl Deref for Lent {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

#[cfg(test)]
mod tests {
    use deadpool_postgres::Manager;
    use tokio_postgres::{Config, NoTls};

    use super::*;

    #[tokio::test]
    async fn what_the_server_did_not_grant_is_asked_for_again_after_a_while() {
        let pool = Pool::builder(Manager::new(Config::new(), NoTls)).max_size(2).build().unwrap();
        let sessions = Sessions::new(pool, 2);
        let turn = sessions.0.turns.clone().try_acquire_owned().unwrap();
        sessions.do_with_less(turn);
        sessions.ask_for_more();
        assert_eq!(sessions.0.turns.available_permits(), 1, "it was said just now");
        let before = crate::real_time::now().checked_sub(FULL_FOR + Duration::from_secs(1));
        sessions.lock().since = before;
        sessions.ask_for_more();
        assert_eq!(sessions.0.turns.available_permits(), 2);
        sessions.ask_for_more();
        assert_eq!(sessions.0.turns.available_permits(), 2, "once");
    }
}
