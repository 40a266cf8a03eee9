//! Messages: sent to a run by clients or other runs, and taken by one of its calls or set aside by it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use onward_types::{Code, Error, Form, Json, RunId, RunKey, Sent, Status, Timestamp, excerpt, from_micros, hook_of};
use serde::Serialize;

use super::steer;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::Message;
use crate::signal::Signal;

/// The most unconsumed messages of one topic that are read at once. It is more than a run can have taken before that is
/// durable, so a read always returns a new message if there is one.
pub const UNCONSUMED_MAX: u32 = 300;

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The run that receives it.
    pub run: RunId,
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub body: Json,
    /// Identifies the message: sending the same key to the same run again has no effect.
    pub key: Option<String>,
}

/// A message to be stored. `plain` is its content before encoding, if it has to fit what its run waits for.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: NewMessage,
    pub(crate) plain: Option<Json>,
}

/// A topic of which a resident run wants further messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The run.
    pub run: RunKey,
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the last message of the topic that was read; 0 to read it from the start.
    pub after: i64,
}

/// The effects of sending on the runs that receive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Receiving runs that an executor owns.
    pub(crate) owned: Vec<RunKey>,
    /// Whether a parked run was woken.
    pub(crate) woke: bool,
}

/// One message of a list, as it is passed to the database.
#[derive(Serialize)]
struct Line<'a> {
    run: String,
    topic: &'a str,
    body: &'a str,
    key: Option<&'a str>,
}

/// One topic of a list, as it is passed to the database.
#[derive(Serialize)]
struct WantedLine<'a> {
    run: String,
    topic: &'a str,
    after: i64,
}

/// Send messages, all or none. As a waiting run checks once more after it opened its wait, so does the sender: it locks the
/// runs first, and examines them again after writing the messages.
pub(crate) async fn send(
    tx: &mut Tx,
    outgoing: &[Outgoing],
    now: Timestamp,
    is_again: bool,
) -> Result<(Vec<Sent>, Reached), Fault> {
    let targets = targets(tx, outgoing).await?;
    let mut before = HashMap::new();
    let mut addressed = Vec::new();
    for Outgoing { message, plain } in outgoing {
        let run = target_of(&targets, message)?.key;
        if let Some(plain) = plain {
            // Earlier messages of the list are taken before this one.
            let before = before.entry((run, message.topic.as_str())).or_insert(0);
            check(tx, (run, &message.run), message, plain, *before).await?;
            *before += 1;
        }
        addressed.push((run, message));
    }
    let sent = insert(tx, &addressed, now, is_again).await?;
    let targets: Vec<Target> = targets.into_values().collect();
    Ok((sent, told(tx, &targets, now).await?))
}

fn target_of<'t>(targets: &'t HashMap<String, Target>, message: &NewMessage) -> Result<&'t Target, Fault> {
    targets.get(message.run.as_str()).ok_or_else(|| steer::unknown(&message.run))
}

/// Reject a message that is next in line for calls that already wait, if none of them accepts it. What later calls will accept
/// is unknown. A message whose key is already stored counts as sent.
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

/// The error for a message that does not fit, unless it was sent before.
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

/// Store messages for these runs, and say of each whether it is new. `is_again`: the answer to an earlier attempt of this call
/// may have been lost, so what was sent at `now` was sent by this call.
pub(crate) async fn insert(
    tx: &mut Tx,
    messages: &[(RunKey, &NewMessage)],
    now: Timestamp,
    is_again: bool,
) -> Result<Vec<Sent>, Fault> {
    let lines: Vec<String> = messages.iter().map(|(run, message)| encode(*run, message)).collect::<Result<_, _>>()?;
    let rows = tx.query(sql!("messages/insert", split), &params![list(&lines), now]).await?;
    let seq = |row: &Row| Ok::<_, Fault>(((row.key("run_key")?, row.opt_text("key")?), row.int("seq")?));
    let stored: HashMap<(RunKey, Option<String>), i64> = rows.iter().map(seq).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    let mut sent = Vec::with_capacity(messages.len());
    for (run, message) in messages {
        let of = (*run, message.key.clone());
        sent.push(match stored.get(&of) {
            // The key may be twice in the list.
            Some(seq) => Sent::new(*seq, seen.insert(of)),
            None => sent_before(tx, of, now, is_again).await?,
        });
    }
    Ok(sent)
}

/// The message with this key that was sent before.
async fn sent_before(
    tx: &mut Tx,
    (run, key): (RunKey, Option<String>),
    now: Timestamp,
    is_again: bool,
) -> Result<Sent, Fault> {
    let row = tx.first(sql!("messages/has_key"), &params![run, key]).await?;
    let row = row.ok_or_else(|| Fault::corrupt("a message was neither stored nor sent before"))?;
    let by_this_call = is_again && from_micros(row.int("sent_at")?) == now;
    Ok(Sent::new(row.int("seq")?, by_this_call))
}

/// A run that receives a message.
pub(crate) struct Target {
    pub(crate) key: RunKey,
    pub(crate) status: Status,
    pub(crate) owned: bool,
}

/// Lock the runs with these ids until the transaction ends.
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

/// Without hyphens: SQLite cannot convert them.
fn simple(run: RunKey) -> String {
    run.0.simple().to_string()
}

fn line(line: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(line).map_err(|error| Error::new(Code::Encode, error.to_string()).into())
}

fn list(lines: &[String]) -> String {
    format!("[{}]", lines.join(","))
}

/// Wake the parked ones, and notify the owners of the others.
pub(crate) async fn told(tx: &mut Tx, targets: &[Target], now: Timestamp) -> Result<Reached, Fault> {
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
    Ok(Reached { owned, woke })
}

/// Unconsumed messages on these topics: for each topic those after the last one read.
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
