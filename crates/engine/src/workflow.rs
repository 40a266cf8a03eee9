//! Workflows as the engine knows them: a name, a version, and a function from JSON to JSON.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use onward_types::{BoxError, Code, Error, Json, Result, by_version};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Ctx;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What can be recorded: anything that serde can write and read back, and that may move between threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded",
    label = "not durable data",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and let it own what it holds"
)]
pub trait Data: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// A durable workflow. Written by `#[onward::workflow]`, beside the function and under its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "put `#[onward::workflow]` on `async fn {Self}(ctx: &Ctx, …)`; the attribute adds a type of the function's name"
)]
pub trait Workflow: Sized + 'static {
    /// The name under which its runs are recorded.
    const NAME: &'static str;
    /// The version of the code, given by its author. A run is executed by the version that it was started with.
    const VERSION: &'static str;
    /// What becomes of a run whose workflow panics.
    const ON_PANIC: OnPanic = OnPanic::Hold;
    /// What it takes.
    type Input: Data;
    /// What it gives.
    type Output: Data;

    /// Run it.
    fn run(ctx: Ctx, input: Self::Input) -> BoxFuture<'static, Result<Self::Output>>;
}

/// What becomes of a run whose workflow panics. A panic in a step is a failed attempt of that step in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// It is held, loses nothing, and goes on when it is resumed: under code that was mended meanwhile.
    #[default]
    Hold,
    /// It fails.
    Fail,
}

/// Some workflows, given together: `(checkout, ship)`. One to eight of them; for more, call `.workflows` again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of one to eight workflows",
    note = "give one as `.workflow::<checkout>()`, and more than eight by calling `.workflows` again"
)]
pub trait Workflows {
    /// Add each of them.
    fn add_to(registry: &mut Registry);
}

macro_rules! workflows {
    ($($name:ident)+) => {
        impl<$($name: Workflow),+> Workflows for ($($name,)+) {
            fn add_to(registry: &mut Registry) {
                $(registry.add::<$name>();)+
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

/// The workflows that an executor was given.
#[derive(Default)]
pub struct Registry {
    known: HashMap<String, Registered>,
    /// What was wrong with what was given; said at launch.
    wrong: Option<Error>,
}

/// A workflow under way, its output already encoded.
pub(crate) type Running = BoxFuture<'static, Result<Output, BoxError>>;

/// What a workflow gave.
pub(crate) enum Output {
    Encoded(Json),
    /// It cannot be recorded. That is no result of the run: the code has to be mended.
    Refused(Error),
}

/// One workflow that an executor was given.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    pub(crate) type_name: &'static str,
    pub(crate) run: fn(Ctx, &Json) -> Result<Running, Error>,
    pub(crate) on_panic: OnPanic,
}

impl Registry {
    pub(crate) fn add<W: Workflow>(&mut self) {
        let key = key(W::NAME, W::VERSION);
        let type_name = std::any::type_name::<W>();
        let registered = Registered { type_name, run: erased::<W>, on_panic: W::ON_PANIC };
        if let Err(error) = check::<W>() {
            self.wrong.get_or_insert(error);
        }
        let before = self.known.insert(key, registered);
        if let Some(before) = before.filter(|before| before.type_name != registered.type_name) {
            let message = format!(
                "two workflows are called `{}` in version {}: `{}` and `{}`. Give one of them another `name` or `version`",
                W::NAME,
                W::VERSION,
                before.type_name,
                registered.type_name,
            );
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
    }

    pub(crate) fn checked(mut self) -> Result<Registry, Error> {
        match self.wrong.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    pub(crate) fn get(&self, name: &str, version: &str) -> Option<Registered> {
        self.known.get(&key(name, version)).copied()
    }

    /// Every workflow, as `name@version`.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.known.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The versions of a workflow that are known.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}@");
        let mut versions: Vec<String> =
            self.known.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect();
        versions.sort_by(|one, other| by_version(one, other));
        versions
    }
}

/// Names never hold an `@`, so that name and version can stand in one text.
fn key(name: &str, version: &str) -> String {
    format!("{name}@{version}")
}

fn check<W: Workflow>() -> Result<(), Error> {
    check_name("workflow's name", W::NAME)?;
    check_name("workflow's version", W::VERSION)
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    onward_types::check_name(what, name)?;
    if name.contains('@') {
        return Err(Error::new(Code::Invalid, format!("the {what} `{name}` has an `@` in it: leave it out")));
    }
    Ok(())
}

fn erased<W: Workflow>(ctx: Ctx, input: &Json) -> Result<Running, Error> {
    let input: W::Input = input.decode().map_err(|error| {
        let message = format!(
            "the input of workflow `{}` version {}: {error}. Deploy code that reads it, then resume the run",
            W::NAME,
            W::VERSION
        );
        Error::new(Code::Decode, message)
    })?;
    let run = W::run(ctx, input);
    Ok(Box::pin(async move {
        let output = run.await?;
        Ok(match crate::encode("output", &output) {
            Ok(output) => Output::Encoded(output),
            Err(refused) => Output::Refused(refused),
        })
    }))
}
