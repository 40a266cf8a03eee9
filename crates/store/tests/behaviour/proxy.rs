//! A network between an executor and PostgreSQL that loses what a test wants it to.
//!
//! It understands as much of the protocol as it takes to see a batch begin and be committed.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};

/// What happens to a batch on its way. Each befalls one batch, in order; further batches pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mishap {
    /// It is committed, but the answer is lost with the connection.
    AnswerLost,
    /// The connection is lost and the batch is under way still: it arrives when the test lets it.
    Delayed,
    /// The delayed one arrives just before this one.
    Overtaken,
    /// All of it but the commit arrives, and then nothing more, while the connection stays.
    Frozen,
    /// All of it but the commit arrives, and the connection is lost.
    Lost,
}

pub(crate) struct Proxy {
    url: String,
    plan: Arc<Plan>,
    delayed: tokio::sync::Mutex<mpsc::UnboundedReceiver<Delayed>>,
}

struct Plan {
    /// The name of the sessions that mishaps befall.
    sessions: &'static str,
    mishaps: Mutex<VecDeque<Mishap>>,
    /// Who sends this loses the connection, each time.
    poison: Mutex<Option<&'static str>>,
    /// Connections that are older than this are silent.
    silent: watch::Sender<u64>,
    /// The names of the sessions that tell others anything.
    tell: Mutex<BTreeSet<String>>,
    /// Rung when a mishap has happened.
    happened: Notify,
    delayed: mpsc::UnboundedSender<Delayed>,
    /// Delayed batches that wait for the next one.
    waiting: tokio::sync::Mutex<Option<Delayed>>,
}

/// A batch that was sent over a connection which is gone.
pub(crate) struct Delayed {
    frames: Vec<u8>,
    server: (OwnedReadHalf, OwnedWriteHalf),
}

impl Delayed {
    /// It arrives. Gives all that the server answered before it closed the session.
    pub(crate) async fn arrives(self) -> Vec<u8> {
        let (mut read, mut write) = self.server;
        write.write_all(&self.frames).await.unwrap();
        // The client is gone, and so the session ends after it.
        write.shutdown().await.unwrap();
        let mut answers = Vec::new();
        read.read_to_end(&mut answers).await.unwrap();
        answers
    }
}

impl Proxy {
    /// In front of the server that `url` names.
    pub(crate) async fn before(url: &str) -> Proxy {
        Proxy::before_sessions(url, "onward-writer").await
    }

