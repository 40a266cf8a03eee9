//! The process that executes the demo's runs: what it does, and how the demo starts and kills it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use onward::Onward;
use tokio::process::{Child, ChildStdin, Command};

use super::log::StepLog;
use super::workflows::{archive_file, archive_folder};
use crate::args::DemoExecutor;
use crate::exit::{Exit, Failure};
use crate::logs;

/// The first word after the program's name.
pub(crate) const COMMAND: &str = "demo-executor";

/// Executes runs until the parent process ends or closes this process's standard input.
pub(crate) async fn serve(executor: DemoExecutor) -> Result<Exit, Failure> {
    let DemoExecutor { db, work, life, hold_at, lease_ms } = executor;
    let log = StepLog::open(&work, life, hold_at).map_err(Failure::io("open the log of steps"))?;
    let onward = Onward::open(db).workflows::<(archive_folder, archive_file)>().state(log);
    let onward = match lease_ms {
        Some(lease) => onward.lease(lease),
        None => onward,
    };
    let onward = onward.launch().await?;
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    onward.shutdown(Duration::from_secs(1)).await?;
    match input {
        Ok(Ok(_)) => Ok(Exit::Done),
        Ok(Err(error)) => Err(Failure::io("read standard input")(error)),
        Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
    }
}

/// How to start an executor.
pub(super) struct Plan {
    pub(super) db: String,
    pub(super) work: PathBuf,
    /// `None`: the engine's default.
    pub(super) lease: Option<Duration>,
}

/// An executor process, from outside.
pub(super) struct Executor {
    child: Child,
    /// Closed to let the process end. Kept outside `child`, because waiting for a child closes its standard input.
    input: Option<ChildStdin>,
    said: PathBuf,
    pub(super) life: u32,
}

impl Executor {
    /// Starts this program as an executor.
    pub(super) fn start(plan: &Plan, life: u32, hold_at: usize) -> Result<Executor, Failure> {
        let this = std::env::current_exe().map_err(Failure::io("find this program"))?;
        let said = plan.work.join(format!("executor-{life}.log"));
        // Its log is for the person at the terminal.
        let errors = if logs::are_wanted() {
            Stdio::inherit()
        } else {
            File::create(&said).map_err(Failure::io(format_args!("create {}", said.display())))?.into()
        };
        let mut command = Command::new(this);
        command.args([COMMAND, "--db", &plan.db, "--life", &life.to_string()]);
        command.args(["--hold-at", &hold_at.to_string()]).arg("--work").arg(&plan.work);
        if let Some(lease) = plan.lease {
            command.args(["--lease-ms", &lease.as_millis().to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::io("start the executor"))?;
        Ok(Executor { input: child.stdin.take(), child, said, life })
    }

    /// Kills it with SIGKILL. It is dead when this returns.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(Failure::io("kill the executor"))
    }

    /// Resolves if it ends without having been killed, with the end of its output.
    pub(super) async fn ended(&mut self) -> Failure {
        match self.child.wait().await {
            Ok(status) => {
                let said = if logs::are_wanted() { "see its log".to_owned() } else { last_lines(&self.said) };
                Failure::new(Exit::Failed, format!("executor {} ended by itself with {status}: {said}", self.life))
            }
            Err(error) => Failure::io("wait for the executor")(error),
        }
    }

    /// Shuts it down in an orderly way.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        drop(self.input.take());
        match self.child.wait().await.map_err(Failure::io("wait for the executor"))? {
            status if status.success() => Ok(()),
            _ => Err(self.ended().await),
        }
    }
}

impl Drop for Executor {
    /// It is dead when this returns: a file that it still wrote would prevent the removal of the working folder.
    fn drop(&mut self) {
        if self.child.start_kill().is_ok() {
            while matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| format!("(its output cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
