//! The options of a new run: what its starter may say of it besides its workflow and its input.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::millis;
use crate::{Code, Error, Identity, Json, ParentEnd, Retry, Timestamp, Tree, check_name};

/// The options of a new run: the same for a start, a child, the runs of a schedule, a fork, and a run enqueued by names alone.
/// Each has methods that set them; as data they can be kept, sent and read back.
///
/// ```
/// # use onward_types::RunOptions;
/// let options = RunOptions { queue: Some("mail".into()), priority: Some(3), ..RunOptions::default() };
/// assert!(options.check().is_ok());
/// let without_queue = RunOptions { queue: None, ..options };
/// assert!(without_queue.check().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// The id: 1 to 512 bytes without control characters. Without one the run gets a UUIDv7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The version of the workflow. Without one it is the version of the workflow's type; by name alone, the newest version of the
    /// executor that claims the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The queue in which the run waits until it may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The priority in the queue, from 1 to 2,147,483,647. Lower numbers start first; runs without a priority before all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The partition of the queue: runs with the same key share the limits of a partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The deduplication key: a queue has at most one open run with the same key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup: Option<String>,
    /// Whether an open run with the same deduplication key is returned instead of an error.
    #[serde(skip_serializing_if = "is_false")]
    pub dedup_or_existing: bool,
    /// How long after its creation the run may start. In JSON: whole milliseconds, as `delay_ms`.
    #[serde(rename = "delay_ms", with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// How long the run may take, counted from its first start; then it is cancelled. In JSON: whole milliseconds, as
    /// `timeout_ms`.
    #[serde(rename = "timeout_ms", with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// When the run is cancelled if it has not ended by then.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// How often the run is attempted if it fails, and how long it pauses before. What is not given here is that of the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How many deaths of its process without progress the run survives before it is given up. The default is the limit of the
    /// workflow, else that of the executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_recoveries: Option<u32>,
    /// What becomes of the run when the run that starts it ends. Only for a child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_parent_end: Option<ParentEnd>,
    /// Facts to attach: a JSON object. Names that begin with [`SYSTEM_PREFIX`] are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Json>,
    /// Facts to attach whose names all begin with [`SYSTEM_PREFIX`]: a JSON object. For programs around Onward, such as its server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_attributes: Option<Json>,
    /// On whose behalf the run works. A child inherits what is not given here from its parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl RunOptions {
    /// Accept the options if every database can hold them and they do not contradict each other. The id and the version are
    /// checked where the run is made.
    ///
    /// # Errors
    /// [`Code::Invalid`], naming the option and what is wrong with it.
    pub fn check(&self) -> Result<(), Error> {
        self.check_queue()?;
        self.retry.as_ref().map_or(Ok(()), Retry::check)?;
        self.max_recoveries.map_or(Ok(()), check_max_recoveries)?;
        self.attributes.as_ref().map_or(Ok(()), check_attributes)?;
        self.system_attributes.as_ref().map_or(Ok(()), check_system_attributes)?;
        self.identity.as_ref().map_or(Ok(()), Identity::check)
    }

    /// Both kinds of attributes in one object.
    #[doc(hidden)]
    #[must_use]
    pub fn all_attributes(&self) -> Option<Json> {
        let (Some(own), Some(system)) = (&self.attributes, &self.system_attributes) else {
            return self.attributes.clone().or_else(|| self.system_attributes.clone());
        };
        match (Tree::read(own.as_str()), Tree::read(system.as_str())) {
            (Some(Tree::Object(mut own)), Some(Tree::Object(system))) => {
                own.extend(system);
                Some(Json::from(Tree::Object(own).to_string()))
            }
            // Refused by `check`.
            _ => Some(own.clone()),
        }
    }

    fn check_queue(&self) -> Result<(), Error> {
        let Some(queue) = &self.queue else {
            let of_queue = [
                ("priority", self.priority.is_some()),
                ("partition", self.partition.is_some()),
                ("dedup", self.dedup.is_some()),
            ];
            return match of_queue.into_iter().find(|(_, is_given)| *is_given) {
                None => Ok(()),
                Some((what, _)) => invalid(format!("a {what} needs a queue: name the queue, or leave the {what} out")),
            };
        };
        check_name("queue's name", queue)?;
        if let Some(priority) = self.priority.filter(|it| !(1..=i64::from(i32::MAX)).contains(it)) {
            return invalid(format!(
                "priority {priority} is not between 1 and {}: lower numbers start first; leave it out to start before all runs \
                 that have one",
                i32::MAX
            ));
        }
        self.partition.as_ref().map_or(Ok(()), |key| check_name("partition key", key))?;
        self.dedup.as_ref().map_or(Ok(()), |dedup| check_name("dedup", dedup))
    }
}

