//! Codecs convert payloads to what is stored in the tables, and back. Mostly for encryption.
//!
//! Everything above the store sees plain values. They are encoded where they enter the store (`Journal::submit` for the changes
//! of a run, `Store` for client calls, a user transaction for its checkpoint), and decoded where they leave it. Only this file
//! defines which parts of each thing are payloads. In a table an encoded value is JSON too: an envelope with the codec's name,
//! the key id, and the data.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use onward_types::{BoxError, Chunk, ChunkBody, Code, Error, Json, RunRecord, StepKind, StepRecord, guarded};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::change::{Change, Checkpoint, Leave, LeaveHow, NewRun};
use crate::records::{Chunks, History, Message, Outcome};

/// Encodes the payloads of runs before they are stored, and decodes them when they are read.
///
/// Every process that reads the payloads of a database needs the same codec: executors get it with `Builder::codec`, clients
/// with `Client::codec`. Values stored before a codec was introduced are read as they are. If a value cannot be decoded, its
/// run is held; no other run is affected.
///
/// Encoded are inputs, outputs, the results of steps and other calls, messages, events, the chunks of streams, the data of typed
/// errors, the progress in heartbeats, and documents. Names, ids, keys, topics, attributes, identities, reasons, notes, and the
/// messages of errors are not, because people and queries have to read them: keep secrets out of them.
///
/// Both methods are called on the threads that execute runs, so they must be quick and must not block. A panic counts as a
/// failure to encode or decode that one value.
pub trait Codec: Send + Sync + 'static {
    /// The name of the codec. It is stored with every encoded value, so it must never change.
    fn name(&self) -> &str;

    /// Encode `plain`, which is usually a JSON text. `what` is the same when it is decoded: authenticate it along with the
    /// data.
    ///
    /// # Errors
    /// Any reason why it cannot be encoded. A run that produced the value is held with this error; a start fails with it.
    fn encode(&self, plain: &[u8], what: Payload) -> Result<Encoded, BoxError>;

    /// Decode a value, which may have been encoded long ago with a key that has been rotated out.
    ///
    /// # Errors
    /// Any reason why it cannot be decoded. The run that owns the value is held with this error, and can be resumed once the
    /// problem is fixed.
    fn decode(&self, encoded: &Encoded, what: Payload) -> Result<Vec<u8>, BoxError>;

    /// The secret key with which inputs are hashed for comparison. An id may be started again only with the same input, and an
    /// encrypted input never looks the same twice. It has to outlive every key rotation. With a plain hash, anyone who reads
    /// the tables could test which of a few possible inputs it was.
    fn hash_key(&self) -> [u8; 32];
}

/// An encoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// An identifier of the encryption key, chosen by the codec: never the key itself.
    pub key: String,
    /// The encoded data.
    pub data: Vec<u8>,
}

/// The role of a value in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// The input of the run.
    Input,
    /// The output of the run.
    Output,
    /// The recorded result of a durable call: the output of a step, the result of a child, a received message.
    Checkpoint,
    /// A message sent to the run.
    Message,
    /// The value of an event.
    Event,
    /// A chunk of a stream. Chunks of bytes are encoded too; then `plain` is not JSON.
    Chunk,
    /// The data of a typed error.
    Error,
    /// The value of a document.
    Document,
    /// The progress in a heartbeat of a step.
    Heartbeat,
}

impl Payload {
    /// A name that never changes, to be authenticated along with the data.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Payload::Input => "input",
            Payload::Output => "output",
            Payload::Checkpoint => "checkpoint",
            Payload::Message => "message",
            Payload::Event => "event",
            Payload::Chunk => "chunk",
            Payload::Error => "error",
            Payload::Document => "document",
            Payload::Heartbeat => "heartbeat",
        }
    }
}

/// An encoded value as it is stored in a table.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "onward:codec")]
    codec: String,
    key: String,
    data: String,
}

/// The prefix of every envelope.
const ENVELOPE: &str = "{\"onward:codec\":";

/// Encodes and decodes payloads, or passes them through if there is no codec.
#[derive(Clone, Default)]
pub(crate) struct Sealer(Option<Arc<Given>>);

