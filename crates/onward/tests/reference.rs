//! `docs/reference-apis.md` is true: what it names is there, each named test uses the call that its row names, and no item of the
//! published pages is missing in it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemMacro, ItemStruct, Type, UseTree, Visibility};

#[path = "reference/uses.rs"]
mod uses;

use uses::{Uses, is_used};

/// The items of the published pages, in their order. `## ` begins a page.
const ITEMS: &str = include_str!("reference/items.txt");

/// What is not there, and why not: nothing is added here to make a test pass.
const NONE: [&str; 7] = [
    "a webhook answers over HTTP",
    "a workflow may be rewound in place",
    "several applications share a database by their names",
    "destroy",
    "DBOSClient.system_database_engine",
    "WorkflowReadableStreamOptions.ops",
    "WorkflowReadableStreamOptions.global",
];

#[test]
fn every_item_has_a_call_and_a_test_that_are_there() {
    let page = fs::read_to_string(root().join("docs/reference-apis.md")).unwrap();
    assert_eq!(faults(&page, &Api::read()), [""; 0]);
}

#[test]
fn what_is_not_there_is_found() {
    let api = Api::read();
    let here = "| `getRun` | `Client::handle`, `RunRecord.ready_at`, `Status::Delayed`, `Code::TimedOut` | \
                `starting::many_handles_wait_for_one_run`, `starting::a_delayed_run_starts_no_sooner_than_it_says`, \
                `starting::a_result_that_takes_too_long_times_out_and_the_run_goes_on` |";
    assert_eq!(row_faults(&row(here).unwrap(), &api), [""; 0]);
    for (broken, said) in [
        (here.replace("Client::handle", "Client::grab"), "`getRun`: there is no `Client::grab`"),
        (here.replace("RunRecord.ready_at", "RunRecord.ready"), "`getRun`: there is no `RunRecord.ready`"),
        (here.replace("Status::Delayed", "Status::Fine"), "`getRun`: there is no `Status::Fine`"),
        (here.replace("Code::TimedOut", "Code::Open"), "`getRun`: there is no `Code::Open`"),
        (
            here.replace("many_handles_", "few_handles_"),
            "`getRun`: there is no test `starting::few_handles_wait_for_one_run`",
        ),
        (here.replace("starting::", "ending::"), "`getRun`: there is no test `ending::many_handles_wait_for_one_run`"),
        (here.replace("Client::handle", "Client::list"), "`getRun`: no test of the row uses `Client::list`"),
        (
            here.replace("`Code::TimedOut`", "a code"),
            "`getRun`: the test `starting::a_result_that_takes_too_long_times_out_and_the_run_goes_on` uses no call of the row",
        ),
        ("| `getRun` | by hand | `starting::x` |".to_owned(), "`getRun`: names no call"),
        ("| `getRun` | `Client::handle` | |".to_owned(), "`getRun`: names no test"),
        ("| `it wakes` | better | |".to_owned(), "`it wakes`: names no test"),
        ("| `it wakes` | `Client::grab` | `starting::x` |".to_owned(), "`it wakes`: there is no `Client::grab`"),
        ("| `getRun` | none: nobody needs it | |".to_owned(), "`getRun`: \"none\" is not for this one"),
    ] {
        assert_eq!(row_faults(&row(&broken).unwrap(), &api)[0], said);
    }
    let page = fs::read_to_string(root().join("docs/reference-apis.md")).unwrap();
    for (line, said) in [
        ("| `Run.wakeUp`", "after `Run.runId` comes `Run.cancel` instead of `Run.wakeUp`"),
        (
            "| `to cancel again",
            "after `a cancelled run starts no further step and frees its tokens` comes `to cancel what has \
                                completed is a conflict` instead of `to cancel again is fine`",
        ),
    ] {
        let without = page.lines().filter(|it| !it.starts_with(line)).collect::<Vec<_>>().join("\n");
        assert_eq!(faults(&without, &api), [said]);
    }
}

