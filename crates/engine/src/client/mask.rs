//! Hides named fields. `shown.rs` says which fields of which record are hidden.

use std::sync::Arc;

use onward_types::{Error, Json, Tree};

/// Replaces a hidden value.
const HIDDEN: &str = "***";

/// The fields to hide, each as the last part of a path.
#[derive(Clone, Default)]
pub(crate) struct Mask(Arc<Vec<Vec<String>>>);

impl Mask {
    pub(crate) fn add<F: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = F>) {
        let paths = fields.into_iter().map(|field| field.as_ref().split('.').map(str::to_owned).collect());
        Arc::make_mut(&mut self.0).extend(paths);
    }

    /// Hides fields in the data of a typed error. Its code and message are for people and are not masked.
    pub(super) fn hide_in_error(&self, error: &mut Option<Json>) {
        if let Some(json) = error
            && let Ok(hidden) = Error::map_data(json, |data| Ok(self.hidden(data)))
        {
            *json = hidden;
        }
    }

    pub(super) fn hide(&self, json: &mut Json) {
        *json = self.hidden(json);
    }

    fn hidden(&self, json: &Json) -> Json {
        // Most values have no such field; they keep the recorded text unchanged.
        let last = |path: &Vec<String>| path.last().is_some_and(|name| json.as_str().contains(name.as_str()));
        if !json.as_str().contains('\\') && !self.0.iter().any(last) {
            return json.clone();
        }
        // A value nested too deeply to parse may contain any field, so it is hidden as a whole.
        let Some(mut tree) = Tree::read(json.as_str()) else { return Json::from(format!("\"{HIDDEN}\"")) };
        let mut above = Vec::new();
        if self.walk(&mut tree, &mut above) { Json::from(tree.to_string()) } else { json.clone() }
    }

    /// Hides fields below this value; returns whether it hid any.
    fn walk(&self, tree: &mut Tree<'_>, above: &mut Vec<String>) -> bool {
        match tree {
            Tree::Object(fields) => {
                let mut any = false;
                for (name, field) in fields {
                    above.push(name.to_string());
                    if self.0.iter().any(|path| above.ends_with(path)) {
                        *field = Tree::Text(HIDDEN.into());
                        any = true;
                    } else {
                        any |= self.walk(field, above);
                    }
                    above.pop();
                }
                any
            }
            Tree::List(items) => items.iter_mut().fold(false, |any, item| self.walk(item, above) | any),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(fields: &[&str], text: &str) -> String {
        let mut mask = Mask::default();
        mask.add(fields);
        mask.hidden(&Json::from(text.to_owned())).to_string()
    }

    #[test]
    fn a_name_is_hidden_at_any_depth() {
        let text = r#"{"password":"a","list":[[{"password":{"deep":1}}]],"other":"password"}"#;
        let shown = hidden(&["password"], text);
        assert_eq!(shown, r#"{"password":"***","list":[[{"password":"***"}]],"other":"password"}"#);
    }

    #[test]
    fn a_path_is_hidden_wherever_it_ends() {
        let text = r#"{"a":{"card":[{"number":1,"name":2}]},"number":3}"#;
        assert_eq!(hidden(&["card.number"], text), r#"{"a":{"card":[{"number":"***","name":2}]},"number":3}"#);
    }

    #[test]
    fn a_name_that_was_written_with_escapes_is_hidden_too() {
        assert_eq!(hidden(&["pin"], r#"{"p\u0069n":1}"#), r#"{"pin":"***"}"#);
    }

    #[test]
    fn what_is_beside_a_hidden_field_keeps_every_digit() {
        let text = r#"{"pin":1,"long":123456789012345678901234567890,"exact":0.10000000000000000000001}"#;
        let shown = r#"{"pin":"***","long":123456789012345678901234567890,"exact":0.10000000000000000000001}"#;
        assert_eq!(hidden(&["pin"], text), shown);
    }

    #[test]
    fn what_cannot_be_looked_into_is_hidden_as_a_whole() {
        let text = format!("{}{{\"pin\":1}}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(hidden(&["pin"], &text), "\"***\"");
    }

    #[test]
    fn what_has_no_such_field_keeps_its_very_text() {
        let text = r#"{"b": 1.0, "a": "pin"}"#;
        assert_eq!(hidden(&["pin"], text), text);
    }
}
