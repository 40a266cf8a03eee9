//! Messages: sent to a run by anyone, taken by one of its calls.

use std::collections::HashMap;
use std::sync::Arc;

use onward_types::{Code, Error, Json, RunId, RunKey, Status, Timestamp};
use serde::Serialize;

use super::steer;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// So many unconsumed messages of one topic are read at once. More than a run may have taken without the taking being
/// durable, so a read always tells something new if there is something new.
pub const UNCONSUMED_MAX: u32 = 300;

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// To which run.
    pub run: RunId,
    /// On which topic.
    pub topic: String,
    /// What it says.
    pub body: Json,
    /// The same key again, to the same run, is the same message.
    pub key: Option<String>,
}

/// A message that no call has taken.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place in the order of what was sent to the run.
    pub seq: i64,
    /// On which topic.
    pub topic: Arc<str>,
    /// What it says, or why that cannot be decoded.
    pub body: Result<Json, Error>,
}

/// What sending did beside keeping the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Runs that somebody executes now.
    pub owned: Vec<RunKey>,
    /// Whether a parked run was woken.
    pub woke: bool,
}

/// The form in which a list of messages goes to the database.
#[derive(Serialize)]
struct Line<'a> {
    run: String,
    topic: &'a str,
    body: &'a str,
    key: Option<&'a str>,
}

/// Send messages, all or none. Who waits, checks last, and so does who sends: the runs are locked first, and looked at again
/// after the messages were written.
pub(crate) async fn send(tx: &mut Tx, messages: &[NewMessage], now: Timestamp) -> Result<Sent, Fault> {
    let targets = targets(tx, messages).await?;
    let addressed = |message| Ok((target_of(&targets, message)?.key, message));
    let addressed: Vec<_> = messages.iter().map(addressed).collect::<Result<_, Fault>>()?;
    insert(tx, &addressed, now).await?;
    let targets: Vec<Target> = targets.into_values().collect();
    told(tx, &targets, now).await
}

fn target_of<'t>(targets: &'t HashMap<String, Target>, message: &NewMessage) -> Result<&'t Target, Fault> {
    targets.get(message.run.as_str()).ok_or_else(|| steer::unknown(&message.run))
}

/// Keep messages for these runs.
pub(crate) async fn insert(tx: &mut Tx, messages: &[(RunKey, &NewMessage)], now: Timestamp) -> Result<(), Fault> {
    let lines: Vec<String> = messages.iter().map(|(run, message)| encode(*run, message)).collect::<Result<_, _>>()?;
    tx.execute(sql!("messages/insert", split), &params![format!("[{}]", lines.join(",")), now]).await.map(drop)
}

/// A run that something is sent to.
pub(crate) struct Target {
    pub(crate) key: RunKey,
    pub(crate) status: Status,
    pub(crate) owned: bool,
}

/// The runs that have these ids, locked until the transaction ends.
async fn targets(tx: &mut Tx, messages: &[NewMessage]) -> Result<HashMap<String, Target>, Fault> {
    let mut ids: Vec<String> = messages.iter().map(|message| message.run.as_str().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = tx.query(sql!("messages/targets"), &params![&ids]).await?;
    rows.iter().map(|row| Ok((row.text("id")?, target(row)?))).collect()
}

pub(crate) fn target(row: &Row) -> Result<Target, Fault> {
    let (key, owned) = (row.key("run_key")?, row.opt_text("executor")?.is_some());
    Ok(Target { key, status: row.text("status")?.parse()?, owned })
}

fn encode(run: RunKey, message: &NewMessage) -> Result<String, Fault> {
    let NewMessage { topic, body, key, .. } = message;
    // SQLite reads no hyphens.
    let line = Line { run: run.0.simple().to_string(), topic, body: body.as_str(), key: key.as_deref() };
    serde_json::to_string(&line).map_err(|error| Error::new(Code::Encode, error.to_string()).into())
}

/// Wake who is parked and tell who is not.
pub(crate) async fn told(tx: &mut Tx, targets: &[Target], now: Timestamp) -> Result<Sent, Fault> {
    let keys =
        |of: &dyn Fn(&Target) -> bool| -> Vec<RunKey> { targets.iter().filter(|it| of(it)).map(|it| it.key).collect() };
    let parked = keys(&|it| !it.owned && it.status == Status::Running);
    let owned = keys(&|it| it.owned);
    let woke = !parked.is_empty() && tx.execute(sql!("runs/wake_receivers"), &params![&parked, now]).await? > 0;
    if woke {
        tx.notify(&Signal::Ready);
    }
    if !owned.is_empty() {
        tx.notify(&Signal::Sent(owned.clone()));
    }
    Ok(Sent { owned, woke })
}

/// What was sent to these runs and not consumed yet.
pub(crate) async fn unconsumed(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<(RunKey, Message)>, Fault> {
    rows(tx, keys).await?.iter().map(|row| Ok((row.key("run_key")?, message(row)?))).collect()
}

pub(crate) async fn rows(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<Row>, Fault> {
    tx.query(sql!("messages/unconsumed"), &params![keys, UNCONSUMED_MAX]).await
}

pub(crate) fn message(row: &Row) -> Result<Message, Fault> {
    Ok(Message { seq: row.int("seq")?, topic: row.text("topic")?.into(), body: Ok(Json::from(row.text("body")?)) })
}
