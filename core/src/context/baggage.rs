//! Baggage: the application's key-value pairs that travel with a trace.

use std::fmt;
use std::slice;

use crate::text::is_token;

/// The application's key-value pairs, which travel with a trace to every downstream service.
///
/// Pairs keep their order; keys are unique and case-sensitive. At most [`MAX_ITEMS`](Self::MAX_ITEMS) pairs and
/// [`MAX_BYTES`](Self::MAX_BYTES) bytes of keys, values and properties are stored: what every participant must
/// propagate at least (W3C Baggage, section 3.3.2). A pair beyond these limits is refused as a whole.
///
/// ```
/// use opentracing_http::Baggage;
///
/// let mut baggage = Baggage::new();
/// assert!(baggage.set("tenant", "blue"));
/// assert_eq!(baggage.get("tenant"), Some("blue"));
/// assert!(!baggage.set("not a token", "x"));
/// assert!(baggage.set_with_properties("tenant", "green", "ttl=60"));
/// assert_eq!(baggage.iter_with_properties().collect::<Vec<_>>(), [("tenant", "green", "ttl=60")]);
///
/// let mut defaults = Baggage::new();
/// defaults.set("tenant", "none");
/// defaults.set("region", "eu");
/// baggage.merge(&defaults);
/// assert_eq!(baggage.iter().collect::<Vec<_>>(), [("tenant", "green"), ("region", "eu")]);
/// assert!(baggage.remove("region") && !baggage.is_empty() && baggage.len() == 1);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    /// Key, value and properties of each pair, one after the other: one allocation for all pairs.
    text: String,
    items: Vec<Item>,
}

/// How many bytes of the text belong to a pair. Every number up to [`Baggage::MAX_BYTES`] fits into a `u16`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Item {
    /// The key's hash, independent of ASCII case: most different keys are told apart without comparing their text.
    hash: u16,
    /// The start of the pair in the text.
    start: u16,
    key: u16,
    value: u16,
    /// Length of W3C's properties (`;a=b;c`), stored as they came, without the leading semicolon.
    properties: u16,
}

impl Item {
    fn new(start: usize, key: &str, value: usize, properties: usize) -> Option<Self> {
        Some(Self {
            hash: hash(key),
            start: start.try_into().ok()?,
            key: key.len().try_into().ok()?,
            value: value.try_into().ok()?,
            properties: properties.try_into().ok()?,
        })
    }

    fn bytes(self) -> usize {
        usize::from(self.key) + usize::from(self.value) + usize::from(self.properties)
    }

    fn start(self) -> usize {
        self.start.into()
    }

    /// Returns the start of the value.
    fn value(self) -> usize {
        self.start() + usize::from(self.key)
    }

    /// Returns the start of the properties.
    fn properties(self) -> usize {
        self.value() + usize::from(self.value)
    }

    fn end(self) -> usize {
        self.start() + self.bytes()
    }
}

/// FNV-1a, folded to 16 bits. A caller can send keys with equal hashes, but gains nothing: at most 64 are compared.
fn hash(key: &str) -> u16 {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    (hash >> 16 ^ hash) as u16
}

impl Baggage {
    /// Maximum number of pairs.
    pub const MAX_ITEMS: usize = 64;
    /// Maximum number of bytes of all keys, values and properties.
    pub const MAX_BYTES: usize = 8192;

    pub(crate) const EMPTY: Self = Self {
        text: String::new(),
        items: Vec::new(),
    };

