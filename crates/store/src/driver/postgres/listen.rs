//! The listener: hears what other processes committed, and tells this one. On the same session others are told, see `notify.rs`.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

use super::connect::{OF_SIGNALS, Server, Wire};
use super::fault::fault;
use super::notify::Notifier;
use crate::fault::Fault;
use crate::signal::Signal;
use crate::sync::lock;

/// Whoever said that he waits is believed for so long.
const LISTENING_FOR: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

const LISTEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/listen.sql"));

/// Whether somebody in another process waits for runs to end: only then it is told.
#[derive(Clone, Default)]
pub(super) struct Listeners(Arc<Mutex<Option<Instant>>>);

impl Listeners {
    pub(super) fn are_there(&self) -> bool {
        lock(&self.0).is_some_and(|heard| heard.elapsed() < LISTENING_FOR)
    }

    fn heard(&self) {
        *lock(&self.0) = Some(crate::real_time::now());
    }
}

/// The task that hears and tells. Once this is dropped it tells what is gathered, and ends.
pub(super) struct Listener(Notifier);

/// A session that listens, and how its server knows it.
struct Heard {
    client: Client,
    wire: Wire,
    pid: Option<i32>,
}

/// What the task needs.
#[derive(Clone)]
struct Ear {
    server: Server,
    signals: broadcast::Sender<Signal>,
    listeners: Listeners,
    notifier: Notifier,
}

impl Listener {
    /// Listen from now on. Whatever is committed after this returns is heard, or `Signal::Look` says that it may have been missed.
    pub(super) async fn start(
        server: &Server,
        signals: &broadcast::Sender<Signal>,
        listeners: &Listeners,
        notifier: &Notifier,
    ) -> Result<Listener, Fault> {
        let ear = Ear {
            server: server.clone(),
            signals: signals.clone(),
            listeners: listeners.clone(),
            notifier: notifier.clone(),
        };
        let heard = ear.listen().await?;
        tokio::spawn(keep_listening(ear, heard));
        Ok(Listener(notifier.clone()))
    }
}

/// Should the task die, another one takes its place, or nobody would hear or tell anything any more.
async fn keep_listening(ear: Ear, first: Heard) {
    let mut first = Some(first);
    loop {
        let mut task = JoinSet::new();
        task.spawn(ear.clone().hear_for_ever(first.take()));
        match task.join_next().await {
            Some(Err(died)) if died.is_panic() => {
                tracing::error!(%died, "who hears and tells what is committed died; another one takes its place");
            }
            _ => return,
        }
        crate::real_time::sleep(PAUSE_MAX).await;
    }
}

impl Ear {
    async fn listen(&self) -> Result<Heard, Fault> {
        let (client, mut wire) = self.server.connect("onward-signals", OF_SIGNALS).await?;
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
        Ok(Heard { client, wire, pid })
    }

    async fn hear_for_ever(self, first: Option<Heard>) {
        let mut heard = match first {
            Some(heard) => Ok(heard),
            None => self.listen().await,
        };
        let mut pause = PAUSE;
        loop {
            let ended = match heard {
                Ok(heard) => {
                    pause = PAUSE;
                    self.hear(heard).await
                }
                Err(fault) => Some(fault),
            };
            let Some(ended) = ended.filter(|_| !self.notifier.is_closed()) else { return };
            tracing::warn!(error = %ended.error, "not hearing what other processes commit; listening again soon");
            crate::real_time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            heard = self.listen().await;
            // What was committed meanwhile was told to nobody here.
            self.pass_on(Signal::Look);
        }
    }

    /// Pass on what is heard and tell what is committed here, until the session ends. None: all is told, and nobody is left.
    async fn hear(&self, Heard { client, wire, pid }: Heard) -> Option<Fault> {
        tokio::select! {
            ended = self.read(wire, pid) => Some(ended),
            ended = self.notifier.tell_for_ever(&client) => ended,
        }
    }

    async fn read(&self, mut wire: Wire, pid: Option<i32>) -> Fault {
        while let Some(message) = poll_fn(|context| wire.poll_message(context)).await {
            match message {
                // This process was told when it committed.
                Ok(AsyncMessage::Notification(said)) if Some(said.process_id()) == pid => {}
                Ok(AsyncMessage::Notification(said)) => {
                    let signal = Signal::from_text(said.payload());
                    if signal == Signal::Listening {
                        self.listeners.heard();
                    }
                    self.pass_on(signal);
                }
                Ok(_) => {}
                Err(error) => return fault(error),
            }
        }
        closed()
    }

    fn pass_on(&self, signal: Signal) {
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
    Fault::reopen("the connection to PostgreSQL that hears and tells what is committed was closed")
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.close();
    }
}
