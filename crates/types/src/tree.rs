//! JSON as it was written: keys keep their order, and numbers keep their text.
//!
//! `serde_json::Value` converts every number that is not a 64-bit integer to `f64`, so a value may come out changed. Wherever Onward
//! itself reads a payload, to hide a field, to merge attributes or to compare two inputs, it uses this type.

use std::borrow::Cow;
use std::fmt;

use crate::checked::DEPTH_MAX;

/// A JSON value that borrows its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Tree<'a>>),
    /// An object, in the order in which it was written. If a key occurs twice, the last one counts.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// Parses JSON text. `None` if it is not JSON or is nested more than 127 deep.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Tree<'a>> {
        let mut reader = Reader { text, at: 0, left: DEPTH_MAX };
        let tree = reader.value()?;
        reader.skip_space();
        (reader.at == text.len()).then_some(tree)
    }

    /// Whether `is_so` holds for any string in it, including the keys of objects.
    pub fn any_text(&self, is_so: &impl Fn(&str) -> bool) -> bool {
        match self {
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => false,
            Tree::Text(text) => is_so(text),
            Tree::List(items) => items.iter().any(|item| item.any_text(is_so)),
            Tree::Object(fields) => fields.iter().any(|(key, value)| is_so(key) || value.any_text(is_so)),
        }
    }

    /// A canonical text, which is the same for equal values: the keys of objects are sorted, and a number has one form of the several
    /// in which it can be written. `1.50` becomes `1.5`; numbers that differ in any digit stay different.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        self.write_canonical(&mut text);
        text
    }

    fn write_canonical(&self, into: &mut String) {
        match self {
            Tree::Null => into.push_str("null"),
            Tree::Bool(true) => into.push_str("true"),
            Tree::Bool(false) => into.push_str("false"),
            Tree::Number(number) => into.push_str(&canonical_number(number)),
            Tree::Text(text) => write_text(into, text),
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    into.push(if index == 0 { '[' } else { ',' });
                    item.write_canonical(into);
                }
                into.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Tree::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
                let is_last = |at: usize| sorted.get(at + 1).is_none_or(|next| next.0 != sorted[at].0);
                into.push('{');
                let mut comma = "";
                for at in (0..sorted.len()).filter(|at| is_last(*at)) {
                    let (key, value) = sorted[at];
                    into.push_str(comma);
                    write_text(into, key);
                    into.push(':');
                    value.write_canonical(into);
                    comma = ",";
                }
                into.push('}');
            }
        }
    }

    fn write(&self, into: &mut String) {
        match self {
            Tree::Null => into.push_str("null"),
            Tree::Bool(true) => into.push_str("true"),
            Tree::Bool(false) => into.push_str("false"),
            Tree::Number(number) => into.push_str(number),
            Tree::Text(text) => write_text(into, text),
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    into.push(if index == 0 { '[' } else { ',' });
                    item.write(into);
                }
                into.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Tree::Object(fields) => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    into.push(if index == 0 { '{' } else { ',' });
                    write_text(into, key);
                    into.push(':');
                    value.write(into);
                }
                into.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

/// As JSON without spaces.
impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

fn write_text(into: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        into.push_str(&serde_json::to_string(text).unwrap_or_default());
    } else {
        into.push('"');
        into.push_str(text);
        into.push('"');
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// How many more levels of nesting are allowed.
    left: u8,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether the next byte that is not a space is this one. If so, it is consumed.
    fn is_next(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn word(&mut self, word: &str, tree: Tree<'a>) -> Option<Tree<'a>> {
        let is_it = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        is_it.then_some(tree)
    }

    fn value(&mut self) -> Option<Tree<'a>> {
        self.skip_space();
        match self.peek()? {
            b'n' => self.word("null", Tree::Null),
            b't' => self.word("true", Tree::Bool(true)),
            b'f' => self.word("false", Tree::Bool(false)),
            b'"' => self.string().map(Tree::Text),
            b'[' => self.parts(b']', Reader::value).map(Tree::List),
            b'{' => self.parts(b'}', Reader::field).map(Tree::Object),
            _ => self.number().map(Tree::Number),
        }
    }

    fn field(&mut self) -> Option<(Cow<'a, str>, Tree<'a>)> {
        self.skip_space();
        let key = self.string()?;
        if !self.is_next(b':') {
            return None;
        }
        Some((key, self.value()?))
    }

    fn parts<T>(&mut self, end: u8, part: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.left = self.left.checked_sub(1)?;
        self.at += 1;
        let mut parts = Vec::new();
        if !self.is_next(end) {
            loop {
                parts.push(part(self)?);
                if self.is_next(end) {
                    break;
                }
                if !self.is_next(b',') {
                    return None;
                }
            }
        }
        self.left += 1;
        Some(parts)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let begin = self.at;
        let rest = self.text.get(begin..)?.as_bytes();
        if rest.first() != Some(&b'"') {
            return None;
        }
        let (mut end, mut escaped) = (1, false);
        loop {
            match rest.get(end)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        self.at = begin + end + 1;
        let whole = self.text.get(begin..self.at)?;
        match escaped {
            true => serde_json::from_str::<String>(whole).ok().map(Cow::Owned),
            false => whole.get(1..whole.len() - 1).map(Cow::Borrowed),
        }
    }

    fn number(&mut self) -> Option<&'a str> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let number = self.text.get(begin..self.at)?;
        let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_plain || Decimal::of(number).is_some()).then_some(number)
    }
}

