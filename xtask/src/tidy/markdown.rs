//! Rules for pages: a link leads somewhere.

use std::path::Path;

use super::{Fault, Text};

pub(super) fn faults(root: &Path, text: &Text) -> Vec<Fault> {
    // A page that is a symbolic link is read where it really lies.
    let path = root.join(&text.path);
    let path = path.canonicalize().unwrap_or(path);
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    links(text)
        .filter_map(|(number, link)| Some((number, file_of(link)?)))
        .filter(|(_, file)| !folder.join(file).exists())
        .map(|(number, file)| text.fault(number, format!("the link to `{file}` leads nowhere")))
        .collect()
}

/// The targets of `[…](target)` and of `[…]: target`, outside of code.
fn links(text: &Text) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    let prose = text.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    prose.flat_map(|(number, line)| {
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
        inline(line).into_iter().chain(definition).map(move |target| (number, target))
    })
}

fn inline(line: &str) -> Vec<&str> {
    let parts = line.split('`').step_by(2);
    // A name in code is often the text of a link, so its closing bracket begins the next part.
    parts.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

/// The local file that a link names. Pages of the web, places on this page, and Rust items in rustdoc are not ours.
fn file_of(link: &str) -> Option<&str> {
    let elsewhere = link.contains("://") || link.starts_with("mailto:") || link.contains("::");
    let file = link.split('#').next().unwrap_or_default();
    (!elsewhere && file.contains(['/', '.'])).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    fn said_of(content: &str) -> Vec<String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        said(|text| faults(here, text), content)
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let page = "[`a`](Cargo.toml) [b](src/main.rs#x) [c](https://example.com/x.md) [d](#d) [e](crate::E) [f](Item)\n\
                    ```\n[g](gone.md)\n```\n`[h](gone.md)`\n[i]: src";
        assert_eq!(said_of(page), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](gone.md)\n\nsee [`b`](src/gone.rs#top) and\n[c]: gone/c.md";
        let files: Vec<_> = ["1: the link to `gone.md`", "3: the link to `src/gone.rs`", "4: the link to `gone/c.md`"]
            .map(|start| format!("{start} leads nowhere"))
            .into();
        assert_eq!(said_of(page), files);
    }
}
