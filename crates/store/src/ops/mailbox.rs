//! Messages as users manage them: listing them, and deleting or replacing those that no call has taken.

use onward_types::{
    Code, Error, Json, MessageFilter, MessageRecord, MessageState, Page, Paging, RunId, RunKey, Timestamp, from_micros,
    hook_of,
};

use super::messages::{self, NewMessage, Reached, Target};
use super::steer;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The name of the list of messages in its cursors.
const LIST: &str = "messages";

/// A page of the messages of a run.
pub(crate) async fn page(tx: &mut Tx, run: RunKey, filter: &MessageFilter) -> Result<Page<MessageRecord>, Fault> {
    let MessageFilter { states, topic, limit, after, before } = filter;
    let paging = Paging { limit: *limit, after: after.clone(), before: before.clone() };
    let (place, backwards) = paging.from(LIST)?;
    if topic.as_ref().is_some_and(|topic| topic.contains('\0')) {
        return Ok(Page { items: Vec::new(), next: None, previous: None });
    }
    let place = place.map(|place| place.first_chunk::<8>().map_or(0, |place| i64::from_be_bytes(*place)));
    let (sql, place) = if backwards {
        (sql!("messages/of_run_back"), place.unwrap_or(i64::MAX))
    } else {
        (sql!("messages/of_run"), place.unwrap_or(i64::MIN))
    };
    let wants = |state| states.is_empty() || states.contains(&state);
    let [pending, refused, taken] = [MessageState::Pending, MessageState::Refused, MessageState::Taken].map(wants);
    // One more than the page holds, to learn whether there is another page.
    let given = params![run, place, paging.limit() + 1, topic.as_deref(), pending, refused, taken];
    let rows = tx.query(sql, &given).await?;
    let found = rows.iter().map(record).collect::<Result<Vec<_>, Fault>>()?;
    Ok(paging.page(LIST, found, |message| message.place.to_be_bytes().to_vec()))
}

fn record(row: &Row) -> Result<MessageRecord, Fault> {
    let topic = row.text("topic")?;
    let refused = row.opt_text("refused")?;
    let taken_by = row.opt_int("consumed_by")?.and_then(|position| u32::try_from(position).ok());
    let state = match (taken_by, &refused) {
        (Some(_), _) => MessageState::Taken,
        (None, Some(_)) => MessageState::Refused,
        (None, None) => MessageState::Pending,
    };
    Ok(MessageRecord {
        seq: row.int("seq")?,
        place: row.int("place")?,
        body: Json::from(row.text("body")?),
        key: row.opt_text("key")?.and_then(|key| given_key(&topic, &key)),
        topic,
        sent_at: from_micros(row.int("sent_at")?),
        refused,
        refused_at: row.opt_int("refused_at")?.map(from_micros),
        state,
        taken_by,
    })
}

/// The key that the sender gave. `None` if it gave none and one was generated.
fn given_key(topic: &str, key: &str) -> Option<String> {
    let of_hook = hook_of(topic).and_then(|_| key.strip_prefix(topic)?.strip_prefix('/'));
    let key = of_hook.unwrap_or(key);
    (!key.starts_with("onward:")).then(|| key.to_owned())
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
) -> Result<(i64, Reached), Fault> {
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
    Err(Error::new(Code::MessageTaken, message).into())
}
