//! What a test uses: every name in its body, and in the functions of its file that it calls.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::{fs, mem};

use quote::ToTokens;
use syn::Item;

/// The words of each function of a file: names, and texts such as error codes.
#[derive(Default)]
pub(crate) struct Uses(HashMap<String, HashSet<String>>);

impl Uses {
    /// Nothing, if there is no such file.
    pub(crate) fn of(file: &Path) -> Uses {
        let mut uses = Uses::default();
        if let Ok(text) = fs::read_to_string(file) {
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            file.items.iter().for_each(|item| uses.add(item));
        }
        uses
    }

    fn add(&mut self, item: &Item) {
        let (name, words) = match item {
            Item::Fn(item) => (item.sig.ident.to_string(), words(item.to_token_stream())),
            Item::Mod(item) => {
                item.content.iter().flat_map(|(_, items)| items).for_each(|item| self.add(item));
                (item.ident.to_string(), words(item.to_token_stream()))
            }
            Item::Const(item) => (item.ident.to_string(), words(item.to_token_stream())),
            Item::Impl(item) => {
                for item in &item.items {
                    if let syn::ImplItem::Fn(item) = item {
                        let words = words(item.to_token_stream());
                        self.0.entry(item.sig.ident.to_string()).or_default().extend(words);
                    }
                }
                return;
            }
            _ => return,
        };
        self.0.entry(name).or_default().extend(words);
    }

    pub(crate) fn has(&self, test: &str) -> bool {
        self.0.contains_key(test)
    }

    /// Every word of a test, and of what it calls in its file.
    pub(crate) fn all_of(&self, test: &str) -> HashSet<String> {
        let mut all = HashSet::new();
        let mut next = vec![test.to_owned()];
        while let Some(name) = next.pop() {
            let Some(words) = self.0.get(&name) else { continue };
            next.extend(words.iter().filter(|word| !all.contains(*word)).cloned());
            all.extend(words.iter().cloned());
        }
        all
    }
}

/// `RunRecord.id` and `Client::list` are used where their last name is; `Code::UnknownRun` also where its text is,
/// and `Client::connect` where it is called with a clock.
pub(crate) fn is_used(call: &str, words: &HashSet<String>) -> bool {
    let last = call.rsplit(['.', ':']).next().unwrap_or(call);
    let also = [snake(last), format!("is_{}", snake(last)), format!("{last}_with")];
    words.contains(last) || also.iter().any(|name| words.contains(name))
}

/// `UnknownRun` as `unknown_run`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The names in some code, and the words of its texts.
fn words(tokens: proc_macro2::TokenStream) -> HashSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut words = HashSet::new();
    let mut word = String::new();
    for letter in tokens.to_string().chars().chain([' ']) {
        if is_part(letter) {
            word.push(letter);
        } else if !word.is_empty() {
            words.insert(mem::take(&mut word));
        }
    }
    words
}
