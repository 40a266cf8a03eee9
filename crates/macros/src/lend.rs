//! Rewrites a step's signature so that its arguments can be borrowed by the `Step` it returns, which does the work later and perhaps
//! several times.

use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericParam, Generics, Ident, Lifetime, ParenthesizedGenericArguments, PredicateType, Type, TypeBareFn,
    TypeImplTrait, TypeReference, WhereClause, WherePredicate, parse_quote,
};

/// Rewrites types and generics so that everything lives for `'step`.
pub(crate) struct Lent {
    pub(crate) step: Lifetime,
}

impl Lent {
    pub(crate) fn ty(&self, mut ty: Type) -> Type {
        Borrows(&self.step).visit_type_mut(&mut ty);
        ty
    }

    pub(crate) fn generics(&self, mut generics: Generics) -> Generics {
        let step = &self.step;
        let mut bounds = generics.where_clause.take();
        for parameter in &mut generics.params {
            match parameter {
                GenericParam::Lifetime(lifetime) => lifetime.bounds.push(step.clone()),
                // Next to the existing bounds: Clippy warns about a parameter that is bounded in two places.
                GenericParam::Type(ty) => match bounds.as_mut().and_then(|bounds| predicate(bounds, &ty.ident)) {
                    Some(predicate) if ty.bounds.is_empty() => predicate.bounds.push(parse_quote!(#step)),
                    _ => ty.bounds.push(parse_quote!(#step)),
                },
                GenericParam::Const(_) => {}
            }
        }
        generics.params.insert(0, parse_quote!(#step));
        generics.where_clause = bounds;
        generics
    }
}

/// Finds the `T: ..` of a where clause.
fn predicate<'w>(bounds: &'w mut WhereClause, parameter: &Ident) -> Option<&'w mut PredicateType> {
    bounds.predicates.iter_mut().find_map(|predicate| match predicate {
        WherePredicate::Type(predicate) => match &predicate.bounded_ty {
            Type::Path(path) if path.path.is_ident(parameter) => Some(predicate),
            _ => None,
        },
        _ => None,
    })
}

/// Replaces elided lifetimes by this one.
struct Borrows<'l>(&'l Lifetime);

impl VisitMut for Borrows<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.get_or_insert_with(|| self.0.clone());
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.0.clone();
        }
    }

    fn visit_type_impl_trait_mut(&mut self, found: &mut TypeImplTrait) {
        visit_mut::visit_type_impl_trait_mut(self, found);
        let step = self.0;
        found.bounds.push(parse_quote!(#step));
    }

    // `fn(&str)` and `Fn(&str)` borrow from their callers, not from the step.
    fn visit_type_bare_fn_mut(&mut self, _: &mut TypeBareFn) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
}
