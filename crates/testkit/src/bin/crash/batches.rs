//! Batches: items that several push under one key, and runs with all of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use onward::{Client, Filter, Result, Status};
use onward_testkit::crash::{load, mix};

use crate::insist::insist;
use crate::random::Random;
use crate::verify::Part;

/// So many push at once.
pub(crate) const PUSHERS: u64 = 3;
/// The most items that a run has.
const MAX: u32 = 10;
/// So long after its first item it starts, even if there are fewer.
const WITHIN: Duration = Duration::from_millis(200);

/// The items that were accepted, and the run that was said to have each.
#[derive(Default)]
pub(crate) struct Batches(Mutex<BTreeMap<u64, String>>);

impl Batches {
    /// Push items until the time is over. An answer that was lost is asked for again: an item has a key.
    pub(crate) async fn push(&self, client: &Client, number: u64, mut random: Random, until: Instant) -> Result<()> {
        let mut item = number;
        while Instant::now() < until {
            let batch = client.batch::<load>("batch").max(MAX).within(WITHIN);
            let run = insist(|| batch.push(item).key(item.to_string())).await?;
            self.0.lock().expect("nobody panics with it").insert(item, run.id().to_owned());
            item += PUSHERS;
            tokio::time::sleep(Duration::from_millis(random.between(0, 80))).await;
        }
        Ok(())
    }

    /// Every item is in one run, the one that was said to have it.
    pub(crate) async fn verify(&self, client: &Client) -> Result<Part> {
        let mut part = Part::default();
        let mut expected = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        let (items, mut runs) = (expected.len(), 0);
        let mut filter = Filter { workflows: vec!["load".to_owned()], limit: Some(500), ..Filter::default() };
        loop {
            let page = client.list(filter.clone()).await?;
            for run in page.items {
                runs += 1;
                let has: Vec<u64> = run.input.as_ref().ok_or("a list without inputs")?.decode()?;
                let output = run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
                let is_right = has.iter().all(|item| expected.remove(item).is_some_and(|id| id == run.id.as_str()));
                let result = (Status::Succeeded, Some(has.iter().copied().fold(0, mix)));
                if !is_right || has.len() > MAX as usize || (run.status, output) != result {
                    part.violations.push(format!("a batch has wrong items, or came to a wrong result: {run:?}"));
                }
            }
            filter.after = page.next;
            if filter.after.is_none() {
                break;
            }
        }
        if !expected.is_empty() {
            part.violations.push(format!("these items are in no run, or not in that which was said: {expected:?}"));
        }
        part.told = format!("{items} items in {runs} batches");
        Ok(part)
    }
}
