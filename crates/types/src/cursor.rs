//! Cursors: opaque places in a list.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// Mixed into the checksum. To be raised if what a place consists of changes.
const VERSION: u8 = 1;

/// A place in a list, from which the next or the previous page is read. Its text is opaque: store it, put it in a URL, and give
/// it back to the same list in the same order.
///
/// ```
/// # use onward_types::Cursor;
/// let cursor = Cursor::from("0123abcd");
/// assert_eq!(cursor.to_string(), "0123abcd");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// The cursor of a place in a list. `list` names the list and its order.
    #[must_use]
    pub fn new(list: &str, place: &[u8]) -> Cursor {
        let bytes = checksum(list, place).to_be_bytes().into_iter().chain(place.iter().copied());
        Cursor(bytes.map(|byte| format!("{byte:02x}")).collect())
    }

    /// The place in this list.
    ///
    /// # Errors
    /// [`Code::Invalid`] if it is not a cursor, or one of another list, of another order or of another version of Onward.
    #[doc(hidden)]
    pub fn place(&self, list: &str) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes().filter(|bytes| bytes.len() >= 4);
        let place = bytes.and_then(|bytes| {
            let (sum, place) = bytes.split_at(4);
            (sum == checksum(list, place).to_be_bytes()).then(|| place.to_vec())
        });
        place.ok_or_else(|| {
            let message = format!(
                "the cursor `{self}` does not belong to this list in this order: pass the `next` or `previous` of a page \
                 that was read in the same order, or begin without a cursor"
            );
            Error::new(Code::Invalid, message)
        })
    }

    /// The cursor as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let digits: Option<Vec<u32>> = self.0.chars().map(|digit| digit.to_digit(16)).collect();
        let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
        pairs.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
    }
}

/// FNV-1a: it has to catch cursors of other lists and broken ones, not attackers.
fn checksum(list: &str, place: &[u8]) -> u32 {
    let bytes = [VERSION].into_iter().chain(list.bytes()).chain([0]).chain(place.iter().copied());
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl From<String> for Cursor {
    fn from(text: String) -> Cursor {
        Cursor(text)
    }
}

impl From<&str> for Cursor {
    fn from(text: &str) -> Cursor {
        Cursor(text.to_owned())
    }
}

impl FromStr for Cursor {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Cursor, Infallible> {
        Ok(Cursor(text.to_owned()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of the page, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins: pass it as `after`. `None` on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
    /// Where the previous page ends: pass it as `before`. `None` on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page with other items, one for each.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(of).collect(), next: self.next, previous: self.previous }
    }
}

/// Which page of a list to read. The default is the first one.
///
/// ```
/// # use onward_types::Paging;
/// let first = Paging::default();
/// let few = Paging { limit: Some(10), ..Paging::default() };
/// # assert!(first.limit.is_none() && few.after.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// The maximum number of items: at most 10,000; `None` means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continue after this place: the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
}

impl Paging {
    /// How many items a page has if its reader does not say.
    pub const LIMIT: u32 = 100;
    /// How many items a page has at most.
    pub const LIMIT_MAX: u32 = 10_000;

    /// The number of items of the page.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(Paging::LIMIT).min(Paging::LIMIT_MAX)
    }

    /// The place from which a list is read, and whether it is read backwards.
    ///
    /// # Errors
    /// [`Code::Invalid`] for two cursors, or for one that does not belong to the list.
    #[doc(hidden)]
    pub fn from(&self, list: &str) -> Result<(Option<Vec<u8>>, bool), Error> {
        match (&self.after, &self.before) {
            (Some(_), Some(_)) => {
                let message = "a list goes on after a cursor or ends before one: give `after` or `before`, not both";
                Err(Error::new(Code::Invalid, message))
            }
            (after, None) => Ok((after.as_ref().map(|after| after.place(list)).transpose()?, false)),
            (None, Some(before)) => Ok((Some(before.place(list)?), true)),
        }
    }

    /// The page of these items, which were read in the direction of [`from`](Paging::from): one more than the page has, if there
    /// are that many.
    #[doc(hidden)]
    #[must_use]
    pub fn page<T>(&self, list: &str, mut items: Vec<T>, place: impl Fn(&T) -> Vec<u8>) -> Page<T> {
        let limit = self.limit() as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        if self.before.is_some() {
            items.reverse();
        }
        // The page a caller comes from is found on the other side.
        let (is_next, is_previous) = if self.before.is_some() { (true, more) } else { (more, self.after.is_some()) };
        let cursor = |item: &T| Cursor::new(list, &place(item));
        let next = items.last().filter(|_| is_next).map(&cursor);
        let previous = items.first().filter(|_| is_previous).map(cursor);
        Page { items, next, previous }
    }

    /// The page of a list of which all items are known. They are sorted by their places.
    ///
    /// # Errors
    /// As for [`from`](Paging::from).
    #[doc(hidden)]
    pub fn cut<T>(&self, list: &str, mut all: Vec<T>, place: impl Fn(&T) -> Vec<u8>) -> Result<Page<T>, Error> {
        let (from, backwards) = self.from(list)?;
        all.sort_by_cached_key(&place);
        if backwards {
            all.reverse();
        }
        if let Some(from) = from {
            all.retain(|item| if backwards { place(item) < from } else { place(item) > from });
        }
        all.truncate(self.limit() as usize + 1);
        Ok(self.page(list, all, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_in_both_directions() {
        let place = |n: &u8| vec![*n];
        let cut = |paging: &Paging| paging.cut("numbers", (0..7).rev().collect(), place).unwrap();
        let mut paging = Paging { limit: Some(3), ..Paging::default() };
        let (mut page, mut pages) = (cut(&paging), Vec::new());
        assert_eq!((page.items.as_slice(), page.previous.as_ref()), (&[0, 1, 2][..], None));
        while let Some(next) = page.next {
            pages.push(page.items);
            paging = Paging { after: Some(next), ..paging };
            page = cut(&paging);
        }
        assert_eq!(page.items, [6]);
        while let Some(previous) = page.previous {
            page = cut(&Paging { limit: Some(3), before: Some(previous), after: None });
            assert_eq!(Some(page.items), pages.pop());
        }
        assert!(pages.is_empty());
        let both = Paging { limit: None, after: page.next.clone(), before: page.next };
        assert_eq!(both.cut("numbers", vec![1_u8], place).unwrap_err().kind(), Code::Invalid);
    }

    #[test]
    fn a_cursor_brings_its_place_back_to_its_own_list_only() {
        let cursor = Cursor::new("runs by creation", b"place");
        assert_eq!(cursor.place("runs by creation").unwrap(), b"place");
        let other = cursor.place("runs by end").unwrap_err();
        assert!(other.kind() == Code::Invalid && other.message().contains("does not belong"), "{other}");
        let text = cursor.to_string();
        let changed = format!("{}0", &text[..text.len() - 1]);
        for broken in [&text[..text.len() - 2], &text[..text.len() - 1], "", "zz", "é", &format!("{text}00"), &changed]
        {
            assert!(Cursor::from(broken).place("runs by creation").is_err(), "{broken}");
        }
    }
}
