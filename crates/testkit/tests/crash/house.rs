//! What the tests share: a database, the desk where bodies wait, and workers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onward::Client;
use onward_testkit::crash::bodies::{self, Line};
use onward_testkit::crash::{LEDGER, Op, Program, Raw, Said, Worker, WorkerOptions, program};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// So quick that a test need not wait for it, and long enough for a busy machine.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

pub(crate) struct House {
    pub(crate) options: WorkerOptions,
    pub(crate) client: Client,
    pub(crate) raw: Raw,
    desk: UnixListener,
    folder: PathBuf,
}

impl House {
    pub(crate) async fn on(url: &str) -> House {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("onward-house-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let desk = folder.join("desk");
        let mut options = WorkerOptions::new(env!("CARGO_BIN_EXE_crash"), url, &folder.join("bodies.log"));
        options.desk = Some(desk.clone());
        options.lease = Some(LEASE);
        let desk = UnixListener::bind(desk).unwrap();
        let client = Client::connect(url).await.unwrap();
        let raw = Raw::of(url);
        raw.texts(LEDGER).await.unwrap();
        House { options, client, raw, desk, folder }
    }

    /// A worker that is up, and the id of its executor.
    pub(crate) async fn worker(&self) -> Up {
        self.worker_with(|_| {}).await
    }

    pub(crate) async fn worker_with(&self, change: impl FnOnce(&mut WorkerOptions)) -> Up {
        let mut options = self.options.clone();
        change(&mut options);
        let mut worker = options.spawn().unwrap();
        match worker.hear().await.unwrap() {
            Some(Said::Ready(executor)) => Up { worker, executor },
            other => panic!("a worker did not come up: {other:?}"),
        }
    }

    /// Start a run for the executor that claims it.
    pub(crate) async fn start(&self, id: &str, ops: impl Into<Vec<Op>>) {
        self.client.start::<program>(Program(ops.into())).id(id).await.unwrap();
    }

    pub(crate) async fn result(&self, id: &str) -> u64 {
        self.client.handle::<program>(id).result().await.unwrap()
    }

    /// The next body that comes to the desk.
    pub(crate) async fn caller(&self) -> Caller {
        let mut stream = BufReader::new(self.desk.accept().await.unwrap().0);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let (run, pid) = line.trim().split_once(' ').unwrap();
        Caller { run: run.to_owned(), pid: pid.parse().unwrap(), stream }
    }

    /// The bodies of a run's steps that have begun.
    pub(crate) fn begun(&self, run: &str) -> Vec<Line> {
        let lines = bodies::read(&self.options.log).unwrap();
        lines.into_iter().filter(|line| line.run == run && line.gave.is_none()).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A test that failed has said so already; what is left behind is a folder of kilobytes.
        if let Err(error) = onward_testkit::remove_folder(&self.folder) {
            eprintln!("{} was left behind: {error}", self.folder.display());
        }
    }
}

/// A worker that came up.
pub(crate) struct Up {
    pub(crate) worker: Worker,
    pub(crate) executor: String,
}

impl Up {
    /// Start a run in this worker, and wait until that is durable.
    pub(crate) async fn start(&mut self, id: &str, ops: impl Into<Vec<Op>>) {
        self.worker.start(id, &Program(ops.into())).await.unwrap();
        loop {
            match self.worker.hear().await.unwrap() {
                Some(Said::Started(started)) if started == id => return,
                Some(Said::Result(..) | Said::Started(_)) => {}
                other => panic!("instead of starting {id}: {other:?}"),
            }
        }
    }

    /// The worker does what it is asked: it starts a run and brings it to its end.
    pub(crate) async fn works(&mut self, id: &str) {
        self.start(id, [Op::Step { salt: 1, millis: 0 }]).await;
        loop {
            match self.worker.hear().await.unwrap() {
                Some(Said::Result(ended, _)) if ended == id => return,
                Some(_) => {}
                None => panic!("the worker ended instead"),
            }
        }
    }
}

/// A body that waits at the desk.
pub(crate) struct Caller {
    pub(crate) run: String,
    pub(crate) pid: u32,
    stream: BufReader<UnixStream>,
}

impl Caller {
    /// Let it go on.
    pub(crate) async fn go(mut self) {
        self.stream.get_mut().write_all(b"go\n").await.unwrap();
    }
}

/// A step with a value.
pub(crate) const STEP: Op = Op::Step { salt: 7, millis: 0 };
/// A step that waits at the desk.
pub(crate) const ASK: Op = Op::Ask { salt: 9 };

pub(crate) fn model(ops: impl Into<Vec<Op>>) -> u64 {
    onward_testkit::crash::expected(&Program(ops.into()))
}
