//! Bad deploys and bad messages: runs that are held by the one are resumed after the next deploy, and the other change
//! nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use onward::{Client, Error, Filter, Result, Status};
use onward_testkit::crash::{DECISION, Decision, deployed, deployed_result};

use crate::insist::{insist, is_lost};
use crate::random::Random;
use crate::verify::Part;

#[derive(Default)]
pub(crate) struct Deploys {
    accepted: Mutex<Vec<(String, u64)>>,
    resumed: AtomicUsize,
    /// Messages whose senders were told at once that they do not fit.
    turned_away: AtomicUsize,
    /// Messages that do not fit and that were taken in all the same.
    bad: AtomicUsize,
}

impl Deploys {
    /// Start runs, send each something bad and then a decision, until the time is over.
    pub(crate) async fn start(self: Arc<Self>, client: Client, mut random: Random, until: Instant) -> Result<()> {
        let mut number = 0;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(random.between(20, 150))).await;
            let (id, salt) = (format!("d{number}"), random.next() >> 16);
            number += 1;
            insist(|| client.start::<deployed>(salt).id(&id)).await?;
            self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push((id.clone(), salt));
            self.send_bad(&client, &id, &mut random).await?;
            tokio::spawn(decide(client.clone(), id, salt, Duration::from_millis(random.between(0, 1_500))));
        }
        Ok(())
    }

    /// What nobody waits for: one of a wrong type, or one of the right type with a wrong value.
    async fn send_bad(&self, client: &Client, id: &str, random: &mut Random) -> Result<()> {
        for bad in ["\"yes\"", "{\"Ship\":\"now\"}", "[1]"].iter().take(random.between(0, 4) as usize) {
            let bad: serde_json::Value = serde_json::from_str(bad)?;
            tokio::time::sleep(Duration::from_millis(random.between(0, 200))).await;
            match insist(|| client.send(id, DECISION, &bad)).await {
                Ok(_) => self.bad.fetch_add(1, Ordering::Relaxed),
                Err(error) if is_turned_away(&error) => self.turned_away.fetch_add(1, Ordering::Relaxed),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }

    /// Resume what is held, now and then, until the time is over.
    pub(crate) async fn keep_resuming(self: Arc<Self>, client: Client, until: Instant) -> Result<()> {
        while Instant::now() < until {
            self.resume(&client).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(())
    }

    /// Resume what is held until all have ended, but no longer than this.
    pub(crate) async fn finish(&self, client: &Client, until: Instant) -> Result<()> {
        while Instant::now() < until && self.resume(client).await? > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Resume what is held, and say how many have not ended.
    async fn resume(&self, client: &Client) -> Result<usize> {
        let open = Filter { workflows: vec!["deployed".to_owned()], statuses: open(), ..Filter::default() };
        let runs = insist(|| client.list(open.clone())).await?.items;
        for run in runs.iter().filter(|run| run.status == Status::Paused) {
            match insist(|| async { client.handle_named(run.id.as_str()).resume().await.map(drop) }).await {
                Ok(()) => self.resumed.fetch_add(1, Ordering::Relaxed),
                // It was resumed before, and the answer was lost.
                Err(error) if error.code() == "illegal_move" => continue,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(runs.len())
    }

    /// Each came to what good code makes of it.
    pub(crate) async fn verify(&self, client: &Client) -> Result<Part> {
        let mut part = Part::default();
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, salt) in &accepted {
            let run = client.handle_named(id).describe().await?;
            let output = run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
            if run.status != Status::Succeeded || output != Some(deployed_result(*salt)) {
                part.violations.push(format!("deployed run {id} of {salt} is {}: {run:?}", run.status));
            }
        }
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        part.told = format!(
            "{} runs under bad deploys, resumed {} times, {} bad messages turned away and {} taken in",
            accepted.len(),
            count(&self.resumed),
            count(&self.turned_away),
            count(&self.bad),
        );
        Ok(part)
    }
}

/// Decide, when the time has come. A bad deploy may say that it wants something else.
async fn decide(client: Client, id: String, salt: u64, after: Duration) {
    tokio::time::sleep(after).await;
    let decision = Decision::Ship(salt ^ 1);
    loop {
        match client.send(&id, DECISION, decision).key(&id).await {
            Err(error) if is_lost(&error) || is_turned_away(&error) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // One that is refused for another reason leaves its run open, which is found in the end.
            _ => return,
        }
    }
}

fn is_turned_away(error: &Error) -> bool {
    error.code() == "invalid"
}

fn open() -> Vec<Status> {
    vec![Status::Enqueued, Status::Delayed, Status::Running, Status::Paused]
}
