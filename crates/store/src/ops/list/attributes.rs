//! Filters by attributes, as parameters that both databases compare in the same way.

use std::collections::BTreeMap;

use onward_types::{Code, Error, Json, Range, Tree};

/// The attributes that a filter requires.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// The run has each of these.
    pub(super) each: Option<String>,
    /// The run has one value of each of these lists.
    pub(super) one_of: Option<String>,
    /// Each attribute as objects with one field, one for each value that it may have: an index finds each of them.
    ones: Vec<Ones>,
}

#[derive(Debug, PartialEq)]
struct Ones {
    objects: Vec<String>,
    is_list: bool,
}

impl Wanted {
    /// The attributes that are looked up before the search. PostgreSQL finds single values in the search itself.
    pub(super) fn ones(self, is_sqlite: bool) -> Vec<Vec<String>> {
        self.ones.into_iter().filter(|ones| is_sqlite || ones.is_list).map(|ones| ones.objects).collect()
    }
}

/// An attribute by its name, with the values that it may have.
struct Field {
    name: String,
    values: Vec<String>,
    is_list: bool,
}

/// `None` if no run can have them.
pub(super) fn wanted(attributes: &Json) -> Result<Option<Wanted>, Error> {
    let fields = fields(attributes)?;
    if fields.iter().any(|field| field.values.is_empty()) {
        return Ok(None);
    }
    let one = |field: &Field, value: &String| format!("{}:{value}", quoted(&field.name));
    let ones = fields.iter().map(|field| {
        let objects = field.values.iter().map(|value| format!("{{{}}}", one(field, value))).collect();
        Ones { objects, is_list: field.is_list }
    });
    let ones: Vec<Ones> = ones.collect();
    let (lists, each): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| field.is_list);
    let each: Vec<String> = each.iter().map(|field| one(field, &field.values[0])).collect();
    Ok(Some(Wanted {
        // Without any attribute it still means runs that have some.
        each: (lists.is_empty() || !each.is_empty()).then(|| format!("{{{}}}", each.join(","))),
        one_of: as_lists(&lists),
        ones,
    }))
}

/// The attributes of which a run may have none. `None` if no run can have any of them.
pub(super) fn unwanted(attributes: &Json) -> Result<Option<String>, Error> {
    Ok(as_lists(&fields(attributes)?))
}

/// `None` if no run can have such numbers.
pub(super) fn ranges(ranges: &BTreeMap<String, Range>) -> Result<Option<String>, Error> {
    for (name, range) in ranges {
        if range.min.into_iter().chain(range.max).any(|end| !end.is_finite()) {
            let message = format!("the range of the attribute `{name}` must have finite numbers as its ends");
            return Err(Error::new(Code::Invalid, message));
        }
    }
    let is_possible = ranges.keys().all(|name| !name.contains('\0'));
    is_possible.then(|| Json::encode(ranges).map(|json| json.to_string())).transpose()
}

fn as_lists(fields: &[Field]) -> Option<String> {
    let lists = fields.iter().map(|field| format!("{}:[{}]", quoted(&field.name), field.values.join(",")));
    let lists: Vec<String> = lists.collect();
    (!lists.is_empty()).then(|| format!("{{{}}}", lists.join(",")))
}

/// The fields of a filter, without values that no attribute can have: PostgreSQL cannot even read a text with a NUL. Only values
/// without parts compare the same way on both databases.
fn fields(attributes: &Json) -> Result<Vec<Field>, Error> {
    let refused = || {
        let message = format!(
            "a filter by attributes must be a JSON object of texts, numbers, booleans and nulls, or of lists of them, not \
             {attributes}"
        );
        Error::new(Code::Invalid, message)
    };
    let Some(Tree::Object(fields)) = Tree::read(attributes.as_str()) else { return Err(refused()) };
    // If a name occurs twice, the last one counts.
    let mut read = BTreeMap::new();
    for (name, value) in fields {
        let (values, is_list) = match value {
            Tree::List(values) => (values, true),
            value => (vec![value], false),
        };
        if values.iter().any(|value| matches!(value, Tree::List(_) | Tree::Object(_))) {
            return Err(refused());
        }
        let is_text = |value: &Tree<'_>| !name.contains('\0') && !value.any_text(&|text: &str| text.contains('\0'));
        let values = values.iter().filter(|value| is_text(value)).map(Tree::canonical).collect();
        read.insert(name.to_string(), Field { name: name.to_string(), values, is_list });
    }
    // A name that no attribute can have stays without values.
    Ok(read.into_values().map(|field| Field { name: field.name.replace('\0', ""), ..field }).collect())
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::from(text.to_owned())
    }

    #[test]
    fn a_list_means_one_of_its_values() {
        let wanted = wanted(&json(r#"{"team":"red","size":[1,2.50],"team2":["a"]}"#)).unwrap().unwrap();
        assert_eq!(wanted.each.as_deref(), Some(r#"{"team":"red"}"#));
        assert_eq!(wanted.one_of.as_deref(), Some(r#"{"size":[1,2.5],"team2":["a"]}"#));
        let sizes = vec![r#"{"size":1}"#.to_owned(), r#"{"size":2.5}"#.to_owned()];
        let (team, other) = (vec![r#"{"team":"red"}"#.to_owned()], vec![r#"{"team2":"a"}"#.to_owned()]);
        assert_eq!(
            wanted.ones,
            [
                Ones { objects: sizes, is_list: true },
                Ones { objects: team, is_list: false },
                Ones { objects: other, is_list: true },
            ]
        );
    }

    #[test]
    fn what_no_attribute_can_be_is_found_nowhere() {
        for impossible in [r#"{"a":"\u0000"}"#, r#"{"a":[]}"#, r#"{"a":["\u0000"]}"#, r#"{"\u0000":1}"#] {
            assert_eq!(wanted(&json(impossible)).unwrap(), None, "{impossible}");
        }
        assert_eq!(wanted(&json(r#"{"a":["\u0000",1]}"#)).unwrap().unwrap().one_of.as_deref(), Some(r#"{"a":[1]}"#));
        for refused in ["1", "[]", r#"{"a":{}}"#, r#"{"a":[[1]]}"#] {
            assert_eq!(wanted(&json(refused)).unwrap_err().kind(), Code::Invalid, "{refused}");
        }
    }
}
