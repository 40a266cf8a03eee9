//! `#[on_every_database]`: read, check, expand. What happens at run time is in `onward-testkit`'s `runner.rs`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, ItemFn, LitStr, MetaNameValue, Result, Token};

/// Each is a constructor of `TestDatabase` and the last part of a test's name.
const DATABASES: [&str; 2] = ["sqlite", "postgres"];

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut test: ItemFn = syn::parse2(item)?;
    let databases = databases(arguments)?;
    check(&test)?;
    let (conditions, others): (Vec<_>, Vec<_>) = test.attrs.drain(..).partition(|a| a.path().is_ident("cfg"));
    let (of_tests, of_body): (Vec<_>, Vec<_>) = others.into_iter().partition(belongs_to_test);
    test.attrs = of_body;
    let name = &test.sig.ident;
    let tests = databases.iter().map(|database| {
        let (database, ending) = (Ident::new(database, Span::call_site()), format!("::{database}"));
        quote! {
            #[test]
            #(#of_tests)*
            fn #database() {
                let name = ::core::concat!(::core::module_path!(), #ending);
                ::onward_testkit::__private::run(name, ::onward_testkit::TestDatabase::#database, super::#name);
            }
        }
    });
    Ok(quote! {
        #(#conditions)*
        #test

        #(#conditions)*
        #[cfg(test)]
        mod #name {
            #(#tests)*
        }
    })
}

/// All databases, or the one that `only = "…", because = "…"` names.
fn databases(arguments: TokenStream) -> Result<Vec<&'static str>> {
    if arguments.is_empty() {
        return Ok(DATABASES.to_vec());
    }
    let whole = arguments.span();
    let (mut only, mut because) = (None, None);
    for argument in Punctuated::<MetaNameValue, Token![,]>::parse_terminated.parse2(arguments)? {
        let value = syn::parse2::<LitStr>(quote::ToTokens::to_token_stream(&argument.value))?;
        match argument.path.get_ident().map(ToString::to_string).as_deref() {
            Some("only") => only = Some(value),
            Some("because") => because = Some(value),
            _ => return Err(Error::new(argument.path.span(), "the arguments are `only` and `because`")),
        }
    }
    let (Some(only), Some(because)) = (only, because) else {
        return Err(Error::new(whole, "a test for one database says why: `only = \"postgres\", because = \"…\"`"));
    };
    if because.value().trim().is_empty() {
        return Err(Error::new(because.span(), "say why the other databases cannot run this test"));
    }
    let known = DATABASES.iter().find(|database| **database == only.value());
    let known = known.ok_or_else(|| Error::new(only.span(), "the databases are `sqlite` and `postgres`"))?;
    Ok(vec![known])
}

fn check(test: &ItemFn) -> Result<()> {
    let signature = &test.sig;
    if let Some(attribute) = test.attrs.iter().find(|a| a.path().segments.last().is_some_and(|s| s.ident == "test")) {
        return Err(Error::new(
            attribute.span(),
            "`#[on_every_database]` makes the tests itself: remove this attribute",
        ));
    }
    if signature.asyncness.is_none() {
        return Err(Error::new(signature.fn_token.span(), "a test on every database is an `async fn`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), "a test on every database cannot be generic"));
    }
    if signature.inputs.len() != 1 {
        return Err(Error::new(
            signature.ident.span(),
            "a test on every database has one parameter, `db: TestDatabase`",
        ));
    }
    Ok(())
}

/// Attributes that mean something on a `#[test]` only. All others stay with the body.
fn belongs_to_test(attribute: &Attribute) -> bool {
    ["ignore", "should_panic"].iter().any(|name| attribute.path().is_ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item).expect_err("it is refused").to_string()
    }

    #[test]
    fn each_database_gets_a_test_in_a_module_of_the_tests_name() {
        let expansion = expand(
            quote!(),
            quote!(
                async fn a_promise(db: TestDatabase) {}
            ),
        )
        .unwrap();
        let file: syn::File = syn::parse2(expansion).unwrap();
        let [syn::Item::Fn(body), syn::Item::Mod(module)] = file.items.as_slice() else {
            panic!("a body and a module")
        };
        assert_eq!((body.sig.ident.to_string(), module.ident.to_string()), ("a_promise".into(), "a_promise".into()));
        let (_, tests) = module.content.as_ref().unwrap();
        let name = |item: &syn::Item| match item {
            syn::Item::Fn(test) => test.sig.ident.to_string(),
            _ => panic!("only tests"),
        };
        assert_eq!(tests.iter().map(name).collect::<Vec<_>>(), ["sqlite", "postgres"]);
    }

    #[test]
    fn a_test_for_one_database_is_not_made_for_the_other() {
        let arguments = quote!(only = "postgres", because = "a SQLite file has no sessions");
        let item = quote!(
            async fn t(db: TestDatabase) {}
        );
        let expansion = expand(arguments, item).unwrap().to_string();
        assert!(expansion.contains("fn postgres ()") && !expansion.contains("fn sqlite"), "{expansion}");
    }

    #[test]
    fn what_is_said_to_the_test_runner_moves_to_the_tests() {
        let item = quote!(
            #[ignore = "slow"]
            #[allow(unused)]
            async fn t(db: TestDatabase) {}
        );
        let expansion = expand(quote!(), item).unwrap().to_string();
        assert_eq!(expansion.matches("ignore").count(), 2);
        assert!(expansion.starts_with("# [allow"), "{expansion}");
    }

    #[test]
    fn each_mistake_has_its_own_sentence() {
        let good = quote!(
            async fn t(db: TestDatabase) {}
        );
        assert!(refusal(quote!(only = "postgres"), good.clone()).contains("says why"));
        assert!(refusal(quote!(only = "postgres", because = " "), good.clone()).contains("say why"));
        assert!(refusal(quote!(only = "mysql", because = "it is new"), good.clone()).contains("are `sqlite` and"));
        assert!(refusal(quote!(except = "sqlite"), good.clone()).contains("`only` and `because`"));
        assert!(refusal(quote!(), quote!(#[tokio::test] #good)).contains("remove this attribute"));
        assert!(
            refusal(
                quote!(),
                quote!(
                    fn t(db: TestDatabase) {}
                )
            )
            .contains("is an `async fn`")
        );
        assert!(
            refusal(
                quote!(),
                quote!(
                    async fn t<T>(db: TestDatabase) {}
                )
            )
            .contains("cannot be generic")
        );
        assert!(
            refusal(
                quote!(),
                quote!(
                    async fn t() {}
                )
            )
            .contains("one parameter")
        );
    }
}
