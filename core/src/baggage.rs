//! Baggage: pairs of the application's own that travel with a trace.

use std::fmt;

/// Pairs of the application's own that travel with a trace to every service below.
///
/// Order is kept, keys are unique and case-sensitive. At most [`MAX_ITEMS`](Self::MAX_ITEMS) pairs and
/// [`MAX_BYTES`](Self::MAX_BYTES) bytes of keys, values and properties are held (W3C Baggage, section 3.3.2, names both
/// as what every participant must at least pass on); what goes beyond is refused, whole pairs at a time.
///
/// ```
/// use opentracing_http::Baggage;
///
/// let mut baggage = Baggage::new();
/// assert!(baggage.set("tenant", "blue"));
/// assert_eq!(baggage.get("tenant"), Some("blue"));
/// assert!(!baggage.set("not a token", "x"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, Eq)]
struct Item {
    key: Box<str>,
    value: Box<str>,
    /// W3C's properties (`;a=b;c`), passed on as they came, without the leading semicolon.
    properties: Box<str>,
}

impl Item {
    fn bytes(&self) -> usize {
        self.key.len() + self.value.len() + self.properties.len()
    }
}

impl Baggage {
    /// How many pairs are held at most.
    pub const MAX_ITEMS: usize = 64;
    /// How many bytes of keys, values and properties are held at most.
    pub const MAX_BYTES: usize = 8192;

    pub(crate) const EMPTY: Self = Self { items: Vec::new() };

    /// Makes empty baggage; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// The value under this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.items
            .iter()
            .find(|item| &*item.key == key)
            .map(|item| &*item.value)
    }

    /// Sets a pair, in the place of the one with the same key if there is one.
    ///
    /// Answers `false`, and changes nothing, for a key that is not an RFC 9110 token (no format could carry it) and for
    /// a pair that goes over the bounds.
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        self.set_with_properties(key, value, "")
    }

    /// Sets a pair with W3C's properties (`a=b;c`), which are passed on as they stand; answers `false` as well if they
    /// break the grammar.
    pub fn set_with_properties(&mut self, key: &str, value: &str, properties: &str) -> bool {
        if !is_token(key) || !are_properties(properties) {
            return false;
        }
        let item = Item {
            key: key.into(),
            value: value.into(),
            properties: properties.into(),
        };
        let old = self.items.iter().position(|old| *old.key == *item.key);
        let freed = old.and_then(|at| self.items.get(at)).map_or(0, Item::bytes);
        let grows = item.bytes() > freed;
        if grows && self.bytes() - freed + item.bytes() > Self::MAX_BYTES {
            return false;
        }
        let full = self.items.len() >= Self::MAX_ITEMS;
        match old.and_then(|at| self.items.get_mut(at)) {
            Some(old) => *old = item,
            None if full => return false,
            None => self.items.push(item),
        }
        true
    }

    /// Removes a pair; answers whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.items.len();
        self.items.retain(|item| &*item.key != key);
        self.items.len() != before
    }

    /// Adds the pairs of `other` whose keys are not here yet: the first to set a key wins.
    pub fn merge(&mut self, other: &Self) {
        for (key, value, properties) in other.iter_with_properties() {
            if self.get(key).is_none() {
                self.set_with_properties(key, value, properties);
            }
        }
    }

    /// The pairs, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.items.iter().map(|item| (&*item.key, &*item.value))
    }

    /// The pairs with their properties (empty where there are none), in the order in which they were set.
    pub fn iter_with_properties(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.items
            .iter()
            .map(|item| (&*item.key, &*item.value, &*item.properties))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn heap_size(&self) -> usize {
        self.items.capacity() * size_of::<Item>() + self.bytes()
    }

    fn bytes(&self) -> usize {
        self.items.iter().map(Item::bytes).sum()
    }
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// RFC 9110, section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// W3C Baggage, section 3.3.1: visible ASCII without `"`, `,`, `;` and `\`.
pub(crate) fn is_baggage_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

/// `key` or `key=value`, with semicolons between.
fn are_properties(text: &str) -> bool {
    let valid = |property: &str| {
        let (key, value) = property.split_once('=').unwrap_or((property, ""));
        is_token(key) && value.bytes().all(is_baggage_octet)
    };
    text.is_empty() || text.split(';').all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_again_replaces_in_place() {
        let mut baggage = Baggage::new();
        assert!(baggage.set("a", "1") && baggage.set("b", "2") && baggage.set("a", "longer"));
        assert_eq!(
            baggage.iter().collect::<Vec<_>>(),
            [("a", "longer"), ("b", "2")]
        );
        assert_eq!((baggage.len(), baggage.is_empty()), (2, false));
        assert!(baggage.remove("a") && !baggage.remove("a"));
        assert_eq!(baggage.iter().collect::<Vec<_>>(), [("b", "2")]);
        assert!(baggage.remove("b") && baggage.is_empty());
    }

    #[test]
    fn bounds_refuse_whole_pairs() {
        let mut baggage = Baggage::new();
        for n in 0..Baggage::MAX_ITEMS {
            assert!(baggage.set(&format!("k{n}"), "v"));
        }
        assert!(!baggage.set("one-too-many", "v"));
        assert!(baggage.set("k0", "replacing is no growth"));

        let mut baggage = Baggage::new();
        assert!(baggage.set("k", &"v".repeat(Baggage::MAX_BYTES - 1)));
        assert!(!baggage.set("l", "v"));
        assert!(baggage.set("k", "short") && baggage.set("l", "v"));

        // A pair that grows gives up its own place first.
        let most = "v".repeat(Baggage::MAX_BYTES - 3);
        assert!(baggage.set("k", &most[1..]) && baggage.set("k", &most));
        assert!(!baggage.set("k", &format!("{most}v")) && !baggage.set("l", "vv"));
        assert_eq!(baggage.get("k"), Some(&*most));
    }

    #[test]
    fn properties_cannot_smuggle_another_pair() {
        let mut baggage = Baggage::new();
        for properties in [
            "a,b=c",
            "a;",
            ";a",
            "a;;b",
            "a b",
            "a=b c",
            "=b",
            "a\r\nx: y",
            "ä",
            "a=\"b\"",
        ] {
            assert!(
                !baggage.set_with_properties("k", "v", properties),
                "{properties:?}"
            );
        }
        assert!(baggage.set_with_properties("k", "v", "a=b=c;d;e="));
        assert_eq!(
            baggage.iter_with_properties().next(),
            Some(("k", "v", "a=b=c;d;e="))
        );
    }

    #[test]
    fn the_first_to_set_a_key_wins_a_merge() {
        let (mut first, mut second) = (Baggage::new(), Baggage::new());
        first.set("a", "first");
        second.set("a", "second");
        second.set("b", "second");
        first.merge(&second);
        assert_eq!(
            first.iter().collect::<Vec<_>>(),
            [("a", "first"), ("b", "second")]
        );
    }
}
