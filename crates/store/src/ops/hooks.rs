//! Hooks: tokens by which external callers reach a call of a run.

use onward_types::{
    Code, Error, ExecutorId, Form, HookState, Json, PersonRequest, Resumed, RunId, RunKey, Status, Taken, Timestamp,
    from_micros, hook_topic,
};

use super::claim::first_position;
use super::messages::{self, NewMessage, Reached, Target};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// A hook to be opened.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// The run that opens it.
    pub run: RunKey,
    /// The position of the call that opens it.
    pub position: u32,
    /// Its token.
    pub token: String,
    /// The form of payload that it takes, if known: a [`Form`] as JSON.
    pub form: Option<String>,
    /// What a person has to do at the hook, if it is for a person.
    pub person: Option<PersonRequest>,
    /// The executor that opens it.
    pub executor: ExecutorId,
}

/// A payload to be sent to a hook.
#[derive(Clone, Debug)]
pub struct HookPayload {
    /// The token of the hook.
    pub token: String,
    /// The content.
    pub body: Json,
    /// Identifies the payload: sending the same key to the same hook again has no effect.
    pub key: Option<String>,
}

/// Open a hook and return its token. If the call opened a hook before a crash, that one's token is returned.
pub(crate) async fn open(tx: &mut Tx, new: &NewHook, now: Timestamp) -> Result<String, Fault> {
    let NewHook { run, position, token, form, person, executor } = new;
    let person = person.as_ref().map(Json::encode).transpose()?;
    let person = person.as_ref().map(Json::as_str);
    let (form, form_by) = (form.as_deref(), form.as_ref().map(|_| executor.as_str()));
    if let Some(row) = tx.first(sql!("hooks/of_call"), &params![*run, *position]).await? {
        return row.text("token");
    }
    if tx.execute(sql!("hooks/insert"), &params![token.as_str(), *run, *position, now, form, form_by, person]).await?
        == 1
    {
        return Ok(token.clone());
    }
    let (holder, _) = holder(tx, token).await?.ok_or_else(just_now)?;
    if holder == (*run, *position) {
        // It was just opened by an earlier attempt of this call whose answer came late.
        return Ok(token.clone());
    }
    if holder.0 == *run && is_of_earlier_generation(tx, holder).await? {
        let taken = params![token.as_str(), *run, *position, now, form, form_by, person, holder.0, holder.1];
        tx.execute(sql!("hooks/take_over"), &taken).await?;
        let (before, after) = (hook_topic(holder.1, token), hook_topic(*position, token));
        tx.execute(sql!("hooks/hand_over"), &params![*run, before, after]).await?;
        return Ok(token.clone());
    }
    match target(tx, holder.0).await? {
        Some((id, target)) if !target.status.is_terminal() => {
            let message = format!("the token `{token}` belongs to run {id:?}: choose another token, or end that run");
            Err(Taken::by(&id).refused(Code::TokenTaken, message).into())
        }
        // The holder has ended or was deleted.
        _ => {
            let taken = params![token.as_str(), *run, *position, now, form, form_by, person, holder.0, holder.1];
            match tx.execute(sql!("hooks/take_over"), &taken).await? {
                1 => Ok(token.clone()),
                _ => Err(just_now()),
            }
        }
    }
}

/// Whether the call that opened the hook belongs to an earlier generation of its run.
async fn is_of_earlier_generation(tx: &mut Tx, (run, position): (RunKey, u32)) -> Result<bool, Fault> {
    let Some(row) = tx.first(sql!("runs/generation"), &params![run]).await? else { return Ok(false) };
    Ok(first_position(&row)?.is_some_and(|first| position < first))
}

