//! Workflows as the engine sees them: a name, a version, and a function from JSON to JSON.

use onward_types::{Code, Error, Json, Result};

use crate::data::{Data, encode};
use crate::executor::registry::{OnPanic, Output, Registered, Registry, Running};
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
    /// The type of the input.
    type Input: Data;
    /// The type of the output.
    type Output: Data;

    /// Execute a run.
    fn run(ctx: Ctx, input: Self::Input) -> BoxFuture<'static, Result<Self::Output>>;
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

impl Registry {
    pub(crate) fn add<W: Workflow>(&mut self) {
        let type_name = std::any::type_name::<W>();
        self.insert(W::NAME, W::VERSION, Registered { type_name, run: erased::<W>, on_panic: W::ON_PANIC });
    }
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
        Ok(match encode("output", &output) {
            Ok(output) => Output::Encoded(output),
            Err(refused) => Output::Refused(refused),
        })
    }))
}