    /// Creates empty baggage, without an allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// Returns the value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, item) = self.find(key)?;
        self.text.get(item.value()..item.properties())
    }

    /// Sets a pair. A pair with the same key keeps its position and gets the new value.
    ///
    /// Returns `false` and changes nothing if the key is not a token (RFC 9110, section 5.6.2), which no format could
    /// carry, or if the pair exceeds the limits.
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        self.set_with_properties(key, value, "")
    }

    /// Sets a pair with W3C's properties (`a=b;c`), which are propagated unchanged. Returns `false` and changes nothing
    /// also if the properties break the grammar (W3C Baggage, section 3.3.1).
    pub fn set_with_properties(&mut self, key: &str, value: &str, properties: &str) -> bool {
        if !is_token(key) || !are_properties(properties) {
            return false;
        }
        let old = self.find(key);
        let start = old.map_or(self.text.len(), |(_, old)| old.start());
        let Some(item) = Item::new(start, key, value.len(), properties.len()) else {
            return false;
        };
        if let Some((at, old)) = old {
            let grows = item.bytes() > old.bytes();
            if grows && self.text.len() - old.bytes() + item.bytes() > Self::MAX_BYTES {
                return false;
            }
            let (value_at, properties_at) = (old.value(), old.properties());
            self.text
                .replace_range(properties_at..old.end(), properties);
            self.text.replace_range(value_at..properties_at, value);
            if let Some(place) = self.items.get_mut(at) {
                *place = item;
            }
            self.renumber();
            self.give_back();
            return true;
        }
        let full = self.items.len() >= Self::MAX_ITEMS;
        if full || self.text.len() + item.bytes() > Self::MAX_BYTES {
            return false;
        }
        // One allocation for all three, without spare capacity: spans wait in queues together with their baggage.
        self.text.reserve_exact(item.bytes());
        for part in [key, value, properties] {
            self.text.push_str(part);
        }
        self.items.push(item);
        true
    }

    /// Frees unused capacity, which was reserved for a refused pair or belonged to an earlier one.
    pub(crate) fn give_back(&mut self) {
        // The same rule as for other stored values: a capacity of at most twice the length plus 64 bytes.
        if self.text.capacity() > 2 * self.text.len() + 64 {
            self.text.shrink_to_fit();
        }
        if self.items.capacity() > 2 * self.items.len() + 8 {
            self.items.shrink_to_fit();
        }
    }

    fn find(&self, key: &str) -> Option<(usize, Item)> {
        let hash = hash(key);
        let mut items = self.items.iter().copied().enumerate();
        items.find(|(_, item)| item.hash == hash && self.key(*item) == key)
    }

    fn key(&self, item: Item) -> &str {
        let key = self.text.get(item.start()..item.value());
        key.unwrap_or_default()
    }

    /// Computes the start of each pair again, after one has changed its size.
    fn renumber(&mut self) {
        let mut start = 0;
        for item in &mut self.items {
            item.start = start;
            start = start.saturating_add(item.key + item.value + item.properties);
        }
    }

    /// Returns `true` if a pair has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Returns `true` if no pair can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= Self::MAX_ITEMS
    }

    /// Removes a pair; returns `true` if it was present.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some((at, item)) = self.find(key) else {
            return false;
        };
        self.text.replace_range(item.start()..item.end(), "");
        self.items.remove(at);
        self.renumber();
        self.give_back();
        true
    }

    /// Adds the pairs of `other` whose keys are not present; present pairs keep their values.
    pub fn merge(&mut self, other: &Self) {
        for (key, value, properties) in other.iter_with_properties() {
            if !self.has(key) {
                self.set_with_properties(key, value, properties);
            }
        }
    }

    /// Returns the pairs, in the order in which they were set.
    #[must_use]
    pub fn iter(&self) -> BaggageIter<'_> {
        BaggageIter(self.parts())
    }

    /// Returns the pairs with their properties, empty if there are none, in the order in which they were set.
    pub fn iter_with_properties(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.parts()
    }

    /// Returns the pairs, without those whose key equals an earlier one except for its case.
    pub(crate) fn iter_unlike_in_any_case(&self) -> impl Iterator<Item = (&str, &str)> {
        let earlier = |index: usize, key: &str| {
            let hash = hash(key);
            let mut before = self.items.iter().take(index);
            before.any(|item| item.hash == hash && self.key(*item).eq_ignore_ascii_case(key))
        };
        let pairs = self.iter().enumerate();
        pairs
            .filter(move |(index, (key, _))| !earlier(*index, key))
            .map(|(_, pair)| pair)
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            rest: &self.text,
            items: self.items.iter(),
        }
    }

    /// Returns the number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns `true` if there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn heap_size(&self) -> usize {
        self.items.capacity() * size_of::<Item>() + self.text.capacity()
    }

    /// Returns the number of bytes of keys, values and properties.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// Key, value and properties of each pair.
#[derive(Clone)]
struct Parts<'a> {
    rest: &'a str,
    items: slice::Iter<'a, Item>,
}

impl<'a> Parts<'a> {
    fn take(&mut self, length: u16) -> &'a str {
        let part;
        (part, self.rest) = self
            .rest
            .split_at_checked(length.into())
            .unwrap_or_default();
        part
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = (&'a str, &'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let item = *self.items.next()?;
        Some((
            self.take(item.key),
            self.take(item.value),
            self.take(item.properties),
        ))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

/// The pairs of a [`Baggage`]; made by [`Baggage::iter`].
#[derive(Clone)]
pub struct BaggageIter<'a>(Parts<'a>);

impl<'a> Iterator for BaggageIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value, _)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for BaggageIter<'_> {}

impl fmt::Debug for BaggageIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for &'a Baggage {
    type Item = (&'a str, &'a str);
    type IntoIter = BaggageIter<'a>;

    fn into_iter(self) -> BaggageIter<'a> {
        self.iter()
    }
}

/// Sets the pairs one after the other: of two with one key the last stays. Pairs that [`Baggage::set`] refuses are left out.
impl<K: AsRef<str>, V: AsRef<str>> Extend<(K, V)> for Baggage {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, pairs: T) {
        for (key, value) in pairs {
            self.set(key.as_ref(), value.as_ref());
        }
    }
}