/// Send a payload to the hook with a token. `plain` is the payload before encoding.
pub(crate) async fn resume(
    tx: &mut Tx,
    payload: &HookPayload,
    plain: &Json,
    now: Timestamp,
    is_again: bool,
) -> Result<(Resumed, Reached), Fault> {
    let HookPayload { token, body, key } = payload;
    let unknown = || {
        let message = format!("no hook has the token `{token}`: it was never opened, or was closed");
        Fault::from(Error::new(Code::UnknownHook, message))
    };
    let ((run, position), form) = holder(tx, token).await?.ok_or_else(unknown)?;
    let (id, target) = target(tx, run).await?.ok_or_else(unknown)?;
    if target.status.is_terminal() {
        let message = format!(
            "run {id:?}, which had the token `{token}`, has ended ({}) and takes no more payloads",
            target.status
        );
        return Err(Error::new(Code::Gone, message).into());
    }
    let topic = hook_topic(position, token);
    // Keys are unique per run: this one must not collide with the key of a message or of another hook.
    let key = key.as_ref().map(|key| format!("{topic}/{key}"));
    let message = NewMessage { run: id.clone(), topic, body: body.clone(), key };
    match form {
        // A typed hook takes one type for all its payloads.
        Some(form) if !form.accepts(plain) => {
            messages::misfit(tx, (run, &id), &message, plain, &form.to_string()).await?;
        }
        Some(_) => {}
        None => messages::check(tx, (run, &id), &message, plain, 0).await?,
    }
    let sent = messages::insert(tx, &[(run, &message)], now, is_again).await?;
    let sent = sent.into_iter().next().ok_or_else(|| Fault::corrupt("a payload was sent without a result"))?;
    Ok((Resumed::new(id, sent), messages::told(tx, &[target], now).await?))
}

/// A hook of a run, as stored.
pub(crate) struct StoredHook {
    pub(crate) position: u32,
    pub(crate) opened_at: Timestamp,
    /// The recorded result of the call that opened it.
    pub(crate) recorded: Option<Json>,
    /// Its token, while it has one.
    pub(crate) token: Option<String>,
    pub(crate) state: HookState,
    /// What a person has to do at it, while it has a token.
    pub(crate) person: Option<PersonRequest>,
}

/// The hooks of a run, closed ones included.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey) -> Result<Vec<StoredHook>, Fault> {
    let rows = tx.query(sql!("hooks/of_run"), &params![run]).await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &Row) -> Result<StoredHook, Fault> {
    let (status, token): (Status, _) = (row.text("status")?.parse()?, row.opt_text("token")?);
    let is_open = token.is_some() && !status.is_terminal();
    Ok(StoredHook {
        position: row.count("position")?,
        opened_at: from_micros(row.int("opened_at")?),
        recorded: row.opt_text("output")?.map(Json::from),
        token,
        person: person(row)?,
        state: if is_open { HookState::Open } else { HookState::Closed },
    })
}

/// What a person has to do at a hook, from its column.
pub(super) fn person(row: &Row) -> Result<Option<PersonRequest>, Fault> {
    let corrupt = |error| Fault::corrupt(format!("column `person` in `hooks`: {error}"));
    row.opt_text("person")?.map(|json| Json::from(json).decode()).transpose().map_err(corrupt)
}

/// The call that holds a token, and the form of payload that it takes, if known.
async fn holder(tx: &mut Tx, token: &str) -> Result<Option<((RunKey, u32), Option<Form>)>, Fault> {
    let Some(row) = tx.first(sql!("hooks/holder"), &params![token]).await? else { return Ok(None) };
    let form = row.opt_text("form")?.map(|form| Form::from_json(&form));
    Ok(Some(((row.key("run_key")?, row.count("position")?), form)))
}

async fn target(tx: &mut Tx, run: RunKey) -> Result<Option<(RunId, Target)>, Fault> {
    let row = tx.first(sql!("hooks/run"), &params![run]).await?;
    row.map(|row| Ok((RunId::recorded(row.text("id")?), messages::target(&row)?))).transpose()
}

fn just_now() -> Fault {
    Fault::try_again("a hook with this token was just opened or closed by another caller: try again")
}
