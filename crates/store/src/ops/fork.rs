//! Forking a run: creating a new one that shares the other's recorded results up to a point.
//!
//! The copy is a prefix of the order of completions, because only that is a state that the run once had: with concurrent calls,
//! a lower position may complete after a higher one.

use std::time::Duration;

use onward_types::{Code, Error, Identity, Json, Origin, Retry, RunId, RunKey, RunOptions, Status, Taken, micros};
use sha2::{Digest, Sha256};

use super::action::{Acted, Call, Target};
use super::{attributes, queues, runs};
use crate::action::Fork;
use crate::change::{Created, Existing, NewRun, OPEN, Queued};
use crate::clock::add;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{Born, given_limit};

/// Create a copy of `run` that diverges from a position on.
pub(crate) async fn fork(tx: &mut Tx, run: &Target, plan: &Fork, call: Call) -> Result<Acted, Fault> {
    let key = key_of(run.key, call);
    let id = plan.id.clone().unwrap_or_else(|| RunId::of_key(key));
    let acted = Acted { count: 1, created: Some(id.clone()), is_ready: true, ..Acted::default() };
    let original = Original::read(tx, run).await?;
    let new = original.forked(key, id.clone(), plan, call)?;
    if !insert(tx, run, &original, &new, plan).await? {
        match runs::in_the_way(tx, &new).await? {
            Created::Duplicate(holder) => return Err(deduplicated(tx, &new, holder, call).await?),
            _ => same_fork(tx, run, key, &id, plan).await?,
        }
        return Ok(acted);
    }
    if let Some((generation, first_position)) = original.generation(plan) {
        tx.execute(sql!("runs/set_generation"), &params![key, generation, first_position]).await?;
    }
    let upto = prefix(tx, run.key, plan.position, original.first_position).await?;
    tx.execute(sql!("checkpoints/copy"), &params![run.key, key, upto]).await?;
    tx.execute(sql!("people/copy"), &params![run.key, key]).await?;
    copy_what_was_said(tx, run, key).await?;
    super::events::wake_watchers(tx, key, call.now).await?;
    Ok(acted)
}

/// The values of the forked run that its fork may inherit.
struct Original {
    workflow: String,
    version: String,
    recoveries_max: Option<u32>,
    retry: Option<Retry>,
    timeout: Option<Duration>,
    input_hash: i64,
    identity: Option<Identity>,
    attributes: Option<Json>,
    /// `None` if it is stored outside the row.
    input: Option<Json>,
    queue: Option<String>,
    priority: u32,
    partition: Option<String>,
    generation: Option<i64>,
    first_position: Option<u32>,
}

impl Original {
    /// The generation of the fork, and its first position. A fork from before the current generation begins with nothing.
    fn generation(&self, plan: &Fork) -> Option<(i64, u32)> {
        self.generation.zip(self.first_position.filter(|first| plan.position >= *first))
    }

    async fn read(tx: &mut Tx, run: &Target) -> Result<Original, Fault> {
        let row = tx.first(sql!("runs/to_fork"), &params![run.key]).await?;
        let row = row.ok_or_else(|| Fault::corrupt(format!("run {:?} has no row", run.id)))?;
        let identity = runs::identity(&row)?;
        Ok(Original {
            workflow: row.text("workflow")?,
            version: row.text("version")?,
            recoveries_max: given_limit(row.count("recoveries_max")?),
            retry: runs::stored(&row, "retry")?,
            timeout: row.opt_int("timeout")?.map(|micros| Duration::from_micros(micros.unsigned_abs())),
            input_hash: row.int("input_hash")?,
            identity,
            attributes: row.opt_text("attributes")?.map(Json::from),
            input: row.opt_text("input")?.map(Json::from),
            queue: row.opt_text("queue")?,
            priority: row.count("priority")?,
            partition: row.opt_text("partition_key")?,
            generation: row.opt_int("generation")?,
            first_position: super::claim::first_position(&row)?,
        })
    }

    /// The fork according to the plan.
    fn forked(&self, key: RunKey, id: RunId, plan: &Fork, call: Call) -> Result<NewRun, Fault> {
        let options = &plan.options;
        let queued = self.queued(options)?;
        let delayed = options.delay.map(|delay| add(call.now, delay));
        let input = plan.input.as_ref();
        Ok(NewRun {
            key,
            id,
            workflow: self.workflow.clone(),
            version: match &options.version {
                _ if plan.newest => OPEN.to_owned(),
                version => version.clone().unwrap_or_else(|| self.version.clone()),
            },
            is_open: false,
            executor: None,
            status: if delayed.is_some() { Status::Delayed } else { Status::Enqueued },
            // In a queue it is claimed when its turn comes.
            ready_at: delayed.or_else(|| queued.is_none().then_some(call.now)),
            created_at: call.now,
            timeout: options.timeout.or(self.timeout),
            deadline: options.deadline,
            recoveries_max: options.max_recoveries.or(self.recoveries_max),
            retry: options.retry.clone().or_else(|| self.retry.clone()),
            on_parent_end: None,
            parent: None,
            origin: Origin::Started,
            input: input.map(|(input, _)| input.clone()).or_else(|| self.input.clone()).unwrap_or_else(Json::null),
            input_hash: input.map_or(self.input_hash, |(_, hash)| *hash),
            identity: self.identity_with(options.identity.as_ref()),
            attributes: self.attributes_with(options)?,
            queued,
            must_be_new: false,
        })
    }

