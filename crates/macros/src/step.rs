//! `#[step]`: the same function with `ctx` as its first parameter, which records the result of the body.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Error, GenericParam, Generics, Ident, Lifetime, Pat, Result, Signature, Type, TypeReference};

use crate::args::{Args, Kind, Quoted, together};
use crate::lend::Lent;
use crate::signature::{Function, Outcome, impl_trait, is_context, owns_context};

const STEP: Kind = Kind {
    noun: "step",
    options: &["name", "attempts", "backoff", "timeout", "heartbeat_timeout", "errors", "retry_if"],
    elsewhere: "set the others where it is called: `charge(ctx, ..).schemas(..)`",
};

/// Expands the attribute. A function that cannot be a step is kept unchanged, so that its body is still checked.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream, schema: bool) -> TokenStream {
    let (args, mistakes) = Args::read(attribute, &STEP);
    let step = syn::parse2(item.clone()).and_then(|function| Ok(Step::check(&function)?.expand(args, schema)));
    let step = step.unwrap_or_else(|refused| {
        let refused = refused.into_compile_error();
        quote!(#item #refused)
    });
    let mistakes = mistakes.map(Error::into_compile_error);
    quote!(#step #mistakes)
}

/// A function that can be a step.
struct Step<'f> {
    function: &'f Function,
    /// Whether the original function takes the context.
    names_context: bool,
    outcome: Outcome<'f>,
}

impl<'f> Step<'f> {
    fn check(function: &'f Function) -> Result<Self> {
        let outcome = function.outcome(STEP.noun);
        let mut mistakes = function.mistakes(STEP.noun);
        mistakes.extend(late_context(function));
        mistakes.extend(function.types().filter_map(mutable_borrow));
        mistakes.extend(outcome.as_ref().err().cloned());
        let names_context = function.types().next().is_some_and(is_context);
        match together(mistakes) {
            Some(mistakes) => Err(mistakes),
            None => Ok(Step { function, names_context, outcome: outcome? }),
        }
    }

    fn expand(&self, args: Args, schema: bool) -> TokenStream {
        let Function { attrs, vis, sig, body } = self.function;
        // Hygienic, because a step may have a `ctx` of its own; located at the name, so that the compiler reports errors there.
        let here = Span::mixed_site().located_at(sig.ident.span());
        let (name, value) = (&sig.ident, self.outcome.value());
        let (of_caller, of_body): (Vec<_>, Vec<_>) = attrs.iter().partition(|attr| is_for_callers(attr));
        let work = Signature { ident: Ident::new("__body", here), ..sig.clone() };

        let lent = Lent { step: Lifetime::new("'step", here) };
        let generics = lent.generics(sig.generics.clone());
        let bounds = &generics.where_clause;
        let own = self.function.parameters().skip(usize::from(self.names_context));
        let (names, types): (Vec<_>, Vec<_>) =
            own.enumerate().map(|(index, own)| (named(&own.pat, index, here), lent.ty((*own.ty).clone()))).unzip();

        let explicit = explicit(&sig.generics);
        let context = self.names_context.then(|| quote_spanned!(here=> ctx,));
        let clones = names.iter().map(|name| {
            let at = here.located_at(name.span());
            quote_spanned!(at=> ::core::clone::Clone::clone(&#name))
        });
        let label = args.name.clone().unwrap_or_else(|| name.unraw().to_string());
        let options = self.options(args);
        let schemas = schema.then(|| {
            // An argument that is a pattern has its index for a name.
            let arguments = names.iter().map(|name| name.unraw().to_string().trim_start_matches("__").to_owned());
            let types = types.iter().map(named_type);
            quote!(.schemas(|| ::onward::__schemas!(step #label, #(#arguments: #types,)* => #value)))
        });
        quote_spanned! {here=>
            #(#of_caller)*
            #vis fn #name #generics(ctx: &'step ::onward::Ctx, #(#names: #types),*) -> ::onward::calls::Step<'step, #value> #bounds {
                #(#of_body)*
                #work #body
                ctx.step(#label, move || ::onward::__private::boxed(__body #explicit(#context #(#clones),*))) #options #schemas
            }
        }
    }

    /// The options as calls of builder methods.
    fn options(
        &self,
        Args { attempts, backoff, timeout, heartbeat_timeout, errors, retry_if, .. }: Args,
    ) -> TokenStream {
        let attempts = attempts.map(Literal::u32_unsuffixed).map(|attempts| quote!(.attempts(#attempts)));
        let backoff = backoff.map(|range| (duration(range.start), duration(range.end)));
        let backoff = backoff.map(|(first, longest)| quote!(.backoff(#first..#longest)));
        let timeout = timeout.map(duration).map(|timeout| quote!(.timeout(#timeout)));
        let heartbeat = heartbeat_timeout.map(duration).map(|limit| quote!(.heartbeat_timeout(#limit)));
        let failure = errors.map(|Quoted(ty)| ty).or_else(|| self.outcome.failure().map(ToTokens::to_token_stream));
        let errors = failure.as_ref().map(|failure| quote!(.errors::<#failure>()));
        let decides_about = failure.unwrap_or_else(|| quote!(::onward::Error));
        let retry_if = retry_if.map(|Quoted(path)| {
            // Located at the path, so that the compiler reports there if it is not such a function.
            quote_spanned!(path.span()=> .retry_if(::onward::__private::retry_if::<#decides_about>(#path)))
        });
        quote!(#attempts #backoff #timeout #heartbeat #errors #retry_if)
    }
}

fn duration(millis: u64) -> TokenStream {
    let millis = Literal::u64_unsuffixed(millis);
    quote!(::core::time::Duration::from_millis(#millis))
}

/// Whether an attribute belongs to the generated function. All others belong to the work, such as `#[tracing::instrument]`.
fn is_for_callers(attribute: &Attribute) -> bool {
    let known = ["doc", "deprecated", "must_use", "allow", "expect", "warn", "deny", "forbid"];
    known.iter().any(|known| attribute.path().is_ident(known))
}

/// The parameter's own name, or a numbered name for a pattern.
fn named(pattern: &Pat, index: usize, here: Span) -> Ident {
    match pattern {
        Pat::Ident(name) => name.ident.clone(),
        _ => format_ident!("__{index}", span = here),
    }
}

/// The type, if it can be named outside of a signature.
fn named_type(ty: &Type) -> TokenStream {
    match impl_trait(ty) {
        None => ty.to_token_stream(),
        Some(_) => quote!(::onward::__private::schema::Unnamed),
    }
}

/// The generic arguments for the inner function, which cannot use the generic parameters of the function around it.
fn explicit(generics: &Generics) -> Option<TokenStream> {
    let names = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
        GenericParam::Lifetime(_) => None,
    });
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| quote!(::<#(#names),*>))
}

fn late_context(function: &Function) -> Option<Error> {
    let name = &function.sig.ident;
    let late = function.parameters().skip(1).find(|parameter| is_context(&parameter.ty))?;
    let sentence = format!("a step that takes the context must take it first: `async fn {name}(ctx: &Ctx, …)`");
    Some(Error::new_spanned(late, sentence))
}

fn mutable_borrow(ty: &Type) -> Option<Error> {
    let sentence =
        "a step may be attempted again, so it cannot change its arguments: return the new value, do not take `&mut`";
    match ty {
        Type::Reference(TypeReference { mutability: Some(_), .. }) if !owns_context(ty) => {
            Some(Error::new_spanned(ty, sentence))
        }
        _ => None,
    }
}