/// One form for all ways to write a number. For every number that `serde_json::Value` keeps unchanged it is the form of that type, so
/// that hashes recorded before this module existed stay valid.
fn canonical_number(number: &str) -> Cow<'_, str> {
    let is_integer = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    if is_integer && number != "-0" {
        return Cow::Borrowed(number);
    }
    let Some(exact) = Decimal::of(number) else { return Cow::Borrowed(number) };
    let printed = number.parse().ok().and_then(serde_json::Number::from_f64).map(|number| number.to_string());
    match printed {
        Some(printed) if Decimal::of(&printed).as_ref() == Some(&exact) => Cow::Owned(printed),
        _ => Cow::Owned(exact.to_string()),
    }
}

/// A decimal number of any length: its digits without zeros at either end, and the exponent of the last one.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(number: &str) -> Option<Decimal> {
        let (negative, rest) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let trimmed = digits.trim_end_matches('0');
        let exponent = exponent.checked_add(i64::try_from(digits.len() - trimmed.len()).ok()?)?;
        let exponent = if trimmed.is_empty() { 0 } else { exponent };
        Some(Decimal { negative, digits: trimmed.to_owned(), exponent })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { negative, digits, exponent } = self;
        write!(f, "{}{digits}e{exponent}", if *negative { "-" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_was_read_is_written_as_it_was() {
        let text = r#"{"b":[1.50,-0,1e400,123456789012345678901234567890.10],"a":{"é":"\"\n"},"a":null,"t":[true,false,{},[],""]}"#;
        assert_eq!(Tree::read(text).unwrap().to_string(), text);
        let spaced = " { \"a\" : [ 1 , \"\\u0062\" ] , \"c\" : { } } ";
        assert_eq!(Tree::read(spaced).unwrap().to_string(), r#"{"a":[1,"b"],"c":{}}"#);
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        let no_json = [
            "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "nul", "tru", "\"a", "\"\\", "1 2", "[1}", "--", "e",
            ".",
        ];
        for text in no_json {
            assert_eq!(Tree::read(text), None, "{text}");
        }
        assert!(Tree::read(&format!("{}{}", "[".repeat(127), "]".repeat(127))).is_some());
        assert_eq!(Tree::read(&format!("{}{}", "[".repeat(128), "]".repeat(128))), None);
    }

    #[test]
    fn a_canonical_text_is_that_of_sorted_values_where_those_keep_their_numbers() {
        let same = [
            r#"{"b":1,"a":{"d":[1.0,2.50,1e3,-0,-0.0,0.1,1E-7,0.1e1,18446744073709551615,-9223372036854775808],"c":"\u00e9\n"}}"#,
            r#"{"a":1,"a":2,"":null,"x":{"z":true,"y":false}}"#,
            r#"{"x":[100000000000000000000.0,1.7976931348623157e308,5e-324,90.65758219926131,0.30000000000000004,0e9]}"#,
            "[{},[],{\"a\":\"\"}]",
        ];
        for text in same {
            let mut value: Value = serde_json::from_str(text).unwrap();
            value.sort_all_objects();
            assert_eq!(Tree::read(text).unwrap().canonical(), value.to_string());
        }
    }

    #[test]
    fn two_numbers_have_one_canonical_text_if_they_are_equal_and_two_if_they_are_not() {
        let canonical = |number: &str| Tree::read(number).unwrap().canonical();
        let equal = [
            ("1.10", "1.1"),
            ("0.12345678901234567890120", "12345678901234567890.12e-20"),
            ("1e400", "10E+399"),
            ("1.0", "1e0"),
        ];
        for (one, other) in equal {
            assert_eq!(canonical(one), canonical(other));
        }
        let different = [
            ("1180591620717411303424", "1180591620717411303425"),
            ("18446744073709551615", "18446744073709551616"),
            ("0.1", "0.10000000000000000000001"),
            ("1e400", "1e401"),
            ("-1e400", "1e400"),
            ("1e-400", "0.0"),
        ];
        for (one, other) in different {
            assert_ne!(canonical(one), canonical(other));
        }
    }
}
