//! The notifier: gathers what was committed here, and tells other processes of it in few statements of its own.
//!
//! Nothing is told inside a transaction, for `pg_notify` makes every commit of the server wait for the one before. What is told
//! is told after its commit, by the session that listens, and only makes others look sooner: who misses it looks each second.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use onward_types::RunKey;
use tokio::sync::{Notify, broadcast, watch};
use tokio_postgres::Client;

use super::fault::named;
use crate::fault::Fault;
use crate::signal::Signal;
use crate::sync::lock;

/// No more than one statement in this time, so that commits of one process cost the others a thousand wake-ups a second.
const EVERY: Duration = Duration::from_millis(1);
/// The same while there is much to tell: then more of it shares a statement.
const EVERY_BUSY: Duration = Duration::from_millis(5);
/// So many signals are much.
const MANY: usize = 8;
/// More runs than this are not worth naming: whoever listens looks at all it waits for.
const KEYS_MAX: usize = 500;
/// Runs that one notification names; its text may have 8,000 bytes.
const KEYS_OF_ONE: usize = 50;
/// More queues than this are not worth naming.
const QUEUES_MAX: usize = 32;

/// A session that does not answer within this time is replaced by another one.
const ANSWER: Duration = Duration::from_secs(5);
/// So often a session that has nothing to tell is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
/// Whoever did nothing for so long waits until what it did is told: it may be about to end.
const ALONE: Duration = Duration::from_millis(100);
/// Nobody waits for longer than this until something is told.
const PATIENCE: Duration = Duration::from_millis(500);
/// Whoever waits for runs of others says so this often at the most.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);

const NOTIFY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/notify.sql"));

/// The way to tell other processes. Clones lead to the same notifier.
#[derive(Clone)]
pub(super) struct Notifier(Arc<Inner>);

struct Inner {
    gathered: Mutex<Gathered>,
    /// Rung when there is something to tell.
    bell: Notify,
    /// How many signals were told.
    told: watch::Sender<u64>,
    /// Those who wait in this process.
    here: broadcast::Sender<Signal>,
}

/// What is to be told.
#[derive(Default)]
struct Gathered {
    look: bool,
    ready: bool,
    listening: bool,
    queues: BTreeSet<String>,
    finished: BTreeSet<RunKey>,
    revoked: BTreeSet<RunKey>,
    woken: BTreeSet<RunKey>,
    sent: BTreeSet<RunKey>,
    said: BTreeSet<RunKey>,
    /// How many signals came since something was told.
    signals: usize,
    /// How many came in all.
    all: u64,
    /// Whether a statement is on its way of which it is not known whether it was committed.
    on_its_way: bool,
    /// When something was gathered last.
    last: Option<Instant>,
    /// When others were told last that somebody here waits.
    announced: Option<Instant>,
    closed: bool,
}

/// One statement.
struct Telling {
    texts: Vec<String>,
    /// How many signals were gathered up to it, and how many it has.
    all: u64,
    signals: usize,
}

impl Notifier {
    pub(super) fn new(here: broadcast::Sender<Signal>) -> Notifier {
        let (gathered, bell, told) = (Mutex::default(), Notify::new(), watch::Sender::new(0));
        Notifier(Arc::new(Inner { gathered, bell, told, here }))
    }

    /// Tell other processes of what was committed just now. Those who wait in this one are told by whoever committed it.
    pub(super) fn tell_others(&self, signals: impl IntoIterator<Item = Signal>) {
        let mut gathered = self.lock();
        let before = gathered.all;
        signals.into_iter().for_each(|signal| gathered.add(signal));
        if gathered.all > before {
            gathered.last = Some(crate::real_time::now());
            drop(gathered);
            self.0.bell.notify_one();
        }
    }

    /// Tell everybody, in this process and in others.
    pub(super) fn tell(&self, signals: Vec<Signal>) {
        for signal in &signals {
            // Without a receiver nobody waits.
            self.0.here.send(signal.clone()).ok();
        }
        self.tell_others(signals);
    }

    /// The same as `tell_others`, for a process that does nothing else and may be about to end: it waits until others were told.
    pub(super) async fn tell_others_alone(&self, signals: Vec<Signal>) {
        if signals.is_empty() {
            return;
        }
        let alone = self.lock().last.is_none_or(|last| last.elapsed() > ALONE);
        self.tell_others(signals);
        if alone {
            self.flush().await;
        }
    }

    /// Wait until everything that was gathered is told, but not for long.
    pub(super) async fn flush(&self) {
        let all = self.lock().all;
        let mut told = self.0.told.subscribe();
        // The database may be away, and whoever was not told looks within a second.
        crate::real_time::timeout(PATIENCE, told.wait_for(|told| *told >= all)).await.ok();
    }

    /// Tell other processes that somebody here waits for their runs to end.
    pub(super) async fn announce(&self) {
        {
            let mut gathered = self.lock();
            if gathered.announced.is_some_and(|last| last.elapsed() < ANNOUNCE_EVERY) {
                return;
            }
            gathered.announced = Some(crate::real_time::now());
        }
        self.tell_others([Signal::Listening]);
        self.flush().await;
    }

