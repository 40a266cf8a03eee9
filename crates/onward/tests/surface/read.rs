//! Reads what is public from the sources: the exports of `onward`, followed to where each name is defined.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, Signature, TraitItem, Type, UseTree, Visibility};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The exported names by module (`""` is the root), and the lines that describe each.
pub(crate) struct Surface {
    modules: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// The crates whose items `onward` exports.
const CRATES: [&str; 4] = ["onward_engine", "onward_store", "onward_types", "onward_macros"];

impl Surface {
    pub(crate) fn read() -> Surface {
        let crates: HashMap<&str, Crate> = CRATES.iter().map(|name| (*name, Crate::read(name))).collect();
        let onward = Crate::read("onward");
        let mut surface = Surface { modules: BTreeMap::new() };
        surface.add_module("", &onward.files[0].1, &crates);
        surface
    }

    fn add_module(&mut self, module: &str, items: &[Item], crates: &HashMap<&str, Crate>) {
        for item in items.iter().filter(|item| !is_hidden(item)) {
            match item {
                Item::Use(item) if is_public(&item.vis) => {
                    for (path, name) in leaves(&item.tree) {
                        let lines = match crates.get(path[0].as_str()) {
                            Some(of) => of.describe(crates, path.last().map_or("", String::as_str)),
                            None => BTreeSet::new(),
                        };
                        self.modules.entry(module.to_owned()).or_default().insert(name, lines);
                    }
                }
                Item::Mod(item) if is_public(&item.vis) => {
                    let name = item.ident.to_string();
                    if let Some((_, items)) = &item.content {
                        self.add_module(&name, items, crates);
                    }
                }
                Item::Fn(item) if is_public(&item.vis) => {
                    let line = format!("fn {}", signature(&item.sig));
                    let names = self.modules.entry(module.to_owned()).or_default();
                    names.insert(item.sig.ident.to_string(), BTreeSet::from([line]));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn names_of(&self, module: &str) -> Vec<&str> {
        self.modules.get(module).into_iter().flat_map(|names| names.keys().map(String::as_str)).collect()
    }

    /// The methods of the exported types, without those of traits: each as its type and its name.
    pub(crate) fn methods(&self) -> BTreeSet<(&str, &str)> {
        let lines = self.modules.values().flat_map(BTreeMap::values).flatten();
        lines.filter_map(|line| method_of(line)).collect()
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (module, names) in &self.modules {
            text += &format!("onward{}{module}\n", if module.is_empty() { "" } else { "::" });
            for (name, lines) in names {
                text += &format!("  {name}\n");
                // The prelude repeats what is described where it belongs.
                let lines = lines.iter().filter(|_| module != "prelude");
                lines.for_each(|line| text += &format!("    {line}\n"));
            }
        }
        text
    }
}

/// One crate: its files, the root first.
struct Crate {
    files: Vec<(PathBuf, Vec<Item>)>,
}

impl Crate {
    fn read(name: &str) -> Crate {
        let source = root().join("crates").join(name.trim_start_matches("onward_")).join("src");
        let mut paths = Vec::new();
        rust_files(&source, &mut paths);
        paths.sort_by_key(|path| !path.ends_with("src/lib.rs"));
        let items = |path: &PathBuf| syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap().items;
        Crate { files: paths.iter().map(|path| (path.clone(), items(path))).collect() }
    }

    /// What is public of the item of this name. A crate re-exports the items of those below it.
    fn describe(&self, crates: &HashMap<&str, Crate>, name: &str) -> BTreeSet<String> {
        for (path, original) in self.files[0].1.iter().filter_map(exported).flatten() {
            let from = crates.get(path[0].as_str()).filter(|_| original == name);
            if let Some(from) = from {
                return from.describe(crates, path.last().map_or("", String::as_str));
            }
        }
        let mut lines = BTreeSet::new();
        for item in self.files.iter().flat_map(|(_, items)| items) {
            describe(item, name, &mut lines);
        }
        lines
    }
}

fn exported(item: &Item) -> Option<Vec<(Vec<String>, String)>> {
    match item {
        Item::Use(item) if is_public(&item.vis) => Some(leaves(&item.tree)),
        _ => None,
    }
}

fn describe(item: &Item, name: &str, lines: &mut BTreeSet<String>) {
    match item {
        Item::Struct(item) if item.ident == name && is_public(&item.vis) => {
            derives(name, &item.attrs, lines);
            lines.insert(format!("struct {name}{}", tidy(&item.generics)));
            if let Fields::Named(fields) = &item.fields {
                for field in fields.named.iter().filter(|field| is_public(&field.vis)) {
                    let field_name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                    lines.insert(format!("{name}.{field_name}: {}", tidy(&field.ty)));
                }
            }
        }
        Item::Enum(item) if item.ident == name && is_public(&item.vis) => {
            derives(name, &item.attrs, lines);
            for variant in &item.variants {
                lines.insert(format!("{name}::{}{}", variant.ident, tidy(&variant.fields)));
            }
        }
        Item::Trait(item) if item.ident == name => {
            lines.insert(format!("trait {name}: {}", tidy(&item.supertraits)));
            for item in &item.items {
                lines.insert(match item {
                    TraitItem::Fn(item) => format!("fn {}", signature(&item.sig)),
                    other => tidy(&without_docs(other)),
                });
            }
        }
        Item::Const(item) if item.ident == name => drop(lines.insert(format!("const {name}: {}", tidy(&item.ty)))),
        Item::Type(item) if item.ident == name => drop(lines.insert(format!("type {name} = {}", tidy(&item.ty)))),
        Item::Fn(item) if item.sig.ident == name && is_public(&item.vis) => {
            lines.insert(format!("fn {}", signature(&item.sig)));
        }
        Item::Macro(item) if name == "Code" && item.mac.path.is_ident("codes") => {
            let words = item.mac.tokens.to_string();
            let is_code = |word: &&str| word.starts_with(|c: char| c.is_ascii_uppercase()) && !word.contains('`');
            words.split('"').step_by(2).filter_map(|part| part.split_whitespace().find(is_code)).for_each(|code| {
                lines.insert(format!("Code::{code}"));
            });
        }
        Item::Impl(item) if is_of(&item.self_ty, name) => match &item.trait_ {
            Some((_, of, _)) => drop(lines.insert(format!("{name}: {}", tidy(of)))),
            None => methods(&item.items, name, lines),
        },
        _ => {}
    }
}

fn methods(items: &[ImplItem], name: &str, lines: &mut BTreeSet<String>) {
    for item in items {
        match item {
            ImplItem::Fn(item) if is_public(&item.vis) && !has_hidden(&item.attrs) => {
                lines.insert(format!("{name}::{}", signature(&item.sig)));
            }
            ImplItem::Const(item) if is_public(&item.vis) => {
                lines.insert(format!("{name}::{}: {}", item.ident, tidy(&item.ty)));
            }
            ImplItem::Macro(item) => drop(lines.insert(format!("{name}: {}", tidy(&item.mac)))),
            _ => {}
        }
    }
}

/// The type and the name of the method that this line describes, if it is one.
fn method_of(line: &str) -> Option<(&str, &str)> {
    let (of, rest) = line.split_once("::").filter(|(of, _)| of.chars().all(char::is_alphanumeric))?;
    let name = rest.split_once(['(', '<'])?.0.rsplit(' ').next()?;
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some((of, name))
}

fn derives(name: &str, attributes: &[Attribute], lines: &mut BTreeSet<String>) {
    for attribute in attributes.iter().filter(|it| it.path().is_ident("derive")) {
        let listed = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        for derived in listed.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            lines.insert(format!("{name}: {derived}"));
        }
    }
    if attributes.iter().any(|it| it.path().is_ident("non_exhaustive")) {
        lines.insert(format!("{name}: non-exhaustive"));
    }
}

fn is_of(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(of) if of.path.segments.last().is_some_and(|segment| segment.ident == name))
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn has_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| it.path().is_ident("doc") && it.to_token_stream().to_string().contains("hidden"))
}

fn is_hidden(item: &Item) -> bool {
    match item {
        Item::Use(item) => has_hidden(&item.attrs),
        Item::Mod(item) => has_hidden(&item.attrs),
        Item::Fn(item) => has_hidden(&item.attrs),
        _ => false,
    }
}

/// The full path of each imported item, and the name that it gets.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    let under = |name: String, tree: &UseTree| {
        let mut found = leaves(tree);
        found.iter_mut().for_each(|(path, _)| path.insert(0, name.clone()));
        found
    };
    match tree {
        UseTree::Path(path) => under(path.ident.to_string(), &path.tree),
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(rename) => vec![(vec![rename.ident.to_string()], rename.rename.to_string())],
        UseTree::Glob(_) => vec![(vec!["*".to_owned()], "*".to_owned())],
    }
}

fn without_docs(item: &TraitItem) -> TraitItem {
    let mut item = item.clone();
    match &mut item {
        TraitItem::Const(item) => item.attrs.clear(),
        TraitItem::Type(item) => item.attrs.clear(),
        _ => {}
    }
    item
}

fn signature(signature: &Signature) -> String {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        match input {
            syn::FnArg::Receiver(it) => it.attrs.clear(),
            syn::FnArg::Typed(it) => it.attrs.clear(),
        }
    }
    let text = tidy(&signature);
    text.replacen("fn ", "", 1).replacen("mut self", "self", 1)
}

/// The tokens as people write them.
fn tidy(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" ,", ","),
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" :", ":"),
        ("& ", "&"),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" ;", ";"),
        ("->(", "-> ("),
        (" !", "!"),
        ("' ", "'"),
        (",)", ")"),
        ("impl<", "impl <"),
    ] {
        text = text.replace(from, to);
    }
    text.replace(" ->", "->").replace("->", " ->").replace("->  ", "-> ")
}

pub(crate) fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
