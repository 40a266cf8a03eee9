//! Messages: sent to a run by anyone, taken by one of its calls, or set aside by it.

use std::collections::HashMap;
use std::sync::Arc;

use onward_types::{Code, Error, Form, Json, RunId, RunKey, Status, Timestamp, excerpt, hook_of};
use serde::Serialize;

use super::steer;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::Message;
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

/// A message as it goes to the database, with what it says before that was encoded where that has to fit what its run waits for.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: NewMessage,
    pub(crate) plain: Option<Json>,
}

/// A topic of which a run in memory has to know more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The run.
    pub run: RunKey,
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the last message of it that was read; 0 to read it from the start.
    pub after: i64,
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

/// The form in which a list of topics does.
#[derive(Serialize)]
struct WantedLine<'a> {
    run: String,
    topic: &'a str,
    after: i64,
}

/// Send messages, all or none. Who waits, checks last, and so does who sends: the runs are locked first, and looked at again
/// after the messages were written.
pub(crate) async fn send(tx: &mut Tx, outgoing: &[Outgoing], now: Timestamp) -> Result<Sent, Fault> {
    let targets = targets(tx, outgoing).await?;
    let mut before = HashMap::new();
    let mut addressed = Vec::new();
    for Outgoing { message, plain } in outgoing {
        let run = target_of(&targets, message)?.key;
        if let Some(plain) = plain {
            // What stands before it in the list is taken before it, too.
            let before = before.entry((run, message.topic.as_str())).or_insert(0);
            check(tx, (run, &message.run), message, plain, *before).await?;
            *before += 1;
        }
        addressed.push((run, message));
    }
    insert(tx, &addressed, now).await?;
    let targets: Vec<Target> = targets.into_values().collect();
    told(tx, &targets, now).await
}

fn target_of<'t>(targets: &'t HashMap<String, Target>, message: &NewMessage) -> Result<&'t Target, Fault> {
    targets.get(message.run.as_str()).ok_or_else(|| steer::unknown(&message.run))
}

/// Refuse a message that would be the next for calls that wait already, and that none of them takes. What a call after them takes
/// nobody knows. A message that is there already, by its key, is as good as sent.
pub(crate) async fn check(
    tx: &mut Tx,
    (run, id): (RunKey, &RunId),
    message: &NewMessage,
    plain: &Json,
    before: usize,
) -> Result<(), Fault> {
    let rows = tx.query(sql!("messages/wanted"), &params![run, message.topic.as_str()]).await?;
    let Some(first) = rows.first() else { return Ok(()) };
    let waiting = usize::try_from(first.int("waiting")?).unwrap_or(usize::MAX);
    let forms = rows.iter().map(|row| Ok(row.opt_text("form")?.map_or(Form::Any, |form| Form::from_json(&form))));
    let forms: Vec<Form> = forms.collect::<Result<_, Fault>>()?;
    if waiting + before >= forms.len() || forms.iter().any(|form| form.accepts(plain)) {
        return Ok(());
    }
    let wanted: Vec<String> = forms.iter().map(ToString::to_string).collect();
    misfit(tx, (run, id), message, plain, &wanted.join(", or ")).await
}

/// The answer to somebody who sent what does not fit, unless it was sent before.
pub(crate) async fn misfit(
    tx: &mut Tx,
    (run, id): (RunKey, &RunId),
    message: &NewMessage,
    plain: &Json,
    wanted: &str,
) -> Result<(), Fault> {
    if let Some(key) = &message.key
        && tx.first(sql!("messages/has_key"), &params![run, key.as_str()]).await?.is_some()
    {
        return Ok(());
    }
    let where_to = match hook_of(&message.topic) {
        Some(token) => format!("at the hook `{token}`"),
        None => format!("on topic `{}`", message.topic),
    };
    let got = excerpt(plain);
    let said = format!("run `{id}` waits {where_to} for {wanted}: got {got}. Nothing was sent");
    Err(Error::new(Code::Invalid, said).into())
}

/// Keep messages for these runs.
pub(crate) async fn insert(tx: &mut Tx, messages: &[(RunKey, &NewMessage)], now: Timestamp) -> Result<(), Fault> {
    let lines: Vec<String> = messages.iter().map(|(run, message)| encode(*run, message)).collect::<Result<_, _>>()?;
    tx.execute(sql!("messages/insert", split), &params![list(&lines), now]).await.map(drop)
}

/// A run that something is sent to.
pub(crate) struct Target {
    pub(crate) key: RunKey,
    pub(crate) status: Status,
    pub(crate) owned: bool,
}

/// The runs that have these ids, locked until the transaction ends.
async fn targets(tx: &mut Tx, outgoing: &[Outgoing]) -> Result<HashMap<String, Target>, Fault> {
    let mut ids: Vec<String> = outgoing.iter().map(|it| it.message.run.as_str().to_owned()).collect();
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
    line(&Line { run: simple(run), topic, body: body.as_str(), key: key.as_deref() })
}

/// SQLite reads no hyphens.
fn simple(run: RunKey) -> String {
    run.0.simple().to_string()
}

fn line(line: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(line).map_err(|error| Error::new(Code::Encode, error.to_string()).into())
}

fn list(lines: &[String]) -> String {
    format!("[{}]", lines.join(","))
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

/// What was sent to runs on these topics and not consumed yet, after the last that was read of each.
pub(crate) async fn unconsumed(tx: &mut Tx, wanted: &[Wanted]) -> Result<Vec<(RunKey, Message)>, Fault> {
    let lines =
        wanted.iter().map(|Wanted { run, topic, after }| line(&WantedLine { run: simple(*run), topic, after: *after }));
    let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
    let rows = tx.query(sql!("messages/unconsumed", split), &params![list(&lines), UNCONSUMED_MAX]).await?;
    rows.iter().map(|row| Ok((row.key("run_key")?, message(row)?))).collect()
}

pub(crate) fn message(row: &Row) -> Result<Message, Fault> {
    Ok(Message {
        seq: row.int("seq")?,
        place: row.int("place")?,
        topic: row.text("topic")?.into(),
        body: Ok(Json::from(row.text("body")?)),
        refused: row.opt_text("refused")?,
    })
}