/// The codec and its hash key.
struct Given {
    codec: Arc<dyn Codec>,
    hash_key: [u8; 32],
}

impl Sealer {
    pub(crate) fn new(codec: Arc<dyn Codec>) -> Sealer {
        let hash_key = codec.hash_key();
        Sealer(Some(Arc::new(Given { codec, hash_key })))
    }

    pub(crate) fn hash_key(&self) -> Option<[u8; 32]> {
        self.0.as_ref().map(|given| given.hash_key)
    }

    /// Encode a value.
    pub(crate) fn seal(&self, plain: &Json, what: Payload) -> Result<Json, Error> {
        match &self.0 {
            Some(given) => envelope(&*given.codec, plain.as_str().as_bytes(), what),
            None => Ok(plain.clone()),
        }
    }

    /// Decode a value. A value that was never encoded is returned as it is.
    pub(crate) fn open(&self, stored: &Json, what: Payload) -> Result<Json, Error> {
        if !is_envelope(stored.as_str().as_bytes()) {
            return Ok(stored.clone());
        }
        let plain = self.unwrapped(stored.as_str().as_bytes(), what)?;
        let no_json =
            |why: String| Error::new(Code::Decode, format!("the decoded {} is not JSON: {why}", what.as_str()));
        let plain = String::from_utf8(plain).map_err(|error| no_json(error.to_string()))?;
        serde_json::from_str::<&serde_json::value::RawValue>(&plain).map_err(|error| no_json(error.to_string()))?;
        Ok(Json::from(plain))
    }

    /// Decode the content of an envelope.
    fn unwrapped(&self, envelope: &[u8], what: Payload) -> Result<Vec<u8>, Error> {
        let Envelope { codec: name, key, data } = serde_json::from_slice(envelope).map_err(|error| {
            Error::new(Code::Decode, format!("the {} has a broken envelope: {error}", what.as_str()))
        })?;
        let wrong = |why: String| {
            let message = format!("the {} was encoded by codec `{name}` with key `{key}`: {why}", what.as_str());
            Error::new(Code::Decode, message)
        };
        let Some(given) = &self.0 else {
            return Err(wrong("configure this process with that codec".to_owned()));
        };
        let data = STANDARD.decode(data).map_err(|error| wrong(format!("its data is not base64: {error}")))?;
        let encoded = Encoded { key: key.clone(), data };
        // The codec and its errors are user code.
        let decoded = guarded(|| match given.codec.name() {
            own if own == name => given.codec.decode(&encoded, what).map_err(|error| error.to_string()),
            own => Err(format!("this process has codec `{own}`")),
        });
        decoded.unwrap_or_else(|said| Err(format!("the codec panicked: {said}"))).map_err(wrong)
    }

    fn seal_error(&self, error: &Json) -> Result<Json, Error> {
        Error::map_data(error, |data| self.seal(data, Payload::Error))
    }

    pub(crate) fn open_error(&self, error: &Json) -> Result<Json, Error> {
        if !error.as_str().contains(ENVELOPE) {
            return Ok(error.clone());
        }
        Error::map_data(error, |data| self.open(data, Payload::Error))
    }

    /// Encode every payload of a change. Each kind of change lists its payloads here.
    fn seal_change(&self, change: &mut Change) -> Result<(), Error> {
        match change {
            Change::Create(run) => self.seal_run(run)?,
            Change::Checkpoint(it) => self.seal_checkpoint(it)?,
            Change::Attempt(it) => {
                if let Some(error) = &mut it.error {
                    *error = self.seal_error(error)?;
                }
                if let Some(heartbeat) = &mut it.heartbeat {
                    heartbeat.progress = self.seal(&heartbeat.progress, Payload::Heartbeat)?;
                }
            }
            Change::Leave(Leave { how: LeaveHow::Finished(result), .. }) => match result {
                Ok(output) => *output = self.seal(output, Payload::Output)?,
                Err(error) => *error = self.seal_error(error)?,
            },
            Change::Leave(Leave { how: LeaveHow::Held { error, .. }, .. }) => *error = self.seal_error(error)?,
            Change::Leave(Leave { how: LeaveHow::Continued { input, .. }, .. }) => {
                *input = self.seal(input, Payload::Input)?;
            }
            Change::Leave(Leave { how: LeaveHow::Retried(next), .. }) => {
                next.retrying.error = self.seal_error(&next.retrying.error)?;
            }
            Change::SetEvent { value, .. } => *value = self.seal(value, Payload::Event)?,
            Change::Append(chunk) => self.seal_chunk(&mut chunk.body)?,
            Change::OpenWait(_)
            | Change::CloseWait(_)
            | Change::CloseHook(_)
            | Change::EndHook(_)
            | Change::RequestPerson { .. }
            | Change::Consume { .. }
            | Change::Refuse { .. }
            | Change::Leave(_) => {}
        }
        Ok(())
    }

