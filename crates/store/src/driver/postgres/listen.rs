//! The listener: hears what other processes committed, and tells this one.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

use super::connect::{OF_POOL, Server, Wire};
use super::fault::fault;
use crate::fault::Fault;
use crate::signal::Signal;

/// Whoever waits says so this often at the most.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);
/// Whoever said that he waits is believed for so long.
const LISTENING_FOR: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

const LISTEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/listen.sql"));
const NOTIFY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/notify.sql"));

/// Whether somebody in another process waits for runs to end. Telling it costs every commit a lock that the whole database
/// shares, so it is done only then.
#[derive(Clone, Default)]
pub(super) struct Listeners(Arc<Mutex<Option<Instant>>>);

impl Listeners {
    pub(super) fn are_there(&self) -> bool {
        lock(&self.0).is_some_and(|heard| heard.elapsed() < LISTENING_FOR)
    }

    fn heard(&self) {
        *lock(&self.0) = Some(Instant::now());
    }
}

/// A session that listens, and the task that reads it. It ends when this is dropped.
pub(super) struct Listener {
    task: JoinHandle<()>,
    /// What says that we listen goes out on the session that hears it, so that it is known for our own.
    say: Arc<tokio::sync::Mutex<Say>>,
}

#[derive(Default)]
struct Say {
    client: Option<Client>,
    last: Option<Instant>,
}

/// A connection that listens, and how its server knows it.
struct Heard {
    wire: Wire,
    pid: Option<i32>,
}

/// What the task needs.
struct Ear {
    server: Server,
    signals: broadcast::Sender<Signal>,
    listeners: Listeners,
    say: Arc<tokio::sync::Mutex<Say>>,
}

impl Listener {
    /// Listen from now on. Whatever is committed after this returns is heard, or `Signal::Look` says that it may have been missed.
    pub(super) async fn start(
        server: &Server,
        signals: &broadcast::Sender<Signal>,
        listeners: &Listeners,
    ) -> Result<Listener, Fault> {
        let say: Arc<tokio::sync::Mutex<Say>> = Arc::default();
        let ear =
            Ear { server: server.clone(), signals: signals.clone(), listeners: listeners.clone(), say: say.clone() };
        let heard = ear.listen().await?;
        Ok(Listener { task: tokio::spawn(ear.hear_for_ever(heard)), say })
    }

    /// Tell other processes that somebody here waits for runs to end.
    pub(super) async fn announce(&self) {
        let mut say = self.say.lock().await;
        if say.last.is_some_and(|last| last.elapsed() < ANNOUNCE_EVERY) {
            return;
        }
        let Some(client) = &say.client else { return };
        match client.execute(NOTIFY, &[&Signal::Listening.to_text()]).await {
            Ok(_) => say.last = Some(Instant::now()),
            // Whoever waits also looks now and then, so it costs time and loses nothing.
            Err(error) => tracing::debug!(%error, "other processes cannot be told that this one waits"),
        }
    }
}

impl Ear {
    async fn listen(&self) -> Result<Heard, Fault> {
        let (client, mut wire) = self.server.connect("onward-listener", OF_POOL).await?;
        let pid = {
            let mut listen = std::pin::pin!(client.simple_query(LISTEN));
            // The wire is ours to read: an answer comes only while we do. What is heard meanwhile is old.
            loop {
                tokio::select! {
                    said = &mut listen => break pid(&said.map_err(fault)?),
                    message = poll_fn(|context| wire.poll_message(context)) => match message {
                        Some(message) => drop(message.map_err(fault)?),
                        None => return Err(closed()),
                    },
                }
            }
        };
        *self.say.lock().await = Say { client: Some(client), last: None };
        Ok(Heard { wire, pid })
    }

    async fn hear_for_ever(self, first: Heard) {
        let mut heard = Ok(first);
        let mut pause = PAUSE;
        loop {
            let ended = match heard {
                Ok(heard) => {
                    pause = PAUSE;
                    self.hear(heard).await
                }
                Err(fault) => fault,
            };
            tracing::warn!(error = %ended.error, "not hearing what other processes commit; listening again soon");
            self.say.lock().await.client = None;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            heard = self.listen().await;
            // What was committed meanwhile was told to nobody here.
            self.tell(Signal::Look);
        }
    }

    /// Pass on what is heard, until the connection ends.
    async fn hear(&self, Heard { mut wire, pid }: Heard) -> Fault {
        while let Some(message) = poll_fn(|context| wire.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(said)) => {
                    let signal = Signal::from_text(said.payload());
                    if signal == Signal::Listening && Some(said.process_id()) != pid {
                        self.listeners.heard();
                    }
                    self.tell(signal);
                }
                Ok(_) => {}
                Err(error) => return fault(error),
            }
        }
        closed()
    }

    fn tell(&self, signal: Signal) {
        // Without a receiver nobody waits.
        self.signals.send(signal).ok();
    }
}

/// The number by which notifications of our own session are known.
fn pid(said: &[SimpleQueryMessage]) -> Option<i32> {
    let row = said.iter().find_map(|it| if let SimpleQueryMessage::Row(row) = it { Some(row) } else { None });
    row.and_then(|row| row.get("pid")?.parse().ok())
}

fn closed() -> Fault {
    Fault::reopen("the connection to PostgreSQL that listens was closed")
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