    /// The same, where the mishaps befall other sessions than the one that writes.
    pub(crate) async fn before_sessions(url: &str, sessions: &'static str) -> Proxy {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, server) = authority.rsplit_once('@').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (held, delayed) = mpsc::unbounded_channel();
        let plan = Plan {
            sessions,
            mishaps: Mutex::default(),
            poison: Mutex::default(),
            silent: watch::Sender::new(0),
            tell: Mutex::default(),
            happened: Notify::new(),
            delayed: held,
            waiting: tokio::sync::Mutex::default(),
        };
        let plan = Arc::new(plan);
        tokio::spawn(accept(listener, server.to_owned(), plan.clone()));
        let path = path.split('?').next().unwrap();
        let url = format!("{scheme}://{user}@{address}/{path}?sslmode=disable");
        Proxy { url, plan, delayed: tokio::sync::Mutex::new(delayed) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From the next batch on.
    pub(crate) fn plan(&self, mishaps: &[Mishap]) {
        self.plan.mishaps.lock().unwrap().extend(mishaps);
    }

    /// From now on a connection that sends this text is lost.
    pub(crate) fn closes_on(&self, text: &'static str) {
        *self.plan.poison.lock().unwrap() = Some(text);
    }

    /// Whatever is connected now stays so and is answered no more. New connections are.
    pub(crate) fn falls_silent(&self) {
        self.plan.silent.send_modify(|silent| *silent += 1);
    }

    /// The names of the sessions that tell others anything.
    pub(crate) fn tell(&self) -> BTreeSet<String> {
        self.plan.tell.lock().unwrap().clone()
    }

    /// Wait until everything that was planned has happened.
    pub(crate) async fn all_has_happened(&self) {
        loop {
            let happened = self.plan.happened.notified();
            if self.plan.mishaps.lock().unwrap().is_empty() {
                return;
            }
            happened.await;
        }
    }

    /// The batch that was delayed.
    pub(crate) async fn delayed(&self) -> Delayed {
        self.delayed.lock().await.recv().await.unwrap()
    }
}

impl Plan {
    fn next(&self) -> Option<Mishap> {
        self.mishaps.lock().unwrap().front().copied()
    }

    fn is_poison(&self, sent: &[u8]) -> bool {
        self.poison.lock().unwrap().is_some_and(|poison| contains(sent, poison.as_bytes()))
    }

    fn done(&self) {
        self.mishaps.lock().unwrap().pop_front();
        self.happened.notify_waiters();
    }
}

async fn accept(listener: TcpListener, server: String, plan: Arc<Plan>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(&server).await.unwrap();
        // A connection that ends in the middle of something is what this is for.
        let plan = plan.clone();
        tokio::spawn(async move { pass(client, server, &plan).await.ok() });
    }
}

/// Pass everything on, in both directions, until one side closes or a mishap happens.
async fn pass(client: TcpStream, server: TcpStream, plan: &Plan) -> io::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut frames = frames(from_client);
    let Some(startup) = frames.recv().await else { return Ok(()) };
    let startup_text = String::from_utf8_lossy(&startup).into_owned();
    let writes = startup_text.contains(plan.sessions);
    let name = startup_text.split('\0').skip_while(|text| *text != "application_name").nth(1).unwrap_or_default();
    to_server.write_all(&startup).await?;
    let mut answers = Answers::default();
    let mut silent = plan.silent.subscribe();
    silent.mark_unchanged();
    loop {
        tokio::select! {
            changed = silent.changed() => {
                changed.map_err(io::Error::other)?;
                // What the client sends goes nowhere, until it gives up.
                while frames.recv().await.is_some() {}
                return Ok(());
            }
            next = frames.recv() => {
                let Some(sent) = next else { return Ok(()) };
                if contains(&sent, b"pg_notify") || contains(&sent, b"notify ") {
                    plan.tell.lock().unwrap().insert(name.to_owned());
                }
                if writes && plan.is_poison(&sent) {
                    return Ok(());
                }
                match plan.next().filter(|_| writes) {
                    Some(Mishap::AnswerLost) if is(&sent, "commit") => {
                        to_server.write_all(&sent).await?;
                        answers.committed(&mut from_server).await?;
                        plan.done();
                        return Ok(());
                    }
                    Some(Mishap::Delayed) if is(&sent, "begin") => {
                        let Some(frames) = whole_batch(sent, &mut frames).await else { return Ok(()) };
                        let delayed = Delayed { frames, server: (from_server, to_server) };
                        if plan.mishaps.lock().unwrap().get(1) == Some(&Mishap::Overtaken) {
                            *plan.waiting.lock().await = Some(delayed);
                        } else {
                            plan.delayed.send(delayed).ok();
                        }
                        plan.done();
                        return Ok(());
                    }
                    Some(Mishap::Overtaken) if is(&sent, "begin") => {
                        let delayed = plan.waiting.lock().await.take().expect("one was delayed");
                        let said = delayed.arrives().await;
                        assert!(contains(&said, b"COMMIT\0"), "the delayed batch is the one that stands");
                        plan.done();
                        to_server.write_all(&sent).await?;
                    }
                    Some(Mishap::Frozen) if is(&sent, "commit") => {
                        plan.done();
                        // Neither sent nor closed, until the other side gives up.
                        from_server.read_to_end(&mut Vec::new()).await?;
                        return Ok(());
                    }
                    Some(Mishap::Lost) if is(&sent, "commit") => {
                        plan.done();
                        return Ok(());
                    }
                    _ => to_server.write_all(&sent).await?,
                }
            }
            read = answers.read(&mut from_server) => {
                match read? {
                    0 => return Ok(()),
                    _ => to_client.write_all(answers.last()).await?,
                }
            }
        }
    }
}

/// What the server said.
#[derive(Default)]
struct Answers(Vec<u8>);

impl Answers {
    async fn read(&mut self, server: &mut OwnedReadHalf) -> io::Result<usize> {
        let mut buffer = [0; 8192];
        let read = server.read(&mut buffer).await?;
        self.0 = buffer[..read].to_vec();
        Ok(read)
    }

    fn last(&self) -> &[u8] {
        &self.0
    }

    /// Read on until the server says that it has committed.
    async fn committed(&mut self, server: &mut OwnedReadHalf) -> io::Result<()> {
        let mut all = Vec::new();
        while !contains(&all, b"COMMIT\0") {
            assert!(self.read(server).await? > 0, "the server closed before it committed");
            all.extend_from_slice(&self.0);
        }
        Ok(())
    }
}

/// From `begin` to `commit`.
async fn whole_batch(begin: Vec<u8>, frames: &mut mpsc::UnboundedReceiver<Vec<u8>>) -> Option<Vec<u8>> {
    let mut batch = begin;
    loop {
        let next = frames.recv().await?;
        batch.extend_from_slice(&next);
        if is(&next, "commit") {
            return Some(batch);
        }
    }
}

/// The messages of a client, one after another, until it closes.
fn frames(mut client: OwnedReadHalf) -> mpsc::UnboundedReceiver<Vec<u8>> {
    let (send, frames) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        // The first message alone has no tag before its length.
        let mut head = vec![0; 4];
        while client.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes(head[head.len() - 4..].try_into().expect("four bytes"));
            let mut frame = head;
            let read = frame.len();
            frame.resize(read + length as usize - 4, 0);
            if client.read_exact(&mut frame[read..]).await.is_err() || send.send(frame).is_err() {
                return;
            }
            head = vec![0; 5];
        }
    });
    frames
}

/// Whether it is this simple query.
fn is(frame: &[u8], command: &str) -> bool {
    frame[0] == b'Q' && frame[5..].strip_suffix(b"\0") == Some(command.as_bytes())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