    /// Encode the payloads of a run to be created.
    pub(crate) fn seal_run(&self, run: &mut NewRun) -> Result<(), Error> {
        run.input = self.seal(&run.input, Payload::Input)?;
        Ok(())
    }

    /// Encode the payloads of a checkpoint.
    pub(crate) fn seal_checkpoint(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        match &mut checkpoint.result {
            Ok(_) if is_ours(checkpoint.kind) => {}
            Ok(output) => *output = self.seal(output, Payload::Checkpoint)?,
            Err(error) => *error = self.seal_error(error)?,
        }
        Ok(())
    }

    fn seal_chunk(&self, body: &mut ChunkBody) -> Result<(), Error> {
        match (body, &self.0) {
            (ChunkBody::Json(json), _) => *json = self.seal(json, Payload::Chunk)?,
            (ChunkBody::Bytes(bytes), Some(given)) => {
                *bytes = envelope(&*given.codec, bytes, Payload::Chunk)?.as_str().as_bytes().into();
            }
            (ChunkBody::Bytes(_), None) | (ChunkBody::Close, _) => {}
        }
        Ok(())
    }

    fn open_chunk(&self, chunk: &mut Chunk) -> Result<(), Error> {
        match &mut chunk.body {
            ChunkBody::Json(json) => *json = self.open(json, Payload::Chunk)?,
            ChunkBody::Bytes(bytes) if is_envelope(bytes) => *bytes = self.unwrapped(bytes, Payload::Chunk)?.into(),
            ChunkBody::Bytes(_) | ChunkBody::Close => {}
        }
        Ok(())
    }

    /// Encode every payload of some changes.
    pub(crate) fn seal_changes(&self, changes: &mut [Change]) -> Result<(), Error> {
        if self.0.is_none() {
            return Ok(());
        }
        changes.iter_mut().try_for_each(|change| self.seal_change(change))
    }

    /// Encode the payloads of an action.
    pub(crate) fn seal_action(&self, action: &mut Action) -> Result<(), Error> {
        if let Action::Fork(fork) = action
            && let Some((input, _)) = &mut fork.input
        {
            *input = self.seal(input, Payload::Input)?;
        }
        Ok(())
    }

    /// Decode the payloads of a run's history. A message that cannot be decoded matters only to the call that takes it, and the
    /// progress in a heartbeat only to the attempt that reads it.
    pub(crate) fn open_history(&self, mut history: History) -> Result<History, Error> {
        history.input = self.open(&history.input, Payload::Input)?;
        for recorded in &mut history.checkpoints {
            match &mut recorded.result {
                Ok(output) => *output = self.open(output, Payload::Checkpoint)?,
                Err(error) => *error = self.open_error(error)?,
            }
        }
        history.messages.iter_mut().for_each(|message| self.open_message(message));
        for progress in history.attempts.values_mut().filter_map(|tried| tried.progress.as_mut()) {
            progress.value =
                progress.value.as_ref().map_err(Clone::clone).and_then(|it| self.open(it, Payload::Heartbeat));
        }
        Ok(history)
    }

    /// Decode a message. If that fails, the error is stored in it.
    pub(crate) fn open_message(&self, message: &mut Message) {
        if let Ok(body) = &message.body {
            message.body = self.open(body, Payload::Message);
        }
    }

