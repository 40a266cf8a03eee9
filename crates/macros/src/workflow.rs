//! `#[workflow]`: keeps the function and adds a type of the same name that implements `Workflow`.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, GenericParam, Result, Type};

use crate::args::{Args, Kind, Quoted, together};
use crate::signature::{Function, Outcome, borrowed, impl_trait, is_context, owns_context};

const WORKFLOW: Kind = Kind {
    noun: "workflow",
    options: &["name", "version", "on_panic", "errors", "attempts", "backoff", "max_recoveries"],
    elsewhere: "set the options of one run, such as its queue, where the run is started",
};

/// Expands the attribute. The function is kept even if it has mistakes, so that its callers do not get errors too.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream, schema: bool) -> TokenStream {
    let (args, mistakes) = Args::read(attribute, &WORKFLOW);
    let added = syn::parse2(item.clone()).and_then(|function| Ok(Workflow::check(&function)?.expand(args, schema)));
    let added = added.unwrap_or_else(Error::into_compile_error);
    let mistakes = mistakes.map(Error::into_compile_error);
    quote!(#item #added #mistakes)
}

/// A function that can be a workflow.
struct Workflow<'f> {
    function: &'f Function,
    inputs: Vec<&'f Type>,
    outcome: Outcome<'f>,
}

impl<'f> Workflow<'f> {
    fn check(function: &'f Function) -> Result<Self> {
        let inputs: Vec<_> = function.types().filter(|ty| !is_context(ty) && !owns_context(ty)).collect();
        let outcome = function.outcome(WORKFLOW.noun);
        let mut mistakes = function.mistakes(WORKFLOW.noun);
        mistakes.extend(no_context(function));
        mistakes.extend(generic(function));
        mistakes.extend(inputs.iter().filter_map(|input| borrows(input)));
        mistakes.extend(outcome.as_ref().err().cloned());
        match together(mistakes) {
            Some(mistakes) => Err(mistakes),
            None => Ok(Workflow { function, inputs, outcome: outcome? }),
        }
    }

    fn expand(&self, args: Args, schema: bool) -> TokenStream {
        let (vis, name) = (&self.function.vis, &self.function.sig.ident);
        let failing = failing(&args);
        let recorded = args.name.unwrap_or_else(|| name.unraw().to_string());
        let version = args.version.unwrap_or_else(|| "1".to_owned());
        let on_panic = args.on_panic.map(|what| format_ident!("{what}"));
        let on_panic = on_panic.map(|what| quote!(const ON_PANIC: ::onward::OnPanic = ::onward::OnPanic::#what;));
        let errors = self.errors(args.errors);
        let output = self.outcome.value();
        // Generated names: with the user's, a workflow `expense(ctx, expense: Expense)` would call its own input.
        let bound: Vec<_> = (0..self.inputs.len()).map(|index| format_ident!("__{index}")).collect();
        let (input, pattern) = (tuple(&self.inputs), tuple(&bound));
        // Located at the name, so that the compiler reports a future that is not `Send` there.
        let run = quote_spanned! {Span::mixed_site().located_at(name.span())=>
            fn run(ctx: ::onward::Ctx, #pattern: Self::Input) -> ::onward::__private::Running<Self::Output> {
                ::onward::__private::run(async move { #name(&ctx, #(#bound),*).await })
            }
        };
        let schemas = schema.then(|| {
            quote! {
                fn schemas() -> ::onward::records::Schemas {
                    ::onward::__schemas!(workflow #input => #output)
                }
            }
        });
        quote! {
            #[doc(hidden)]
            #[allow(non_camel_case_types)]
            #vis enum #name {}
            impl ::onward::Workflow for #name {
                const NAME: &'static str = #recorded;
                const VERSION: &'static str = #version;
                #on_panic
                #errors
                #failing
                type Input = #input;
                type Output = #output;
                #run
                #schemas
            }
        }
    }
}

impl Workflow<'_> {
    /// The type of the errors that come back typed. That of the signature may be one that cannot.
    fn errors(&self, given: Option<Quoted>) -> Option<TokenStream> {
        let errors = match (given, self.outcome.failure()) {
            (Some(Quoted(ty)), _) => quote_spanned!(ty.span()=> ::onward::calls::ErrorType::of::<#ty>()),
            (None, Some(failure)) => quote!({
                #[allow(unused_imports)]
                use ::onward::__private::Untyped as _;
                ::onward::__private::Typed::<#failure>::ERRORS
            }),
            (None, None) => return None,
        };
        Some(quote!(const ERRORS: ::onward::calls::ErrorType = #errors;))
    }
}

/// The constants of a workflow whose runs are attempted several times, or survive another number of deaths than others.
fn failing(args: &Args) -> TokenStream {
    let attempts = args.attempts.map(Literal::u32_unsuffixed).map(|attempts| quote!(const ATTEMPTS: u32 = #attempts;));
    let backoff = args.backoff.as_ref().map(|backoff| {
        let (first, longest) = (millis(backoff.start), millis(backoff.end));
        quote!(const BACKOFF: ::core::ops::Range<::core::time::Duration> = #first..#longest;)
    });
    let recoveries = args
        .max_recoveries
        .map(Literal::u32_unsuffixed)
        .map(|most| quote!(const MAX_RECOVERIES: ::core::option::Option<u32> = ::core::option::Option::Some(#most);));
    quote!(#attempts #backoff #recoveries)
}

fn millis(millis: u64) -> TokenStream {
    let millis = Literal::u64_unsuffixed(millis);
    quote!(::core::time::Duration::from_millis(#millis))
}

/// One part as it is, none as `()`, several as a tuple.
fn tuple(parts: &[impl ToTokens]) -> TokenStream {
    match parts {
        [one] => one.to_token_stream(),
        parts => quote!((#(#parts,)*)),
    }
}

fn no_context(function: &Function) -> Option<Error> {
    let sentence = format!("a workflow must take the context first: `async fn {}(ctx: &Ctx, …)`", function.sig.ident);
    match function.sig.inputs.first() {
        None => Some(Error::new_spanned(&function.sig.ident, sentence)),
        Some(first) => match function.types().next() {
            // A method, or a context that is not borrowed, has an error of its own.
            Some(ty) if function.sig.receiver().is_none() && !is_context(ty) && !owns_context(ty) => {
                Some(Error::new_spanned(first, sentence))
            }
            _ => None,
        },
    }
}

fn generic(function: &Function) -> Option<Error> {
    let parameter = function.sig.generics.params.iter().find(|param| !matches!(param, GenericParam::Lifetime(_)));
    let at = parameter.map(ToTokens::to_token_stream).or_else(|| function.types().find_map(impl_trait));
    let sentence = "a workflow has one input type, so it cannot be generic: write a generic function, and a workflow for \
                    each type that calls it";
    at.map(|at| Error::new_spanned(at, sentence))
}

fn borrows(input: &Type) -> Option<Error> {
    let sentence =
        "a workflow must own its input, because a replay reads it from the database: take `String`, not `&str`";
    borrowed(input).map(|borrowed| Error::new_spanned(borrowed, sentence))
}
