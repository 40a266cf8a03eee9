//! A workflow whose name is known when the program runs: a name, a version, and a function that may capture what it interprets.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use onward_types::{Code, Error, ErrorType, Failure, Json, Result, Schemas};
use serde::Serialize;

use crate::data::{Data, encode};
use crate::executor::registry::{Begin, Coded, Failing, OnPanic, Registered, Running};
use crate::executor::run::ctx::Ctx;
use crate::workflow::{finished, unreadable_input};

/// A workflow made from a name, a version and a function: for what a program reads from data, such as a graph. Give it to
/// [`Builder::register`](crate::Builder::register) or [`Onward::register`](crate::Onward::register); without options,
/// [`Builder::workflow_fn`](crate::Builder::workflow_fn) is shorter.
///
/// The function gets the context and the input of the run. It is called once for each execution and replay, and must be as
/// deterministic as any workflow: what it captures is part of its code. A function that captures something else needs another
/// version.
///
/// ```
/// # use onward_engine::{Onward, OnPanic, Result, WorkflowFn};
/// # use serde_json::{Value, json};
/// # #[tokio::main] async fn main() -> Result<()> {
/// let greeting = "hello";
/// let greet = WorkflowFn::new("greet", "1", move |_ctx, name: String| async move { Ok(format!("{greeting} {name}")) })
///     .on_panic(OnPanic::Fail)
///     .input_schema(json!({"type": "string"}));
/// let onward = Onward::open("sqlite::memory:").register(greet).launch().await?;
/// let run = onward.start_named("greet", "Ann").await?;
/// assert_eq!(run.result().await?, Value::from("hello Ann"));
/// # onward.shutdown(std::time::Duration::ZERO).await?;
/// # Ok(()) }
/// ```
#[must_use = "a workflow is executed by the executor that it is given to"]
pub struct WorkflowFn {
    name: String,
    version: String,
    run: Box<Begin>,
    failing: Failing,
    errors: ErrorType,
    max_recoveries: Option<u32>,
    schemas: Schemas,
    wrong: Option<Error>,
}

impl WorkflowFn {
    /// Make a workflow. Its name and version are 1 to 512 bytes without control characters and without `@`.
    ///
    /// The input and the output are any [`Data`]; with [`serde_json::Value`] they are any JSON.
    pub fn new<I, O, F, Fut>(name: impl Into<String>, version: impl Into<String>, function: F) -> WorkflowFn
    where
        I: Data,
        O: Data,
        F: Fn(Ctx, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O>> + Send + 'static,
    {
        let (name, version) = (name.into(), version.into());
        let run = erased((name.clone(), version.clone()), function);
        let (failing, errors, schemas) = (Failing::default(), ErrorType::any(), Schemas::default());
        WorkflowFn { name, version, run, failing, errors, max_recoveries: None, schemas, wrong: None }
    }

    /// What happens to a run whose function panics. The default is [`OnPanic::Hold`].
    pub fn on_panic(mut self, what: OnPanic) -> WorkflowFn {
        self.failing.on_panic = what;
        self
    }

    /// How often a run is attempted: see [`Workflow::ATTEMPTS`](crate::Workflow::ATTEMPTS). The default is 1.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// # use std::time::Duration;
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// static CALLS: AtomicU32 = AtomicU32::new(0);
    /// let flaky = WorkflowFn::new("flaky", "1", |_ctx, (): ()| async move {
    ///     if CALLS.fetch_add(1, Ordering::SeqCst) == 0 { Err("no connection".into()) } else { Ok("done".to_owned()) }
    /// });
    /// let flaky = flaky.attempts(3).backoff(Duration::from_millis(1)..Duration::from_secs(60)).max_recoveries(20);
    /// let onward = Onward::open("sqlite::memory:").register(flaky).launch().await?;
    /// let run = onward.start_named("flaky", ()).await?;
    /// assert_eq!(run.result().await?, "done");
    /// assert_eq!(run.describe().await?.attempt, 2);
    /// # onward.shutdown(Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn attempts(mut self, attempts: u32) -> WorkflowFn {
        self.failing.attempts = attempts;
        self
    }

    /// The first and the longest pause between two attempts. The default is 1 s to 60 s.
    pub fn backoff(mut self, backoff: Range<Duration>) -> WorkflowFn {
        self.failing.backoff = backoff;
        self
    }