impl Identity {
    /// This identity, with what it leaves out taken from the run that starts the run: user, role, roles and trace. The class and the
    /// configured instance are those of one workflow and are not passed on.
    #[doc(hidden)]
    #[must_use]
    pub fn inherited_from(self, parent: &Identity) -> Identity {
        Identity {
            user: self.user.or_else(|| parent.user.clone()),
            role: self.role.or_else(|| parent.role.clone()),
            roles: if self.roles.is_empty() { parent.roles.clone() } else { self.roles },
            class_name: self.class_name,
            config_name: self.config_name,
            traceparent: self.traceparent.or_else(|| parent.traceparent.clone()),
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Identity::default()
    }
}

/// The names of attributes that begin with this are a namespace of Onward and of the programs around it. What users set, merge or
/// replace leaves them alone.
pub const SYSTEM_PREFIX: &str = "onward.";

/// Attributes are a JSON object, of which every database can look at the parts.
///
/// # Errors
/// [`Code::Invalid`] if it is not an object, if a text in it has a NUL, or if a name begins with [`SYSTEM_PREFIX`].
pub fn check_attributes(attributes: &Json) -> Result<(), Error> {
    check_object(attributes)?;
    match names(attributes).into_iter().find(|name| name.starts_with(SYSTEM_PREFIX)) {
        None => Ok(()),
        Some(name) => invalid(format!(
            "the attribute {name:?} begins with `{SYSTEM_PREFIX}`, which is reserved for Onward: give it another name"
        )),
    }
}

/// Attributes of Onward's namespace are a JSON object whose names all begin with [`SYSTEM_PREFIX`].
///
/// # Errors
/// As [`check_attributes`], and if a name does not begin with it.
pub fn check_system_attributes(attributes: &Json) -> Result<(), Error> {
    check_object(attributes)?;
    match names(attributes).into_iter().find(|name| !name.starts_with(SYSTEM_PREFIX)) {
        None => Ok(()),
        Some(name) => invalid(format!(
            "the system attribute {name:?} does not begin with `{SYSTEM_PREFIX}`: let it, or set it as an attribute of the user"
        )),
    }
}

fn names(attributes: &Json) -> Vec<String> {
    match Tree::read(attributes.as_str()) {
        Some(Tree::Object(fields)) => fields.into_iter().map(|(name, _)| name.into_owned()).collect(),
        _ => Vec::new(),
    }
}

fn check_object(attributes: &Json) -> Result<(), Error> {
    if !attributes.as_str().starts_with('{') {
        return invalid("attributes are a JSON object: give a map, or a struct with named fields");
    }
    let has_nul = |text: &str| text.contains('\0');
    if Tree::read(attributes.as_str()).is_some_and(|tree| tree.any_text(&has_nul)) {
        return invalid("a text among the attributes has a NUL in it: leave it out");
    }
    Ok(())
}

/// The most recoveries that a run can be given: the number after it stands for no limit of its own in the tables.
pub const RECOVERIES_MOST: u32 = i32::MAX as u32 - 1;

/// # Errors
/// [`Code::Invalid`] if it is more than [`RECOVERIES_MOST`].
pub fn check_max_recoveries(most: u32) -> Result<(), Error> {
    if most <= RECOVERIES_MOST {
        return Ok(());
    }
    invalid(format!("{most} recoveries are too many: give at most {RECOVERIES_MOST}"))
}

fn invalid(message: impl Into<String>) -> Result<(), Error> {
    Err(Error::new(Code::Invalid, message.into()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field as it is")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back_from_json_as_they_were() {
        let some = RunOptions {
            queue: Some("q".into()),
            priority: Some(2),
            delay: Some(Duration::from_millis(1_500)),
            timeout: Some(Duration::from_secs(60)),
            dedup: Some("d".into()),
            dedup_or_existing: true,
            max_recoveries: Some(3),
            retry: Some(Retry {
                attempts: Some(4),
                backoff: Some(Duration::from_millis(500)..Duration::from_secs(60)),
            }),
            on_parent_end: Some(ParentEnd::Wait),
            ..RunOptions::default()
        };
        let json = serde_json::to_string(&some).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"queue":"q","priority":2,"dedup":"d","dedup_or_existing":true,"delay_ms":1500,"timeout_ms":60000,"#,
                r#""retry":{"attempts":4,"backoff_ms":[500,60000]},"max_recoveries":3,"on_parent_end":"wait"}"#
            )
        );
        assert_eq!(serde_json::from_str::<RunOptions>(&json).unwrap(), some);
        assert_eq!(serde_json::to_string(&RunOptions::default()).unwrap(), "{}");
    }

    #[test]
    fn what_belongs_to_a_queue_needs_one() {
        let of = |options: RunOptions| options.check().map_err(|error| error.message().to_owned());
        assert!(
            of(RunOptions { priority: Some(1), ..RunOptions::default() }).unwrap_err().starts_with("a priority needs")
        );
        let queued = RunOptions { queue: Some("q".into()), ..RunOptions::default() };
        assert!(of(RunOptions { priority: Some(0), ..queued.clone() }).unwrap_err().starts_with("priority 0 is not"));
        assert_eq!(of(RunOptions { priority: Some(1), partition: Some("p".into()), ..queued }), Ok(()));
        let listed = RunOptions { attributes: Some(Json::from("[]".to_owned())), ..RunOptions::default() };
        assert!(of(listed).is_err());
    }

    #[test]
    fn a_child_inherits_what_it_is_not_given() {
        let parent = Identity {
            user: Some("ada".into()),
            roles: vec!["admin".into()],
            class_name: Some("Shop".into()),
            ..Identity::default()
        };
        let child = Identity { role: Some("clerk".into()), ..Identity::default() }.inherited_from(&parent);
        assert_eq!((child.user.as_deref(), child.role.as_deref()), (Some("ada"), Some("clerk")));
        assert_eq!((child.roles.len(), child.class_name), (1, None));
    }
}
