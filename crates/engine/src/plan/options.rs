//! The options of a new run while they are collected, and the methods that every builder of a run has.

use onward_types::{Error, Json, RunOptions, check_attributes, check_system_attributes};
use serde::Serialize;

use crate::data::encode;

/// Options that are being collected. If one cannot be encoded, the error is kept until the run is created.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) given: RunOptions,
    wrong: Option<Error>,
}

impl From<RunOptions> for Options {
    fn from(given: RunOptions) -> Options {
        Options { given, wrong: None }
    }
}

impl Options {
    pub(crate) fn set_attributes(&mut self, attributes: &impl Serialize) {
        match encode_attributes(attributes) {
            Ok(attributes) => self.given.attributes = Some(attributes),
            Err(error) => self.wrong = Some(error),
        }
    }

    /// What was given, if it could be encoded. Whether it fits together is not checked.
    pub(crate) fn given(self) -> Result<RunOptions, Error> {
        self.wrong.map_or(Ok(self.given), Err)
    }

    /// What was given, if nothing is wrong with it.
    pub(crate) fn checked(self) -> Result<RunOptions, Error> {
        let given = self.given()?;
        given.check().map(|()| given)
    }
}

/// Attributes as they are stored: a JSON object.
pub(crate) fn encode_attributes(attributes: &(impl Serialize + ?Sized)) -> Result<Json, Error> {
    let json = encode("attributes", attributes)?;
    check_attributes(&json)?;
    Ok(json)
}

/// Attributes of Onward's namespace as they are stored.
pub(crate) fn encode_system_attributes(attributes: &(impl Serialize + ?Sized)) -> Result<Json, Error> {
    let json = encode("system attributes", attributes)?;
    check_system_attributes(&json)?;
    Ok(json)
}

