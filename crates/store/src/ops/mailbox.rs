//! Messages that no call has taken, as users manage them: listing, deleting, replacing.

use onward_types::{
    Code, Error, Json, MessageRecord, Page, Paging, Refused, RunId, RunKey, Timestamp, from_micros, hook_of,
};

use super::messages::{self, NewMessage, Sent, Target};
use super::steer;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The first messages of a run that no call has taken.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey, limit: u32) -> Result<Vec<MessageRecord>, Fault> {
    let rows = tx.query(sql!("messages/of_run"), &params![run, i64::MIN, limit]).await?;
    rows.iter().map(record).collect()
}

/// The name of the list of messages in its cursors.
const LIST: &str = "messages";

/// A page of the messages of a run that no call has taken.
pub(crate) async fn page(tx: &mut Tx, run: RunKey, paging: &Paging) -> Result<Page<MessageRecord>, Fault> {
    let (place, backwards) = paging.from(LIST)?;
    let place = place.map(|place| place.first_chunk::<8>().map_or(0, |place| i64::from_be_bytes(*place)));
    let (sql, place) = if backwards {
        (sql!("messages/of_run_back"), place.unwrap_or(i64::MAX))
    } else {
        (sql!("messages/of_run"), place.unwrap_or(i64::MIN))
    };
    // One more than the page holds, to learn whether there is another page.
    let rows = tx.query(sql, &params![run, place, paging.limit() + 1]).await?;
    let found = rows.iter().map(record).collect::<Result<Vec<_>, Fault>>()?;
    Ok(paging.page(LIST, found, |message| message.place.to_be_bytes().to_vec()))
}

fn record(row: &Row) -> Result<MessageRecord, Fault> {
    let topic = row.text("topic")?;
    Ok(MessageRecord {
        seq: row.int("seq")?,
        place: row.int("place")?,
        body: Json::from(row.text("body")?),
        key: row.opt_text("key")?.and_then(|key| given_key(&topic, &key)),
        topic,
        sent_at: from_micros(row.int("sent_at")?),
        refused: row.opt_text("refused")?,
        refused_at: row.opt_int("refused_at")?.map(from_micros),
    })
}

/// The key that the sender gave. `None` if it gave none and one was generated.
fn given_key(topic: &str, key: &str) -> Option<String> {
    let of_hook = hook_of(topic).and_then(|_| key.strip_prefix(topic)?.strip_prefix('/'));
    let key = of_hook.unwrap_or(key);
    (!key.starts_with("onward:")).then(|| key.to_owned())
}

/// The refused messages on the topics that these runs wait for.
pub(crate) async fn refused(tx: &mut Tx, runs: &[RunKey]) -> Result<Vec<(RunKey, Refused)>, Fault> {
    let rows = tx.query(sql!("messages/refused"), &params![runs]).await?;
    let of_topic = |row: &Row| -> Result<(RunKey, Refused), Fault> {
        let refused = Refused { topic: row.text("topic")?, count: row.int("of_topic")?, why: row.text("refused")? };
        Ok((row.key("run_key")?, refused))
    };
    rows.iter().map(of_topic).collect()
}

/// Delete a message that no call has taken.
pub(crate) async fn delete(tx: &mut Tx, id: &RunId, seq: i64) -> Result<(), Fault> {
    let target = lock(tx, id).await?;
    take_back(tx, id, &target, seq).await.map(drop)
}

/// Replace a message that no call has taken. Returns the number of the new message.
pub(crate) async fn replace(
    tx: &mut Tx,
    id: &RunId,
    seq: i64,
    body: &Json,
    plain: &Json,
    now: Timestamp,
) -> Result<(i64, Sent), Fault> {
    let target = lock(tx, id).await?;
    let Former { topic, key, place } = take_back(tx, id, &target, seq).await?;
    let message = NewMessage { run: id.clone(), topic, body: body.clone(), key: None };
    messages::check(tx, (target.key, id), &message, plain, 0).await?;
    let NewMessage { topic, body, .. } = message;
    let kept = params![target.key, topic, body.as_str(), key, now, place];
    let kept = tx.first(sql!("messages/replace"), &kept).await?;
    let seq = kept.ok_or_else(|| Fault::corrupt("a message was inserted without a number"))?.int("seq")?;
    Ok((seq, messages::told(tx, &[target], now).await?))
}

/// The values of a deleted message that its replacement keeps.
struct Former {
    topic: String,
    key: Option<String>,
    place: i64,
}

/// Lock the run until the transaction ends.
async fn lock(tx: &mut Tx, id: &RunId) -> Result<Target, Fault> {
    if !id.is_possible() {
        return Err(steer::unknown(id));
    }
    let rows = tx.query(sql!("messages/targets"), &params![&vec![id.as_str().to_owned()]]).await?;
    messages::target(rows.first().ok_or_else(|| steer::unknown(id))?)
}

/// Delete a message. The run's executor may be taking it right now, unless it was refused.
async fn take_back(tx: &mut Tx, id: &RunId, target: &Target, seq: i64) -> Result<Former, Fault> {
    if let Some(row) = tx.first(sql!("messages/take_back"), &params![target.key, seq, !target.owned]).await? {
        return Ok(Former { topic: row.text("topic")?, key: row.opt_text("key")?, place: row.int("place")? });
    }
    let Some(row) = tx.first(sql!("messages/find"), &params![target.key, seq]).await? else {
        let message = format!("run `{id}` has no message {seq}: it was deleted, or never sent");
        return Err(Error::new(Code::UnknownMessage, message).into());
    };
    let message = match row.opt_int("consumed_by")? {
        Some(position) => format!("message {seq} of run `{id}` was taken by its call at position {position}"),
        None => format!(
            "message {seq} was not refused, and the executor of run `{id}` may be taking it right now: pause the run, then try again"
        ),
    };
    Err(Error::new(Code::Conflict, message).into())
}