    /// How many deaths of its process without progress a run survives before it is given up. The default is that of the
    /// [executor](crate::Builder::max_recoveries).
    pub fn max_recoveries(mut self, recoveries: u32) -> WorkflowFn {
        self.max_recoveries = Some(recoveries);
        self
    }

    /// Record errors of this type so that [`Error::downcast`] returns them, to handles of the run and to a parent that awaits it.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// #[derive(Debug, serde::Serialize, serde::Deserialize)]
    /// struct TooLong { most: usize }
    /// # impl std::fmt::Display for TooLong {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "at most {}", self.most) }
    /// # }
    /// # impl std::error::Error for TooLong {}
    ///
    /// let greet = WorkflowFn::new("greet", "1", |_ctx, name: String| async move {
    ///     if name.len() > 80 { Err(TooLong { most: 80 }.into()) } else { Ok(format!("hello {name}")) }
    /// });
    /// let onward = Onward::open("sqlite::memory:").register(greet.errors::<TooLong>()).launch().await?;
    /// let run = onward.start_named("greet", "Ann".repeat(100)).await?;
    /// let error = run.result().await.unwrap_err();
    /// assert_eq!(error.downcast::<TooLong>()?.most, 80);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn errors<E: Failure>(mut self) -> WorkflowFn {
        self.errors = ErrorType::of::<E>();
        self
    }

    /// The JSON Schema of the input. It is published, so that [`Client::workflows`](crate::Client::workflows) shows it; inputs are
    /// not checked against it.
    pub fn input_schema(mut self, schema: impl Serialize) -> WorkflowFn {
        self.schemas.input = self.schema("input", &schema);
        self
    }

    /// The JSON Schema of the output: see [`input_schema`](WorkflowFn::input_schema).
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # use serde_json::json;
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let size = WorkflowFn::new("size", "1", |_ctx, text: String| async move { Ok(text.len()) });
    /// let size = size.input_schema(json!({"type": "string"})).output_schema(json!({"type": "integer"}));
    /// assert_eq!((size.name(), size.version()), ("size", "1"));
    /// let onward = Onward::open("sqlite::memory:").register(size).launch().await?;
    /// let published = &onward.workflows().await?[0].versions[0];
    /// assert_eq!(published.schemas.output.as_ref().map(|schema| schema.as_str()), Some(r#"{"type":"integer"}"#));
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn output_schema(mut self, schema: impl Serialize) -> WorkflowFn {
        self.schemas.output = self.schema("output", &schema);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The schema as it is stored. The error of one that cannot be stored is kept until the workflow is registered.
    fn schema(&mut self, of: &str, schema: &impl Serialize) -> Option<Json> {
        match encode(&format!("schema of the {of}"), schema).and_then(|schema| is_schema(of, &self.name, schema)) {
            Ok(schema) => Some(schema),
            Err(error) => {
                self.wrong.get_or_insert(error);
                None
            }
        }
    }

    pub(crate) fn registered(self) -> Result<Registered, Error> {
        let WorkflowFn { name, version, run, failing, errors, max_recoveries, schemas, wrong } = self;
        match wrong {
            Some(wrong) => Err(wrong),
            None => {
                Ok(Registered { name, version, code: Coded::Function, run, failing, errors, max_recoveries, schemas })
            }
        }
    }
}

impl std::fmt::Debug for WorkflowFn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowFn").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

/// A JSON Schema is an object, or `true` or `false`.
fn is_schema(of: &str, workflow: &str, schema: Json) -> Result<Json, Error> {
    if schema.as_str().starts_with('{') || matches!(schema.as_str(), "true" | "false") {
        return Ok(schema);
    }
    let message = format!(
        "the schema of the {of} of workflow `{workflow}` is not a JSON Schema, which is an object, `true` or `false`"
    );
    Err(Error::new(Code::Invalid, message))
}

fn erased<I, O, F, Fut>((name, version): (String, String), function: F) -> Box<Begin>
where
    I: Data,
    O: Data,
    F: Fn(Ctx, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |ctx: Ctx, input: &Json| {
        let input: I = input.decode().map_err(|error| unreadable_input(&name, &version, &error))?;
        let function = function.clone();
        // Called when the run is first polled: calls that it makes before it returns its future are those of the run, and if it
        // panics there, the workflow panicked.
        let running: Running = Box::pin(async move { Ok(finished(&function(ctx, input).await?)) });
        Ok(running)
    })
}