    /// Tell what is gathered, and then no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.bell.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Tell others on this session, until it does not take it or the notifier is closed.
    pub(super) async fn tell_for_ever(&self, client: &Client) -> Option<Fault> {
        self.lock().begin();
        let statement = match answered(client.prepare(NOTIFY)).await {
            Ok(statement) => statement,
            Err(fault) => return Some(fault),
        };
        loop {
            let Telling { texts, all, signals } = match self.next().await {
                Some(telling) => telling,
                None => return None,
            };
            let began = crate::real_time::now();
            if let Err(fault) = answered(client.execute(&statement, &[&texts])).await {
                return Some(fault);
            }
            self.lock().on_its_way = false;
            self.0.told.send_replace(all);
            if !self.is_closed() {
                let every = if signals > MANY { EVERY_BUSY } else { EVERY };
                crate::real_time::sleep_until(began + every).await;
            }
        }
    }

    /// What is to be told next, or nothing where it is time to see whether the session is there. None: all is told.
    async fn next(&self) -> Option<Telling> {
        let ping = crate::real_time::now() + PING;
        loop {
            {
                let mut gathered = self.lock();
                if gathered.signals > 0 {
                    return Some(gathered.take());
                }
                if gathered.closed {
                    return None;
                }
            }
            if crate::real_time::timeout_at(ping, self.0.bell.notified()).await.is_err() {
                return Some(self.lock().take());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        lock(&self.0.gathered)
    }
}

/// Wait for an answer, but not for ever: a pooler may have lost its server, and a server may be stopped.
async fn answered<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
    match crate::real_time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| named("signals/notify", error)),
        Err(_) => Err(Fault::reopen("PostgreSQL does not answer the session that hears and tells what is committed")),
    }
}

impl Gathered {
    fn add(&mut self, signal: Signal) {
        self.signals += 1;
        self.all += 1;
        let (named, keys) = match signal {
            Signal::Look => {
                self.look = true;
                return;
            }
            Signal::Ready => {
                self.ready = true;
                return;
            }
            Signal::Listening => {
                self.listening = true;
                return;
            }
            Signal::Queued(queue) => {
                self.queues.insert(queue);
                if self.queues.len() > QUEUES_MAX {
                    self.queues.clear();
                    self.ready = true;
                }
                return;
            }
            Signal::Finished(keys) => (&mut self.finished, keys),
            Signal::Revoked(keys) => (&mut self.revoked, keys),
            Signal::Woken(keys) => (&mut self.woken, keys),
            Signal::Sent(keys) => (&mut self.sent, keys),
            Signal::Said(keys) => (&mut self.said, keys),
        };
        named.extend(keys);
        if named.len() > KEYS_MAX {
            named.clear();
            self.look = true;
        }
    }

    /// On a new session: what was on its way may have got lost, and so may what others told.
    fn begin(&mut self) {
        self.announced = None;
        if std::mem::take(&mut self.on_its_way) {
            self.add(Signal::Look);
        }
    }

    fn take(&mut self) -> Telling {
        let signals = std::mem::take(&mut self.signals);
        self.on_its_way = signals > 0;
        let mut told = Vec::new();
        let mut flag = |flag: &mut bool, signal| {
            if std::mem::take(flag) {
                told.push(signal);
            }
        };
        flag(&mut self.look, Signal::Look);
        flag(&mut self.ready, Signal::Ready);
        flag(&mut self.listening, Signal::Listening);
        told.extend(std::mem::take(&mut self.queues).into_iter().map(Signal::Queued));
        let mut name = |keys: &mut BTreeSet<RunKey>, signal: fn(Vec<RunKey>) -> Signal| {
            let keys: Vec<RunKey> = std::mem::take(keys).into_iter().collect();
            told.extend(keys.chunks(KEYS_OF_ONE).map(|some| signal(some.to_vec())));
        };
        name(&mut self.finished, Signal::Finished);
        name(&mut self.revoked, Signal::Revoked);
        name(&mut self.woken, Signal::Woken);
        name(&mut self.sent, Signal::Sent);
        name(&mut self.said, Signal::Said);
        Telling { texts: told.iter().map(Signal::to_text).collect(), all: self.all, signals }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn keys(from: u128, to: u128) -> Vec<RunKey> {
        (from..to).map(|key| RunKey(Uuid::from_u128(key))).collect()
    }

    #[test]
    fn what_is_gathered_is_told_once_and_in_few_texts() {
        let mut gathered = Gathered::default();
        for _ in 0..1000 {
            gathered.add(Signal::Ready);
            gathered.add(Signal::Queued("mail".to_owned()));
            gathered.add(Signal::Finished(keys(0, 70)));
        }
        let Telling { texts, all, signals } = gathered.take();
        let expected = [
            Signal::Ready,
            Signal::Queued("mail".to_owned()),
            Signal::Finished(keys(0, 50)),
            Signal::Finished(keys(50, 70)),
        ];
        assert_eq!(texts.iter().map(|text| Signal::from_text(text)).collect::<Vec<_>>(), expected);
        assert_eq!((all, signals), (3000, 3000));
        assert!(gathered.take().texts.is_empty());
    }

    #[test]
    fn what_would_be_too_much_says_look() {
        let mut gathered = Gathered::default();
        for n in 0..1000 {
            gathered.add(Signal::Queued(n.to_string()));
            gathered.add(Signal::Said(keys(n * 10, n * 10 + 10)));
        }
        let texts = gathered.take().texts;
        assert!(texts.len() <= 2 + QUEUES_MAX + KEYS_MAX / KEYS_OF_ONE, "{} texts", texts.len());
        assert!(texts.contains(&Signal::Look.to_text()) && texts.contains(&Signal::Ready.to_text()));
    }

    #[test]
    fn what_was_lost_with_its_session_is_looked_for() {
        let mut gathered = Gathered::default();
        gathered.add(Signal::Ready);
        gathered.take();
        gathered.begin();
        assert_eq!(gathered.take().texts, [Signal::Look.to_text()]);
    }
}
