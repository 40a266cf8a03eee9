//! Workflows as the engine sees them: a name, a version, and a function from JSON to JSON.

use std::ops::Range;
use std::time::Duration;

use onward_types::{Code, Error, ErrorType, Json, Result, Schemas};

use crate::data::{Data, encode};
use crate::executor::registry::{BACKOFF, Coded, Failing, OnPanic, Output, Registered, Registry, Running};
use crate::executor::run::ctx::Ctx;
use crate::future::BoxFuture;

/// A durable workflow. Implemented by `#[onward::workflow]`, on a type with the name of the function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "put `#[onward::workflow]` on `async fn {Self}(ctx: &Ctx, …)`; the attribute adds a type of the function's name"
)]
pub trait Workflow: Sized + 'static {
    /// The name under which its runs are recorded.
    const NAME: &'static str;
    /// The version of the code, set by its author. A run is executed only by the version that it was started with.
    const VERSION: &'static str;
    /// What happens to a run whose workflow panics.
    const ON_PANIC: OnPanic = OnPanic::Hold;
    /// The type of the errors that come back typed: to handles of the run, and to a parent that awaits it.
    const ERRORS: ErrorType = ErrorType::any();
    /// How often a run is attempted, the first time included. A run that fails is executed again under its id, with its input and
    /// with nothing recorded, unless its error is [fatal](onward_types::Error::fatal). A start may give another number.
    const ATTEMPTS: u32 = 1;
    /// The first and the longest pause between two attempts of a run. A pause is twice as long as the one before, and half of it is
    /// random.
    const BACKOFF: Range<Duration> = BACKOFF;
    /// How many deaths of its process without progress a run survives before it is given up. `None`: as many as its
    /// [executor](crate::Builder::max_recoveries) grants. A start may give another number.
    const MAX_RECOVERIES: Option<u32> = None;
    /// The type of the input.
    type Input: Data;
    /// The type of the output.
    type Output: Data;

    /// Execute a run.
    fn run(ctx: Ctx, input: Self::Input) -> BoxFuture<'static, Result<Self::Output>>;

    /// The JSON Schemas of input and output, which executors publish for [`Client::workflows`](crate::Client::workflows). With the
    /// cargo feature `schema`, `#[onward::workflow]` takes them from the types that implement `schemars::JsonSchema`.
    #[must_use]
    fn schemas() -> Schemas {
        Schemas::default()
    }
}

/// Several workflows, registered together: `(checkout, ship)`. One to eight of them; for more, call `.workflows` again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of one to eight workflows",
    note = "give one as `.workflow::<checkout>()`, and more than eight by calling `.workflows` again"
)]
pub trait Workflows {
    /// Register each of them.
    fn add_to(registry: &mut Registry);
}

macro_rules! workflows {
    ($($name:ident)+) => {
        impl<$($name: Workflow),+> Workflows for ($($name,)+) {
            fn add_to(registry: &mut Registry) {
                $(registry.add_type::<$name>();)+
            }
        }
    };
}

workflows!(A);
workflows!(A B);
workflows!(A B C);
workflows!(A B C D);
workflows!(A B C D E);
workflows!(A B C D E F);
workflows!(A B C D E F G);
workflows!(A B C D E F G H);

impl Registry {
    pub(crate) fn add_type<W: Workflow>(&mut self) {
        self.insert(Ok(Registered {
            name: W::NAME.to_owned(),
            version: W::VERSION.to_owned(),
            code: Coded::Type(std::any::type_name::<W>()),
            run: Box::new(erased::<W>),
            failing: Failing { on_panic: W::ON_PANIC, attempts: W::ATTEMPTS, backoff: W::BACKOFF },
            errors: W::ERRORS,
            max_recoveries: W::MAX_RECOVERIES,
            schemas: W::schemas(),
        }));
    }
}

fn erased<W: Workflow>(ctx: Ctx, input: &Json) -> Result<Running, Error> {
    let input: W::Input = input.decode().map_err(|error| unreadable_input(W::NAME, W::VERSION, &error))?;
    let run = W::run(ctx, input);
    Ok(Box::pin(async move { Ok(finished(&run.await?)) }))
}

/// What a workflow returned, encoded.
pub(crate) fn finished(output: &impl Data) -> Output {
    match encode("output", output) {
        Ok(output) => Output::Encoded(output),
        Err(refused) => Output::Refused(refused),
    }
}

/// The code cannot read an input that was recorded: the run is held until there is code that does.
pub(crate) fn unreadable_input(name: &str, version: &str, error: &Error) -> Error {
    let message = format!(
        "the input of workflow `{name}` version {version}: {error}. Deploy code that reads it, then resume the run"
    );
    Error::new(Code::Decode, message)
}
