//! Holds a run whose task panics.
//!
//! User code is called inside `guarded`, so such a panic is a bug in Onward. Without this guard the run would stay in memory,
//! with its slot, and no task would drive it until the process ends.

use std::sync::Arc;

use onward_types::{Code, Error};

use super::Executor;
use crate::executor::run::core::RunCore;
use crate::executor::run::drive::Ended;

/// Guards the task of a run: if it panics, the run is held.
pub(super) struct Unstranded {
    executor: Arc<Executor>,
    core: Arc<RunCore>,
}

impl Unstranded {
    pub(super) fn new(executor: &Arc<Executor>, core: &Arc<RunCore>) -> Unstranded {
        Unstranded { executor: executor.clone(), core: core.clone() }
    }
}

impl Drop for Unstranded {
    fn drop(&mut self) {
        if !std::thread::panicking() || self.core.is_leaving() {
            return;
        }
        let message = "executing the run panicked because of a bug in Onward. Nothing is lost: resume the run";
        let why = self.core.with_state(|state| state.panicked(Error::new(Code::Panicked, message)));
        let of = &self.core.about;
        tracing::error!(
            target: "onward::run",
            run = %of.id,
            workflow = %of.workflow,
            "executing the run panicked because of a bug in Onward: the run is held"
        );
        let (executor, core) = (self.executor.clone(), self.core.clone());
        self.executor.spawn(async move { executor.ended(&core, Ended::Held(why)).await });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use onward_types::{Result, Status, guarded};

    use super::*;
    use crate::{BoxFuture, Ctx, Onward, Workflow};

    struct Sleeps;

    impl Workflow for Sleeps {
        const NAME: &'static str = "sleeps";
        const VERSION: &'static str = "1";
        type Input = ();
        type Output = ();

        fn run(ctx: Ctx, (): ()) -> BoxFuture<'static, Result<()>> {
            Box::pin(async move { Ok(ctx.sleep(Duration::from_secs(3_600)).await?) })
        }
    }

    #[tokio::test]
    async fn a_run_whose_task_panics_is_held_and_goes_on_when_it_is_resumed() {
        let onward = Onward::open("sqlite::memory:").workflow::<Sleeps>().launch().await.unwrap();
        let run = onward.start::<Sleeps>(()).await.unwrap();
        let executor = onward.executor.clone().unwrap();
        let core = executor.residents.all().pop().unwrap();
        let guard = Unstranded::new(&executor, &core);
        let died: Result<(), String> = guarded(move || {
            let _guard = guard;
            panic!("a fault of ours")
        });
        assert!(died.is_err());
        assert_eq!(run.result().await.unwrap_err().code(), "panicked");
        assert_eq!((run.status().await.unwrap(), onward.resident_runs()), (Status::Paused, 0));
        run.resume().await.unwrap();
        assert_ne!(run.status().await.unwrap(), Status::Paused);
    }
}