/// A row of a table.
struct Row {
    item: String,
    here: String,
    proof: String,
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
    let [item, here, proof, ..] = cells.as_slice() else { return None };
    Some(Row { item: item.trim_end_matches('`').to_owned(), here: (*here).to_owned(), proof: (*proof).to_owned() })
}

fn faults(page: &str, api: &Api) -> Vec<String> {
    let rows: Vec<Row> = page.lines().filter_map(row).collect();
    let found = page.lines().filter_map(|line| row(line).map(|row| row.item).or_else(|| heading(line)));
    let wanted = ITEMS.lines().filter(|line| !line.is_empty()).map(str::to_owned);
    let (found, wanted): (Vec<_>, Vec<_>) = (found.collect(), wanted.collect());
    let differs = (0..found.len().max(wanted.len())).find(|&at| found.get(at) != wanted.get(at));
    let order = differs.map(|at| {
        let name = |of: &[String], at: usize| of.get(at).map_or("the end".to_owned(), |it| format!("`{it}`"));
        let before = at.checked_sub(1).map_or("the beginning".to_owned(), |at| name(&wanted, at));
        format!("after {before} comes {} instead of {}", name(&found, at), name(&wanted, at))
    });
    order.into_iter().chain(rows.iter().flat_map(|row| row_faults(row, api))).collect()
}

fn heading(line: &str) -> Option<String> {
    line.starts_with("## ").then(|| line.to_owned())
}

fn row_faults(row: &Row, api: &Api) -> Vec<String> {
    let Row { item, here, proof } = row;
    let mut faults = Vec::new();
    if here.starts_with("none: ") {
        if !NONE.contains(&item.as_str()) {
            faults.push(format!("`{item}`: \"none\" is not for this one"));
        }
        return faults;
    }
    let calls: Vec<&str> = code(here).filter(|span| is_call(span)).collect();
    // What is promised may be the same there and here; what is offered has a name.
    if calls.is_empty() && !item.contains(' ') {
        faults.push(format!("`{item}`: names no call"));
    }
    let missing = calls.into_iter().filter(|call| !api.names.contains(*call));
    faults.extend(missing.map(|call| format!("`{item}`: there is no `{call}`")));
    if code(proof).next().is_none() {
        faults.push(format!("`{item}`: names no test"));
    }
    let (tests, missing): (Vec<_>, Vec<_>) = code(proof).partition(|test| api.is_test(test));
    faults.extend(missing.into_iter().map(|test| format!("`{item}`: there is no test `{test}`")));
    let words: Vec<_> = tests.iter().map(|test| api.words(test)).collect();
    let calls: Vec<&str> = code(here).filter(|span| is_call(span) && api.names.contains(*span)).collect();
    let unused = calls.iter().filter(|call| !tests.is_empty() && !words.iter().any(|words| is_used(call, words)));
    faults.extend(unused.map(|call| format!("`{item}`: no test of the row uses `{call}`")));
    for (test, words) in tests.iter().zip(&words) {
        if !calls.is_empty() && !calls.iter().any(|call| is_used(call, words)) {
            faults.push(format!("`{item}`: the test `{test}` uses no call of the row"));
        }
    }
    faults
}

fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `Type`, `Type::method` or `Type.field`. Other code in a cell explains something.
fn is_call(span: &str) -> bool {
    span.starts_with(|c: char| c.is_ascii_uppercase())
        && span.chars().all(|c| c.is_ascii_alphanumeric() || "_:.".contains(c))
}

/// The file and the name of `module::test` of the behaviour suite, or of `path/of/file.rs::test`.
fn place_of(test: &str) -> Option<(PathBuf, &str)> {
    let (place, test) = test.rsplit_once("::")?;
    let file = match place.contains('/') {
        true => root().join(place),
        false => root().join("crates/onward/tests/behaviour").join(place).with_extension("rs"),
    };
    Some((file, test))
}

/// What the crates offer: types, their public methods, fields and variants.
#[derive(Default)]
struct Api {
    exported: HashSet<String>,
    names: HashSet<String>,
    /// The methods that `option_methods!` writes into every builder of a run.
    options: Vec<String>,
    /// What the tests of each file that was looked at use.
    tests: RefCell<HashMap<PathBuf, Uses>>,
}

