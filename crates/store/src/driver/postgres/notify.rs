//! The notifier: gathers signals of commits made here, and sends them to other processes in few statements.
//!
//! Signals are not sent inside the transactions that they report, because `pg_notify` makes every commit of the server wait for
//! the previous one. They are sent after the commit, on the listening session, and only make others react sooner: a process
//! that misses one polls every second.

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

/// The minimum interval between statements, so that the commits of one process cost the others at most a thousand wake-ups per
/// second.
const EVERY: Duration = Duration::from_millis(1);
/// The interval under load: then more signals share a statement.
const EVERY_BUSY: Duration = Duration::from_millis(5);
/// A statement with more signals than this counts as load.
const MANY: usize = 8;
/// With more runs than this, one general signal replaces the keys: listeners check everything they wait for.
const KEYS_MAX: usize = 500;
/// The most runs that one notification names; its text is limited to 8,000 bytes.
const KEYS_OF_ONE: usize = 50;
/// With more queues than this, one general signal replaces their names.
const QUEUES_MAX: usize = 32;

/// A session that does not answer within this time is replaced.
const ANSWER: Duration = Duration::from_secs(5);
/// How often an idle session is checked.
const PING: Duration = Duration::from_secs(10);
/// If this process sent nothing for this long, it waits until its signals are sent: it may be about to end.
const ALONE: Duration = Duration::from_millis(100);
/// The longest wait for signals to be sent.
const PATIENCE: Duration = Duration::from_millis(500);
/// The minimum interval between announcements that this process listens.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);

const NOTIFY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/notify.sql"));

/// Sends signals to other processes. Clones share the same notifier.
#[derive(Clone)]
pub(super) struct Notifier(Arc<Inner>);

struct Inner {
    gathered: Mutex<Gathered>,
    /// Rung when there are signals to send.
    bell: Notify,
    /// How many signals were sent.
    told: watch::Sender<u64>,
    /// The waiters in this process.
    here: broadcast::Sender<Signal>,
}

/// The signals to send.
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
    /// How many signals were gathered since the last statement.
    signals: usize,
    /// How many signals were gathered in total.
    all: u64,
    /// Whether a statement is in flight, so that it is unknown whether it was committed.
    on_its_way: bool,
    /// When the last signal was gathered.
    last: Option<Instant>,
    /// When this process last announced that it listens.
    announced: Option<Instant>,
    closed: bool,
}

/// The signals of one statement.
struct Telling {
    texts: Vec<String>,
    /// How many signals were gathered in total up to this statement, and how many of them are in it.
    all: u64,
    signals: usize,
}

impl Notifier {
    pub(super) fn new(here: broadcast::Sender<Signal>) -> Notifier {
        let (gathered, bell, told) = (Mutex::default(), Notify::new(), watch::Sender::new(0));
        Notifier(Arc::new(Inner { gathered, bell, told, here }))
    }

    /// Notify other processes of a commit. The waiters of this process are notified by the code that committed.
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

    /// Notify everyone, in this process and in others.
    pub(super) fn tell(&self, signals: Vec<Signal>) {
        for signal in &signals {
            // Sending fails if there are no receivers, which is fine: then nothing waits.
            self.0.here.send(signal.clone()).ok();
        }
        self.tell_others(signals);
    }

    /// Like `tell_others`, but if this process has been idle and may be about to end, wait until the signals are sent.
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

    /// Wait briefly until everything gathered so far is sent.
    pub(super) async fn flush(&self) {
        let all = self.lock().all;
        let mut told = self.0.told.subscribe();
        // The database may be unavailable; processes that are not notified poll within a second.
        crate::real_time::timeout(PATIENCE, told.wait_for(|told| *told >= all)).await.ok();
    }

    /// Announce to other processes that this one waits for their runs to end.
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

    /// Send what is gathered, and nothing after that.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.bell.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Send signals on this session until it fails or the notifier is closed.
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

    /// The next signals to send; an empty statement when it is time to check the session. `None`: closed, and everything is
    /// sent.
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

/// Wait for an answer with a limit: a pooler may have lost its server, or the server may be stopped.
async fn answered<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
    match crate::real_time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|error| named("signals/notify", error)),
        Err(_) => Err(Fault::reopen("PostgreSQL does not answer on the session that receives and sends signals")),
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

    /// Start on a new session: signals in flight may have been lost, and signals from others may have been missed.
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
