//! Parses a function for both attributes: its parts, where it takes the context, and what it returns.
//!
//! The body is passed on unparsed, so a long function costs no more to expand than a short one.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Abi, Attribute, Error, FnArg, GenericArgument, Lifetime, PatType, PathArguments, PathSegment, Result, ReturnType,
    Signature, Token, Type, TypeBareFn, TypeImplTrait, TypeReference, Visibility,
};

/// The parts of a function.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !is_function(&input.fork()) {
            let item: TokenStream = input.parse()?;
            return Err(Error::new_spanned(item, "`#[workflow]` and `#[step]` can only be put on an `async fn`"));
        }
        Ok(Function { attrs, vis, sig: input.parse()?, body: input.parse()? })
    }
}

fn is_function(ahead: ParseStream) -> bool {
    let _qualifiers: (Option<Token![const]>, Option<Token![async]>, Option<Token![unsafe]>, Option<Abi>) =
        (ahead.parse().ok(), ahead.parse().ok(), ahead.parse().ok(), ahead.parse().ok());
    ahead.peek(Token![fn])
}

impl Function {
    /// The parameters of the function, without `self`.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &PatType> {
        self.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(parameter) => Some(parameter),
            FnArg::Receiver(_) => None,
        })
    }

    /// The types of the parameters.
    pub(crate) fn types(&self) -> impl Iterator<Item = &Type> {
        self.parameters().map(|parameter| &*parameter.ty)
    }

    /// The mistakes that are the same for workflows and steps.
    pub(crate) fn mistakes(&self, noun: &str) -> Vec<Error> {
        let mut mistakes = Vec::new();
        if self.sig.asyncness.is_none() {
            mistakes.push(Error::new_spanned(self.sig.fn_token, format!("a {noun} must be an `async fn`")));
        }
        if let Some(receiver) = self.sig.receiver() {
            let sentence = "must be a free function, not a method: it gets what it needs from `ctx.state::<T>()`";
            mistakes.push(Error::new_spanned(receiver, format!("a {noun} {sentence}")));
        }
        if let Some(context) = self.types().find(|ty| owns_context(ty)) {
            mistakes.push(Error::new_spanned(context, format!("a {noun} must borrow the context: write `&Ctx`")));
        }
        mistakes
    }

    /// The return type of the function, as far as its signature shows it.
    pub(crate) fn outcome(&self, noun: &str) -> Result<Outcome<'_>> {
        let sentence =
            format!("a {noun} can fail, so it must return a `Result`: `-> Result<()>`, or `-> Result<T>` with a value");
        let ReturnType::Type(_, whole) = &self.sig.output else {
            return Err(Error::new(self.sig.paren_token.span.close(), sentence));
        };
        let Some(last) = last_segment(whole) else { return Err(Error::new_spanned(whole, sentence)) };
        let arguments = if last.ident == "Result" { type_arguments(last) } else { Vec::new() };
        if let Some(borrowed) = arguments.first().and_then(|value| borrowed(value)) {
            let sentence =
                format!("a {noun} must own its result, because the result is recorded: return `String`, not `&str`");
            return Err(Error::new_spanned(borrowed, sentence));
        }
        Ok(Outcome { whole, arguments })
    }
}

/// The return type of a function.
pub(crate) struct Outcome<'f> {
    whole: &'f Type,
    arguments: Vec<&'f Type>,
}

impl Outcome<'_> {
    /// The `T` of `Result<T>`. An alias with another name does not show it; the compiler finds it then.
    pub(crate) fn value(&self) -> TokenStream {
        let whole = self.whole;
        match self.arguments.first() {
            Some(value) => value.to_token_stream(),
            // Located at the type, so that the compiler reports there if it is not a `Result`.
            None => quote_spanned!(whole.span()=> <#whole as ::onward::__private::Outcome>::Ok),
        }
    }

    /// The `E` of `Result<T, E>`, the type of a typed error. `None` for a boxed error.
    pub(crate) fn failure(&self) -> Option<&Type> {
        let failure = *self.arguments.get(1)?;
        let boxed = last_segment(failure).is_some_and(|last| last.ident == "Box" || last.ident == "BoxError");
        (!boxed).then_some(failure)
    }
}

/// Whether this is `&Ctx`, judging by the name: a macro sees names, not types.
pub(crate) fn is_context(ty: &Type) -> bool {
    matches!(plain(ty), Type::Reference(TypeReference { mutability: None, elem, .. }) if is_named_ctx(elem))
}

/// Whether this is `Ctx` or `&mut Ctx`.
pub(crate) fn owns_context(ty: &Type) -> bool {
    match plain(ty) {
        Type::Reference(TypeReference { mutability, elem, .. }) => mutability.is_some() && is_named_ctx(elem),
        ty => is_named_ctx(ty),
    }
}

fn is_named_ctx(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "Ctx")
}

/// The first borrow in a type; `None` if the type owns all of its data.
pub(crate) fn borrowed(ty: &Type) -> Option<TokenStream> {
    let mut find = Borrowed(None);
    find.visit_type(ty);
    find.0
}

struct Borrowed(Option<TokenStream>);

impl<'ast> Visit<'ast> for Borrowed {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.0.get_or_insert_with(|| reference.to_token_stream());
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.0.get_or_insert_with(|| lifetime.to_token_stream());
        }
    }

    // `fn(&str)` borrows nothing: the borrow is that of its future argument.
    fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
}

/// The first `impl Trait` in a type.
pub(crate) fn impl_trait(ty: &Type) -> Option<TokenStream> {
    let mut find = ImplTrait(None);
    find.visit_type(ty);
    find.0
}

struct ImplTrait(Option<TokenStream>);

impl<'ast> Visit<'ast> for ImplTrait {
    fn visit_type_impl_trait(&mut self, found: &'ast TypeImplTrait) {
        self.0.get_or_insert_with(|| found.to_token_stream());
    }
}

/// The type without the invisible group that `macro_rules` puts around a `$ty`.
fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        ty => ty,
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match plain(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}