/// The methods that set the options of a new run, written once for every builder. The builder has
/// `fn set(self, set: impl FnOnce(&mut Options)) -> Self`. With `id` it also has the method that sets the id of the run.
macro_rules! option_methods {
    (id) => {
        /// The id of the run: 1 to 512 bytes without control characters. The default is a new UUIDv7, for a child an id made from
        /// that of its parent. If a run with this id already exists, it is returned, provided that it has the same workflow and
        /// input; otherwise the call fails with `conflict`.
        pub fn id(self, id: impl Into<String>) -> Self {
            self.set(|options| options.given.id = Some(id.into()))
        }

        $crate::plan::option_methods!();
    };
    () => {
        /// Replace all options set so far. The version and the queue stay as they were if these options do not set them; every
        /// other option that they do not set has its default.
        pub fn options(self, options: onward_types::RunOptions) -> Self {
            self.set(|before| {
                let version = options.version.clone().or(before.given.version.take());
                let queue = options.queue.clone().or(before.given.queue.take());
                *before = onward_types::RunOptions { version, queue, ..options }.into();
            })
        }

        /// The version of the workflow. The default is that of the workflow's type. A run started by name alone gets the newest
        /// version that the executor which claims it has, where `10` is newer than `9`, and keeps it.
        pub fn version(self, version: impl Into<String>) -> Self {
            self.set(|options| options.given.version = Some(version.into()))
        }

        /// Let the run wait in this queue until it may start. Any executor that has its workflow may claim it. In a process that
        /// executes the workflow, a run starts at once if the queue has no limits, is not paused, and no run waits in it; a child
        /// in a queue is always claimed. A run that waits for a child in its own queue lends the child its slot.
        pub fn queue(self, queue: impl Into<String>) -> Self {
            self.set(|options| options.given.queue = Some(queue.into()))
        }

        /// The priority in the queue, from 1 to 2,147,483,647: lower numbers start first, and runs without a priority before all
        /// others. Runs of the same priority start in the order in which they entered the queue.
        pub fn priority(self, priority: u32) -> Self {
            self.set(|options| options.given.priority = Some(i64::from(priority)))
        }

        /// The partition of the queue, for example a customer: runs with the same key share the limits of a partition. A run without
        /// a key counts only against the limits of the whole queue.
        pub fn partition(self, key: impl Into<String>) -> Self {
            self.set(|options| options.given.partition = Some(key.into()))
        }

        /// Allow only one open run with this key in the queue. While there is one, the new run is refused with the code
        /// `deduplicated`, and the error names the other run: see [`Deduplicated`](onward_types::Deduplicated). When that run has ended
        /// or was cancelled, the key is free again.
        pub fn dedup(self, dedup: impl Into<String>) -> Self {
            self.set(|options| options.given.dedup = Some(dedup.into()))
        }

        /// As `dedup`, but while there is an open run with the same key, that run is returned instead of an error.
        pub fn dedup_or_existing(self, dedup: impl Into<String>) -> Self {
            self.set(|options| {
                options.given.dedup = Some(dedup.into());
                options.given.dedup_or_existing = true;
            })
        }

        /// Start the run no sooner than this long after its creation.
        pub fn delay(self, delay: std::time::Duration) -> Self {
            self.set(|options| options.given.delay = Some(delay))
        }

        /// Cancel the run, with everything it started, if it has not ended this long after its first start. The time in a queue
        /// does not count.
        pub fn timeout(self, timeout: std::time::Duration) -> Self {
            self.set(|options| options.given.timeout = Some(timeout))
        }

        /// Cancel the run, with everything it started, if it has not ended by then.
        pub fn deadline(self, deadline: onward_types::Timestamp) -> Self {
            self.set(|options| options.given.deadline = Some(deadline))
        }

        /// How often the run is attempted, the first time included. A run that fails is executed again under its id, with its input
        /// and with nothing recorded, until an attempt succeeds or none is left; only then it has a result. An error that the workflow
        /// marks as [fatal](onward_types::Error::fatal) is not retried, nor is a run that is cancelled, held or given up, nor one
        /// whose deadline would pass before the next attempt. The default is that of the workflow: 1, unless it says otherwise.
        pub fn attempts(self, attempts: u32) -> Self {
            self.set(|options| options.given.retry.get_or_insert_default().attempts = Some(attempts))
        }

        /// The first and the longest pause between two attempts of the run. A pause is twice as long as the one before, and half of
        /// it is random. During a pause the run is `delayed`, holds no slot of its queue, and waits in it again afterwards. The default
        /// is that of the workflow: 1 s to 60 s, unless it says otherwise.
        pub fn backoff(self, backoff: std::ops::Range<std::time::Duration>) -> Self {
            self.set(|options| options.given.retry.get_or_insert_default().backoff = Some(backoff))
        }

        /// How many deaths of its process the run survives during which it was executed and recorded nothing. Before it is executed
        /// again it pauses, for up to a minute. After one more it is given up; a run that was given up can be resumed. The default is
        /// that of its workflow, else that of the [executor](crate::Builder::max_recoveries): 10.
        pub fn max_recoveries(self, recoveries: u32) -> Self {
            self.set(|options| options.given.max_recoveries = Some(recoveries))
        }

        /// Facts to attach, as a map or a struct with named fields. Names that begin with `onward.` are refused with `invalid`: see
        /// [`RunOptions::system_attributes`](onward_types::RunOptions::system_attributes).
        pub fn attributes(self, attributes: impl serde::Serialize) -> Self {
            self.set(|options| options.set_attributes(&attributes))
        }

        /// On whose behalf the run works: the user, and every role that they could have taken. A child inherits both from its parent
        /// unless it is given others.
        pub fn authenticated_as<R: Into<String>>(
            self,
            user: impl Into<String>,
            roles: impl IntoIterator<Item = R>,
        ) -> Self {
            let roles = roles.into_iter().map(Into::into).collect();
            self.set(|options| {
                let identity = options.given.identity.get_or_insert_default();
                identity.user = Some(user.into());
                identity.roles = roles;
            })
        }

        /// The role with which the run works. A child inherits it.
        pub fn assumed_role(self, role: impl Into<String>) -> Self {
            self.set(|options| options.given.identity.get_or_insert_default().role = Some(role.into()))
        }

        /// The class of the workflow, and the name of its configured instance, where a client's language has classes. A child does
        /// not inherit them.
        pub fn class(self, class_name: impl Into<String>, config_name: Option<String>) -> Self {
            self.set(|options| {
                let identity = options.given.identity.get_or_insert_default();
                identity.class_name = Some(class_name.into());
                identity.config_name = config_name;
            })
        }

        /// The trace that the run is a part of, as the W3C header `traceparent` has it. The run reads it with
        /// [`Ctx::traceparent`](crate::Ctx::traceparent), and its children inherit it. A run that is there already keeps its own.
        /// Anything but a valid `traceparent` is refused with `invalid`, and nothing is started.
        pub fn traceparent(self, traceparent: impl Into<String>) -> Self {
            self.set(|options| options.given.identity.get_or_insert_default().traceparent = Some(traceparent.into()))
        }
    };
}
pub(crate) use option_methods;
