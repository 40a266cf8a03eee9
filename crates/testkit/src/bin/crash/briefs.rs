//! Runs that are not kept: while workers delete those that have ended, others of their kind go on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onward::{Client, Filter, Result, Status, WorkflowHandle};
use onward_testkit::crash::bodies::{self, Gave};
use onward_testkit::crash::{BRIEF_KEPT, Brief, Op, Program, brief, expected, kept, mix};

use crate::book::Book;
use crate::insist::{insist, is_lost};
use crate::random::Random;
use crate::stage::Stage;
use crate::verify::Part;

#[derive(Default)]
pub(crate) struct Briefs {
    accepted: Mutex<Vec<String>>,
    /// How many were gone before somebody was told what they came to.
    unseen: AtomicUsize,
}

impl Briefs {
    /// Start runs until the time is over. A lost answer may leave a run that nobody knows.
    pub(crate) async fn start(
        self: Arc<Self>,
        client: Client,
        book: Arc<Book>,
        mut random: Random,
        until: Instant,
    ) -> Result<()> {
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(random.between(20, 150))).await;
            let salt = random.next() >> 16;
            let program = Program(vec![Op::Step { salt, millis: salt % 20 }, Op::Note { salt, count: 1 }]);
            let input = Brief { program, children: random.between(0, 3) };
            let run = insist(|| client.start::<brief>(input.clone())).await?;
            self.accepted.lock().expect("nobody panics with it").push(run.id().to_owned());
            tokio::spawn(self.clone().watch(run, result(&input), book.clone()));
        }
        Ok(())
    }

    async fn watch(self: Arc<Self>, run: WorkflowHandle<u64>, expected: u64, book: Arc<Book>) {
        loop {
            match run.result().await {
                Ok(value) if value == expected => return,
                Ok(value) => return book.fault(format!("brief run {} gave {value}, not {expected}", run.id())),
                Err(error) if error.is_unknown_run() => {
                    self.unseen.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(error) if is_lost(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => return book.fault(format!("brief run {}: {error}", run.id())),
            }
        }
    }

    /// Each was executed before it went, and as many are left as are kept.
    pub(crate) async fn verify(&self, client: &Client, stage: &Stage) -> Result<Part> {
        let mut part = Part::default();
        client.retain(&kept()).await?;
        let accepted = self.accepted.lock().expect("nobody panics with it").clone();
        let lines = bodies::read(&stage.bodies())?;
        let done = lines.iter().filter(|line| matches!(line.gave, Some(Gave::Value(_)))).map(|line| line.run.as_str());
        let done: HashSet<&str> = done.collect();
        for id in accepted.iter().filter(|id| !done.contains(id.as_str())) {
            part.violations.push(format!("brief run {id} was accepted, and never executed"));
        }
        let filter = Filter { workflows: vec!["brief".to_owned()], ..Filter::default() };
        let left = client.list(filter).await?.items;
        for run in left.iter().filter(|run| run.status != Status::Succeeded) {
            part.violations.push(format!("brief run {} is {}: {run:?}", run.id, run.status));
        }
        if left.len() as u64 != BRIEF_KEPT.min(accepted.len() as u64) && accepted.len() as u64 >= BRIEF_KEPT {
            part.violations.push(format!("{} brief runs are left, and {BRIEF_KEPT} are kept", left.len()));
        }
        let unseen = self.unseen.load(Ordering::Relaxed);
        let (all, left) = (accepted.len(), left.len());
        part.told =
            format!("{all} brief runs and their children, all but {left} deleted, {unseen} before they were asked");
        Ok(part)
    }
}

/// What a brief run comes to.
fn result(Brief { program, children }: &Brief) -> u64 {
    let each = expected(program);
    (0..*children).fold(each, |so_far, _| mix(so_far, each))
}
