//! The listener: receives signals from other processes and passes them on in this one. The same session sends signals, see
//! `notify.rs`.

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

/// How long a listener's announcement stays valid.
const LISTENING_FOR: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

const LISTEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/signals/listen.sql"));

/// Whether another process waits for runs to end; only then is it notified.
#[derive(Clone, Default)]
pub(super) struct Listeners(Arc<Mutex<Option<Instant>>>);

impl Listeners {
    pub(super) fn are_there(&self) -> bool {
        lock(&self.0).is_some_and(|announced| announced.elapsed() < LISTENING_FOR)
    }

    fn renew(&self) {
        *lock(&self.0) = Some(crate::real_time::now());
    }
}

/// The task that receives and sends signals. When this is dropped, the task sends what is gathered, and ends.
pub(super) struct Listener(Notifier);

/// A listening session and its process id on the server.
struct ListeningSession {
    client: Client,
    wire: Wire,
    pid: Option<i32>,
}

/// The state of the task.
#[derive(Clone)]
struct SignalReceiver {
    server: Server,
    signals: broadcast::Sender<Signal>,
    listeners: Listeners,
    notifier: Notifier,
}

impl Listener {
    /// Start listening. Every commit after this returns is signalled, or `Signal::Look` reports that signals may have been
    /// missed.
    pub(super) async fn start(
        server: &Server,
        signals: &broadcast::Sender<Signal>,
        listeners: &Listeners,
        notifier: &Notifier,
    ) -> Result<Listener, Fault> {
        let receiver = SignalReceiver {
            server: server.clone(),
            signals: signals.clone(),
            listeners: listeners.clone(),
            notifier: notifier.clone(),
        };
        let session = receiver.listen().await?;
        tokio::spawn(keep_listening(receiver, session));
        Ok(Listener(notifier.clone()))
    }
}

/// If the task panics, restart it: otherwise no signals would be received or sent any more.
async fn keep_listening(receiver: SignalReceiver, first: ListeningSession) {
    let mut first = Some(first);
    loop {
        let mut task = JoinSet::new();
        task.spawn(receiver.clone().receive_forever(first.take()));
        match task.join_next().await {
            Some(Err(died)) if died.is_panic() => {
                let error = died.to_string();
                tracing::error!(
                    target: "onward::database",
                    error,
                    "the task that receives and sends signals panicked because of a bug in Onward: it is restarted"
                );
            }
            _ => return,
        }
        crate::real_time::sleep(PAUSE_MAX).await;
    }
}

impl SignalReceiver {
    async fn listen(&self) -> Result<ListeningSession, Fault> {
        let (client, mut wire) = self.server.connect("onward-signals", OF_SIGNALS).await?;
        let pid = {
            let mut listen = std::pin::pin!(client.simple_query(LISTEN));
            // We have to poll the connection ourselves to get an answer. Notifications that arrive meanwhile are old.
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
        Ok(ListeningSession { client, wire, pid })
    }

    async fn receive_forever(self, first: Option<ListeningSession>) {
        let mut session = match first {
            Some(session) => Ok(session),
            None => self.listen().await,
        };
        let (mut pause, mut is_lost) = (PAUSE, false);
        loop {
            let ended = match session {
                Ok(session) => {
                    pause = PAUSE;
                    if std::mem::take(&mut is_lost) {
                        tracing::info!(target: "onward::database", "receiving signals from other processes again");
                    }
                    self.receive(session).await
                }
                Err(fault) => Some(fault),
            };
            let Some(ended) = ended.filter(|_| !self.notifier.is_closed()) else { return };
            if !std::mem::replace(&mut is_lost, true) {
                let error = ended.error.message();
                tracing::warn!(
                    target: "onward::database",
                    error,
                    "no longer receiving signals from other processes, so their work is noticed up to a second late: reconnecting"
                );
            }
            crate::real_time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            session = self.listen().await;
            // Signals of commits made meanwhile were missed.
            self.pass_on(Signal::Look);
        }
    }

    /// Receive and send signals until the session ends. `None`: the notifier was closed and everything is sent.
    async fn receive(&self, ListeningSession { client, wire, pid }: ListeningSession) -> Option<Fault> {
        tokio::select! {
            ended = self.read(wire, pid) => Some(ended),
            ended = self.notifier.tell_for_ever(&client) => ended,
        }
    }

    async fn read(&self, mut wire: Wire, pid: Option<i32>) -> Fault {
        while let Some(message) = poll_fn(|context| wire.poll_message(context)).await {
            match message {
                // This process was notified at its own commit.
                Ok(AsyncMessage::Notification(said)) if Some(said.process_id()) == pid => {}
                Ok(AsyncMessage::Notification(said)) => {
                    let signal = Signal::from_text(said.payload());
                    if signal == Signal::Listening {
                        self.listeners.renew();
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
        // Sending fails if there are no receivers, which is fine: then nothing waits.
        self.signals.send(signal).ok();
    }
}

/// The server's process id of our own session, which identifies our own notifications.
fn pid(said: &[SimpleQueryMessage]) -> Option<i32> {
    let row = said.iter().find_map(|it| if let SimpleQueryMessage::Row(row) = it { Some(row) } else { None });
    row.and_then(|row| row.get("pid")?.parse().ok())
}

fn closed() -> Fault {
    Fault::reopen("the connection to PostgreSQL that receives and sends signals was closed")
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.close();
    }
}