impl Api {
    fn read() -> Api {
        let options = fs::read_to_string(root().join("crates/engine/src/plan/options.rs")).unwrap();
        let written = options.split_once("macro_rules! option_methods").unwrap().1;
        let name = |rest: &str| rest.split(['(', '<']).next().unwrap_or(rest).to_owned();
        let mut api = Api { options: written.split("pub fn ").skip(1).map(name).collect(), ..Api::default() };
        let engine = fs::read_to_string(root().join("crates/engine/src/lib.rs")).unwrap();
        for item in syn::parse_file(&engine).unwrap().items {
            if let Item::Use(item) = item
                && matches!(item.vis, Visibility::Public(_))
            {
                api.export(&item.tree);
            }
        }
        for krate in ["types", "store", "engine"] {
            for file in rust_files(&root().join("crates").join(krate).join("src")) {
                let text = fs::read_to_string(&file).unwrap();
                api.visit_file(&syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
            }
        }
        api
    }

    fn is_test(&self, test: &str) -> bool {
        place_of(test).is_some_and(|(file, test)| self.of_file(file, |uses| uses.has(test)))
    }

    /// What a test uses.
    fn words(&self, test: &str) -> HashSet<String> {
        place_of(test).map_or_else(HashSet::new, |(file, test)| self.of_file(file, |uses| uses.all_of(test)))
    }

    fn of_file<T>(&self, file: PathBuf, read: impl FnOnce(&Uses) -> T) -> T {
        let mut tests = self.tests.borrow_mut();
        read(tests.entry(file).or_insert_with_key(|file| Uses::of(file)))
    }

    fn export(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.export(&path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.export(tree)),
            UseTree::Name(name) => drop(self.exported.insert(name.ident.to_string())),
            UseTree::Rename(rename) => drop(self.exported.insert(rename.rename.to_string())),
            UseTree::Glob(_) => {}
        }
    }

    fn add(&mut self, of: &str, name: String) {
        if self.exported.contains(of) {
            self.names.insert(name);
        }
    }
}

impl Visit<'_> for Api {
    fn visit_item_impl(&mut self, item: &ItemImpl) {
        if let (Type::Path(of), None) = (&*item.self_ty, &item.trait_)
            && let Some(of) = of.path.segments.last().map(|segment| segment.ident.to_string())
        {
            for item in &item.items {
                if let ImplItem::Fn(item) = item
                    && matches!(item.vis, Visibility::Public(_))
                {
                    self.add(&of, format!("{of}::{}", item.sig.ident));
                }
                if let ImplItem::Macro(item) = item
                    && item.mac.path.is_ident("option_methods")
                {
                    let with_id = !item.mac.tokens.is_empty();
                    let options = self.options.clone().into_iter().filter(|name| name != "id" || with_id);
                    options.for_each(|name| self.add(&of, format!("{of}::{name}")));
                }
            }
        }
    }

    fn visit_item_struct(&mut self, item: &ItemStruct) {
        let of = item.ident.to_string();
        self.add(&of, of.clone());
        if let Fields::Named(fields) = &item.fields {
            for field in fields.named.iter().filter(|field| matches!(field.vis, Visibility::Public(_))) {
                self.add(&of, format!("{of}.{}", field.ident.as_ref().expect("it has a name")));
            }
        }
    }

    fn visit_item_enum(&mut self, item: &ItemEnum) {
        let of = item.ident.to_string();
        item.variants.iter().for_each(|variant| self.add(&of, format!("{of}::{}", variant.ident)));
        visit::visit_item_enum(self, item);
    }

    /// The codes of errors are listed in a macro.
    fn visit_item_macro(&mut self, item: &ItemMacro) {
        if item.mac.path.is_ident("codes") {
            let words = item.mac.tokens.to_string();
            let is_code = |word: &&str| word.starts_with(|c: char| c.is_ascii_uppercase());
            words.split_whitespace().filter(is_code).for_each(|code| self.add("Code", format!("Code::{code}")));
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