/// As [`Extend`], starting with none.
impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Baggage {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut baggage = Self::new();
        baggage.extend(pairs);
        baggage
    }
}

/// Adds the pairs of a header to baggage.
///
/// A caller may send thousands of pairs, of which 64 are kept. So a key is looked up in a table instead of compared
/// with each pair, and no pair costs an allocation of its own.
pub(crate) struct Adding<'a> {
    /// The current header, until capacity for all of it is reserved. That happens at the first pair that is accepted,
    /// so that a refused header reserves nothing.
    list: Option<&'a [u8]>,
    /// Indexed by a key's hash: 1 + the number of the pair with that hash; 0 if there is none.
    slots: [u8; 256],
}

impl<'a> Adding<'a> {
    /// Creates an adder for baggage that may already contain pairs.
    pub(crate) fn to(baggage: &Baggage) -> Self {
        let mut adding = Self {
            list: None,
            slots: [0; 256],
        };
        for index in 0..baggage.len() {
            adding.note(baggage, index);
        }
        adding
    }

    /// Continues with this header.
    pub(crate) fn read(&mut self, list: &'a [u8]) {
        self.list = Some(list);
    }

    fn note(&mut self, baggage: &Baggage, index: usize) {
        let hash = baggage.items.get(index).map_or(0, |item| item.hash);
        let slot = self.slots.get_mut(usize::from(hash & 0xff));
        if let (Some(slot), Ok(number)) = (slot, u8::try_from(index + 1)) {
            *slot = number;
        }
    }

    /// Returns `true` if a pair has this key; with `any_case`, also a key in another letter case.
    pub(crate) fn has(&self, baggage: &Baggage, key: &str, any_case: bool) -> bool {
        let hash = hash(key);
        let same = |item: &Item| {
            let found = baggage.key(*item);
            item.hash == hash && (found == key || any_case && found.eq_ignore_ascii_case(key))
        };
        let slot = self.slots.get(usize::from(hash & 0xff)).copied();
        match usize::from(slot.unwrap_or_default()).checked_sub(1) {
            None => false,
            Some(index) => {
                baggage.items.get(index).is_some_and(same) || baggage.items.iter().any(same)
            }
        }
    }

    /// Adds a pair whose key is known to be new. `value` and `properties` append to the text; with `lower`, the key is
    /// stored in lower case.
    ///
    /// Returns `false` and changes nothing if the key, the properties or the limits refuse the pair.
    pub(crate) fn add(
        &mut self,
        baggage: &mut Baggage,
        (key, lower): (&str, bool),
        value: impl FnOnce(&mut String),
        properties: impl FnOnce(&mut String),
    ) -> bool {
        if baggage.is_full() || !is_token(key) {
            return false;
        }
        if let Some(list) = self.list.take() {
            let members = 1 + list.iter().filter(|byte| **byte == b',').count();
            let most = Baggage::MAX_ITEMS - baggage.len();
            baggage.items.reserve(members.min(most));
            let most = Baggage::MAX_BYTES.saturating_sub(baggage.bytes());
            baggage.text.reserve(list.len().min(most));
        }
        let text = &mut baggage.text;
        let start = text.len();
        text.push_str(key);
        if lower && let Some(key) = text.get_mut(start..) {
            key.make_ascii_lowercase();
        }
        let value_at = text.len();
        value(text);
        let properties_at = text.len();
        properties(text);
        let properties = text.get(properties_at..).unwrap_or_default();
        let valid = text.len() <= Baggage::MAX_BYTES && are_properties(properties);
        let item = Item::new(start, key, properties_at - value_at, properties.len());
        match item.filter(|_| valid) {
            Some(item) => {
                baggage.items.push(item);
                self.note(baggage, baggage.len() - 1);
            }
            None => baggage.text.truncate(start),
        }
        valid
    }
}

impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Returns `true` for a `baggage-octet` (W3C Baggage, section 3.3.1): visible ASCII without `"`, `,`, `;` and `\`.
pub(crate) fn is_baggage_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

/// Returns `true` for a list of `key` or `key=value`, separated by semicolons.
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

        // A pair that is replaced frees its own bytes first.
        let most = "v".repeat(Baggage::MAX_BYTES - 3);
        assert!(baggage.set("k", &most[1..]) && baggage.set("k", &most));
        assert!(!baggage.set("k", &format!("{most}v")) && !baggage.set("l", "vv"));
        assert_eq!(baggage.get("k"), Some(&*most));
    }

    #[test]
    fn properties_cannot_contain_another_pair() {
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
    fn merge_keeps_the_values_of_present_keys() {
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
