//! A worker process from outside: start it, talk to it, kill it, freeze it.
//!
//! It is told what to do by lines on its standard input and says what happened by lines on its standard output. It ends
//! when its input ends, so that nobody who dies leaves one behind.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::deploys::Build;
use super::jobs::Job;
use super::op::Program;

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The program: the binary `crash` of this crate.
    pub binary: PathBuf,
    /// Where the runs are.
    pub database: String,
    /// Where bodies say that they run.
    pub log: PathBuf,
    /// The socket of a desk, where bodies of [`Op::Ask`](super::Op::Ask) ask what to do.
    pub desk: Option<PathBuf>,
    /// The lease of the executor; none for the default.
    pub lease: Option<Duration>,
    /// After how long runs that only wait are parked; none for the default.
    pub park_after: Option<Duration>,
    /// How often it deletes runs of `brief` that have ended; none for never.
    pub forget_every: Option<Duration>,
    /// Whether the clock of its machine jumps now and then, by up to a day. The processes of a file have one clock, so that is for
    /// PostgreSQL.
    pub clock_jumps: bool,
    /// What is wrong with its code.
    pub build: Build,
    /// `point:nth`: where the process kills itself.
    pub crash: Option<String>,
    /// `point:nth`: where the process freezes itself.
    pub freeze: Option<String>,
    /// Where its standard error goes; none for that of this process.
    pub errors: Option<PathBuf>,
}

/// A worker process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    pid: Pid,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It executes runs, under this id.
    Ready(String),
    /// The run of this id was accepted.
    Started(String),
    /// The run of this id ended so.
    Result(String, u64),
    /// The body of this step of this run began. Steps count from 0.
    Began(String, u32),
    /// A later step of this run was given what this step had given.
    Saw(String, u32, u64),
    /// Something that was asked for was not done.
    Failed(String),
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// By SIGKILL, of others or of its own.
    Killed,
    /// In good order.
    Left,
    /// In any other way, which nobody asked for.
    Failed(ExitStatus),
}

impl WorkerOptions {
    /// The options that most have: no desk, the default lease.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, database: &str, log: &Path) -> WorkerOptions {
        WorkerOptions {
            binary: binary.into(),
            database: database.to_owned(),
            log: log.to_owned(),
            desk: None,
            lease: None,
            park_after: None,
            forget_every: None,
            clock_jumps: false,
            build: Build::Good,
            crash: None,
            freeze: None,
            errors: None,
        }
    }

    /// Start a worker.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn spawn(&self) -> io::Result<Worker> {
        let mut command = Command::new(&self.binary);
        command.arg("worker").arg("--db").arg(&self.database).arg("--log").arg(&self.log);
        let mut millis = |name: &str, duration: Option<Duration>| {
            if let Some(duration) = duration {
                command.arg(name).arg(duration.as_millis().to_string());
            }
        };
        millis("--lease", self.lease);
        millis("--park-after", self.park_after);
        millis("--forget-every", self.forget_every);
        command.args(["--build", self.build.as_str()]);
        if self.clock_jumps {
            command.args(["--clock-jumps", "true"]);
        }
        if let Some(desk) = &self.desk {
            command.arg("--desk").arg(desk);
        }
        for (variable, point) in [("ONWARD_CRASH", &self.crash), ("ONWARD_FREEZE", &self.freeze)] {
            match point {
                Some(point) => command.env(variable, point),
                None => command.env_remove(variable),
            };
        }
        if let Some(errors) = &self.errors {
            command.stderr(std::fs::OpenOptions::new().append(true).create(true).open(errors)?);
        }
        Worker::spawn(command)
    }
}

impl Worker {
    /// A process that performs this job over and over, until it is killed. What it is given it says at once.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn at_job(binary: impl Into<PathBuf>, database: &str, job: Job) -> io::Result<Worker> {
        let mut command = Command::new(binary.into());
        command.args(["job", "--db", database, "--job", &job.to_string()]);
        Worker::spawn(command)
    }

    fn spawn(mut command: Command) -> io::Result<Worker> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).ok_or(io::ErrorKind::NotFound)?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Worker { child, pid, input, output: BufReader::new(output).lines() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// What it says next; none once it has ended.
    ///
    /// # Errors
    /// Where it cannot be heard or understood.
    pub async fn hear(&mut self) -> io::Result<Option<Said>> {
        let Some(line) = self.output.next_line().await? else { return Ok(None) };
        Said::parse(&line).map(Some).ok_or_else(|| io::Error::other(format!("a worker said `{line}`")))
    }

    /// Start a run from inside of the worker. It says [`Said::Started`] once that is durable, and its result later.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub async fn start(&mut self, id: &str, program: &Program) -> io::Result<()> {
        let program = serde_json::to_string(program)?;
        self.tell(&format!("start {id} {program}")).await
    }

    /// Shut it down in good order.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub async fn shut_down(&mut self) -> io::Result<()> {
        self.tell("shutdown").await
    }

    async fn tell(&mut self, line: &str) -> io::Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Kill it, as a power cut would.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub fn kill(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::KILL)?)
    }

    /// Freeze it, as a suspended machine would be.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub fn freeze(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::STOP)?)
    }

    /// Let it go on.
    ///
    /// # Errors
    /// Where the worker is gone.
    pub fn thaw(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::CONT)?)
    }

    /// Wait until it is frozen, by others or by itself.
    ///
    /// # Errors
    /// Where it ended instead.
    pub async fn frozen(&self) -> io::Result<()> {
        let pid = self.pid;
        let waiting = tokio::task::spawn_blocking(move || waitpid(Some(pid), WaitOptions::UNTRACED));
        match waiting.await?? {
            Some((_, status)) if status.stopped() => Ok(()),
            status => Err(io::Error::other(format!("instead of being frozen it ended: {status:?}"))),
        }
    }

    /// Wait until it ends.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub async fn ended(&mut self) -> io::Result<Death> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait().await?;
        Ok(match (status.signal(), status.code()) {
            (Some(9), _) => Death::Killed,
            (None, Some(0)) => Death::Left,
            _ => Death::Failed(status),
        })
    }
}

impl Said {
    /// The line that says it.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Said::Ready(executor) => format!("ready {executor}"),
            Said::Started(id) => format!("started {id}"),
            Said::Result(id, value) => format!("result {id} {value}"),
            Said::Began(id, step) => format!("began {id} {step}"),
            Said::Saw(id, step, value) => format!("saw {id} {step} {value}"),
            Said::Failed(why) => format!("failed {}", why.replace('\n', " ")),
        }
    }

    fn parse(line: &str) -> Option<Said> {
        let (what, rest) = line.split_once(' ')?;
        Some(match what {
            "ready" => Said::Ready(rest.to_owned()),
            "started" => Said::Started(rest.to_owned()),
            "result" => {
                let (id, value) = rest.rsplit_once(' ')?;
                Said::Result(id.to_owned(), value.parse().ok()?)
            }
            "began" => {
                let (id, step) = rest.rsplit_once(' ')?;
                Said::Began(id.to_owned(), step.parse().ok()?)
            }
            "saw" => {
                let (step, value) = rest.rsplit_once(' ')?;
                let (id, step) = step.rsplit_once(' ')?;
                Said::Saw(id.to_owned(), step.parse().ok()?, value.parse().ok()?)
            }
            "failed" => Said::Failed(rest.to_owned()),
            _ => return None,
        })
    }
}
