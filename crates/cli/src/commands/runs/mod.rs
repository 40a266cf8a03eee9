//! `onward runs …`: connects to the database, then performs the verb.

mod archive;
mod attributes;
mod cancel;
mod delay;
mod delete;
mod event;
pub(super) mod filter;
mod fork;
mod list;
mod messages;
mod pause;
mod restart;
mod resume;
mod send;
mod show;
mod start;
mod start_now;
mod steer;
mod steps;
mod stream;
mod wait;
mod wake_up;
mod watch;

use onward::WorkflowHandle;

use crate::args::{Runs, Verb};
use crate::exit::{Exit, Failure};

/// The handle of a run of any workflow: its output is JSON.
type Handle = WorkflowHandle<serde_json::Value>;

pub(crate) async fn run(Runs { common, mask, verb }: Runs) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?.mask(mask);
    match verb {
        Verb::Start(start) => start::start(&client, *start, common.json).await,
        Verb::List(list) => list::list(&client, *list, common.json).await,
        Verb::Show(one) => show::show(&client, &one.id, common.json).await,
        Verb::Steps(steps) => steps::steps(&client, steps, common.json).await,
        Verb::Watch(one) => watch::watch(&client.handle_named(one.id), common.json).await,
        Verb::Wait(one) => wait::wait(&client.handle_named(one.id), one.timeout, common.json).await,
        Verb::Cancel(selected) => cancel::cancel(&client, *selected, common.json).await,
        Verb::Pause(selected) => pause::pause(&client, *selected, common.json).await,
        Verb::Resume(selected) => resume::resume(&client, *selected, common.json).await,
        Verb::StartNow(selected) => start_now::start_now(&client, *selected, common.json).await,
        Verb::WakeUp(wake_up) => wake_up::wake_up(&client, *wake_up, common.json).await,
        Verb::Restart(selected) => restart::restart(&client, *selected, common.json).await,
        Verb::SetDelay(delay) => delay::set_delay(&client, *delay, common.json).await,
        Verb::Fork(fork) => fork::fork(&client, *fork, common.json).await,
        Verb::Attributes(attributes) => attributes::attributes(&client, *attributes, common.json).await,
        Verb::Delete(delete) => delete::delete(&client, *delete, common.json).await,
        Verb::Export(export) => archive::export(&client, export).await,
        Verb::Import(import) => archive::import(&client, import, common.json).await,
        Verb::Send(message) => send::send(&client, message, common.json).await,
        Verb::Messages(messages) => messages::messages(&client, messages, common.json).await,
        Verb::Event(event) => event::event(&client.handle_named(&event.id), event, common.json).await,
        Verb::Stream(stream) => stream::stream(&client.handle_named(&stream.id), stream, common.json).await,
    }
}