    /// Decode chunks, up to the first one that cannot be decoded: reading from that index on gives the error.
    pub(crate) fn open_chunks(&self, mut found: Chunks) -> Result<Chunks, Error> {
        for at in 0..found.chunks.len() {
            if let Err(error) = self.open_chunk(&mut found.chunks[at]) {
                if at == 0 {
                    return Err(error);
                }
                found.chunks.truncate(at);
                break;
            }
        }
        Ok(found)
    }

    /// Decode an outcome. If that fails, the error is stored in it and does not affect those who wait for other runs.
    pub(crate) fn open_outcome(&self, mut outcome: Outcome) -> Outcome {
        let opened = (|| {
            if let Some(output) = &mut outcome.output {
                *output = self.open(output, Payload::Output)?;
            }
            if let Some(error) = &mut outcome.error {
                *error = self.open_error(error)?;
                Error::from_json(error)?;
            }
            Ok(())
        })();
        outcome.unreadable = opened.err();
        outcome
    }

    /// Decode a run for a listing. A value that cannot be decoded is shown as stored.
    pub(crate) fn show_run(&self, run: &mut RunRecord) {
        if let Some(input) = &mut run.input {
            self.show(input, Payload::Input);
        }
        if let Some(output) = &mut run.output {
            self.show(output, Payload::Output);
        }
        self.show_error(&mut run.error);
        self.show_error(&mut run.last_error);
    }

    /// Decode a step for a listing.
    pub(crate) fn show_step(&self, step: &mut StepRecord) {
        if let Some(output) = &mut step.output {
            self.show(output, Payload::Checkpoint);
        }
        self.show_error(&mut step.error);
        for attempt in &mut step.attempts {
            self.show_error(&mut attempt.error);
            if let Some(heartbeat) = &mut attempt.heartbeat {
                self.show(&mut heartbeat.progress, Payload::Heartbeat);
            }
        }
    }

    /// Decode a value for a listing.
    pub(crate) fn show(&self, stored: &mut Json, what: Payload) {
        if let Ok(plain) = self.open(stored, what) {
            *stored = plain;
        }
    }

    fn show_error(&self, stored: &mut Option<Json>) {
        if let Some(error) = stored
            && let Ok(plain) = self.open_error(error)
        {
            *error = plain;
        }
    }
}

/// Whether the call's result is written by Onward and holds no user data: only that the call was made, or the id of a child,
/// which listings show.
fn is_ours(kind: StepKind) -> bool {
    match kind {
        StepKind::Sleep
        | StepKind::Start
        | StepKind::Patch
        | StepKind::Send
        | StepKind::Event
        | StepKind::Stream
        | StepKind::Pause
        | StepKind::Cancel
        | StepKind::ResumeHook
        | StepKind::Attributes => true,
        StepKind::Step
        | StepKind::Transaction
        | StepKind::Child
        | StepKind::Now
        | StepKind::Random
        | StepKind::Uuid
        | StepKind::Recv
        | StepKind::GetEvent
        | StepKind::Hook => false,
        // A kind that is new and not listed here is encoded: it may hold user data.
        _ => false,
    }
}

fn is_envelope(stored: &[u8]) -> bool {
    stored.starts_with(ENVELOPE.as_bytes())
}

fn envelope(codec: &dyn Codec, plain: &[u8], what: Payload) -> Result<Json, Error> {
    let what_it_is = what.as_str();
    // The codec and its errors are user code.
    let encoded = guarded(|| {
        let encoded = codec.encode(plain, what);
        let name = codec.name().to_owned();
        match encoded {
            Ok(Encoded { key, data }) => Ok(Envelope { codec: name, key, data: STANDARD.encode(data) }),
            Err(error) => Err(format!("codec `{name}` could not encode the {what_it_is}: {error}")),
        }
    });
    let encoded =
        encoded.unwrap_or_else(|said| Err(format!("the codec panicked while encoding the {what_it_is}: {said}")));
    Json::encode(&encoded.map_err(|why| Error::new(Code::Encode, why))?)
}