    /// The given attributes, or those of the forked run. Attributes of Onward's namespace are inherited one by one.
    fn attributes_with(&self, options: &RunOptions) -> Result<Option<Json>, Fault> {
        let before = self.attributes.as_ref().map(Json::as_str);
        let own = match &options.attributes {
            Some(new) => Some(attributes::replaced(before, new)?),
            None => self.attributes.clone(),
        };
        let Some(system) = &options.system_attributes else { return Ok(own) };
        Ok(Some(attributes::merged(own.as_ref().map(Json::as_str), system)?))
    }

    /// The given parts of the identity, and the others as the forked run has them.
    fn identity_with(&self, given: Option<&Identity>) -> Option<Identity> {
        let (Some(given), Some(own)) = (given, &self.identity) else {
            return given.or(self.identity.as_ref()).cloned();
        };
        let with = given.clone().inherited_from(own);
        Some(Identity {
            class_name: with.class_name.or_else(|| own.class_name.clone()),
            config_name: with.config_name.or_else(|| own.config_name.clone()),
            ..with
        })
    }

    /// How the fork waits: in the given queue, or in that of the forked run.
    fn queued(&self, options: &RunOptions) -> Result<Option<Queued>, Error> {
        let queue = options.queue.clone().or_else(|| self.queue.clone());
        RunOptions { queue: queue.clone(), ..options.clone() }.check()?;
        let priority = options.priority.and_then(|priority| u32::try_from(priority).ok());
        Ok(queue.map(|queue| Queued {
            queue,
            priority: priority.unwrap_or(self.priority),
            partition: options.partition.clone().or_else(|| self.partition.clone()),
            dedup: options.dedup.clone(),
        }))
    }
}

/// Create the run with its input. `false`: a run has the same id, or the same dedup key in its queue.
async fn insert(tx: &mut Tx, run: &Target, original: &Original, new: &NewRun, plan: &Fork) -> Result<bool, Fault> {
    let seq = if new.queued.is_some() { Some(queues::next_seq(tx).await?) } else { None };
    let mut born = Born { seq, forked: Some((run.key, plan.position)), ..Born::of(new) };
    let lies_beside = plan.input.is_none() && original.input.is_none();
    if lies_beside {
        born.inline = None;
    }
    if !runs::insert_row(tx, &born).await? {
        return Ok(false);
    }
    if lies_beside {
        tx.execute(sql!("runs/copy_input"), &params![run.key, new.key]).await?;
    }
    Ok(true)
}

/// The error that another run holds the fork's dedup key.
async fn deduplicated(tx: &mut Tx, new: &NewRun, holder: Existing, call: Call) -> Result<Fault, Fault> {
    let Some(Queued { queue, dedup: Some(dedup), .. }) = &new.queued else {
        return Err(Fault::corrupt("internal error: a run without a dedup key hit a dedup conflict"));
    };
    let instead = "Fork the run after that one has ended, or give another dedup key";
    runs::deduplicated(tx, queue, dedup, holder.key, instead, call.now).await
}

/// Copy the events and streams of the copied calls. Messages are not copied: either a copied call took them already, or they
/// are meant for the original run.
async fn copy_what_was_said(tx: &mut Tx, run: &Target, fork: RunKey) -> Result<(), Fault> {
    let of = params![run.key, fork];
    tx.execute(sql!("events/copy_history"), &of).await?;
    tx.execute(sql!("events/copy_latest"), &params![fork]).await?;
    tx.execute(sql!("streams/copy"), &of).await?;
    tx.execute(sql!("streams/copy_attempts"), &of).await?;
    if run.status.is_terminal() {
        tx.execute(sql!("hooks/hand_on"), &of).await?;
    }
    Ok(())
}

/// The last completion, as a `seq`, that a fork at `position` copies.
async fn prefix(tx: &mut Tx, run: RunKey, position: u32, first: Option<u32>) -> Result<i64, Fault> {
    if position <= first.unwrap_or(0) {
        return Ok(0);
    }
    let Some(row) = tx.first(sql!("checkpoints/seq_of"), &params![run, position]).await? else { return Ok(0) };
    let before = row.opt_int("seq")?.map(|seq| seq - 1);
    Ok(before.or(row.opt_int("last")?).unwrap_or(0))
}

/// A run with this id exists: this fork itself, an equal fork of the same run, or another run. Only the last is an error.
async fn same_fork(tx: &mut Tx, run: &Target, key: RunKey, id: &RunId, plan: &Fork) -> Result<(), Fault> {
    let found = tx.first(sql!("runs/forked"), &params![id.as_str()]).await?;
    let found = found.ok_or_else(|| Fault::try_again(format!("run {id:?} was just deleted: try again")))?;
    let is_same = found.key("run_key")? == key
        || (found.opt_key("forked_from")? == Some(run.key)
            && found.opt_int("fork_position")? == Some(i64::from(plan.position))
            && plan.input.as_ref().is_none_or(|(_, hash)| found.int("input_hash").is_ok_and(|other| other == *hash)));
    if is_same {
        return Ok(());
    }
    let message =
        format!("the id {id:?} is taken by another run of workflow `{}`: choose another id", found.text("workflow")?);
    Err(Taken::by(id).refused(Code::Conflict, message).into())
}

/// The key of the fork that this call creates of this run. It is the same for every retry of the transaction.
fn key_of(run: RunKey, call: Call) -> RunKey {
    let digest: [u8; 32] =
        Sha256::new().chain_update(call.nonce.as_bytes()).chain_update(run.as_bytes()).finalize().into();
    let random = digest.first_chunk::<10>().expect("32 bytes");
    let millis = (micros(call.now) / 1_000).max(0).unsigned_abs();
    RunKey(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
}
