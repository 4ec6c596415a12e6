//! The values of the chosen attributes, as text.

use std::cell::Cell;
use std::fmt::Write as _;

use http::HeaderName;
use http::header::CONTENT_LENGTH;

use crate::http::attribute::{Attribute, What};
use crate::http::host::append_url;
use crate::http::options::Options;
use crate::http::origin::Origin;
use crate::http::redaction::{Bounded, HeaderRule, append_header};
use crate::http::request_view::{RequestView, canonical, host_header, version_number};
use crate::http::settings::HttpSettings;
use crate::http::synthetic::synthetic_type;
use crate::http::text_buffer::{Text, TextBuffer};
use crate::propagation::HeaderView;

/// Number of attributes that are stored in the record itself; more cost an allocation.
const INLINE_ATTRIBUTES: usize = 8;

/// Room for text that is not known when the buffer is allocated: the route, and attributes of the response.
pub(crate) const SPARE_TEXT: usize = 96;

/// A thread's buffer that has grown beyond this is freed.
const MAX_BUFFER: usize = 1024;

/// The value of one attribute, and the list that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    /// 0 for the policy's list, 1 for the mount point's, 2 and more for those of inner mount points.
    pub(crate) list: u16,
    pub(crate) index: u16,
    pub(crate) value: Text,
}

/// The values of all chosen attributes.
pub(crate) struct Slots {
    inline: [Slot; INLINE_ATTRIBUTES],
    used: usize,
    more: Vec<Slot>,
}

impl Slots {
    pub(crate) const EMPTY: Self = Self {
        inline: [Slot {
            list: 0,
            index: 0,
            value: Text::EMPTY,
        }; INLINE_ATTRIBUTES],
        used: 0,
        more: Vec::new(),
    };

    pub(crate) fn push(&mut self, slot: Slot) {
        match self.inline.get_mut(self.used) {
            Some(free) => {
                *free = slot;
                self.used += 1;
            }
            None => self.more.push(slot),
        }
    }

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.more.capacity() * size_of::<Slot>()
    }

    /// Moves positions after text that started at `from` has moved to `to`.
    pub(crate) fn shift(&mut self, from: u32, to: u32) {
        let inline = self.inline.iter_mut().take(self.used);
        for Slot { value, .. } in inline.chain(&mut self.more) {
            if value.start >= from {
                value.start = value.start - from + to;
                value.end = value.end - from + to;
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.inline.iter().take(self.used).chain(&self.more)
    }
}

/// Appends the attribute's value; returns `true` if it has one.
pub(crate) fn append(
    attribute: &Attribute,
    view: &dyn RequestView,
    origin: &Origin<'_>,
    headers: &dyn HeaderView,
    settings: &HttpSettings,
    limit: usize,
    text: &mut TextBuffer,
) -> bool {
    let found = match &attribute.what {
        What::RequestHeader(name, rule) => {
            let rule = header_rule(attribute, name, *rule, settings);
            let out = &mut Bounded::new(text, limit);
            return append_header(headers, name, rule, &settings.query_redaction, out);
        }
        // Read at the end, from the facts.
        What::ResponseHeader(..)
        | What::ResponseBodySize
        | What::PathParameters
        | What::PathParameter(_) => return false,
        What::RequestBodySize => declared_size(headers),
        What::SyntheticType => headers.header("user-agent").and_then(synthetic_type),
        What::LocalAddress => {
            let local = view.local_addr().map(|local| canonical(local).ip());
            let local = local.filter(|local| !local.is_unspecified());
            return local.is_some_and(|local| write!(text, "{local}").is_ok());
        }
        What::LocalPort => {
            let port = view.local_addr().map(|local| local.port());
            return port.is_some_and(|port| write!(text, "{port}").is_ok());
        }
        What::RemoteAddr => {
            return view
                .peer()
                .is_some_and(|peer| write!(text, "{}", canonical(peer)).is_ok());
        }
        What::Query => {
            let query = view.query();
            if let Some(query) = query {
                append_query(query, attribute, settings, &mut Bounded::new(text, limit));
            }
            return query.is_some();
        }
        What::Url => {
            append_url(
                text,
                origin.scheme,
                origin.host().map(|host| host.text),
                view.path(),
            );
            if let Some(query) = view.query() {
                text.push_str("?");
                append_query(query, attribute, settings, &mut Bounded::new(text, limit));
            }
            return true;
        }
        What::Path => Some(view.path()),
        What::Method => Some(view.method()),
        What::Host => origin.host().map(|host| host.text),
        What::Scheme => Some(origin.scheme.unwrap_or("http")),
        What::Version => view.version().and_then(version_number),
    };
    if let Some(found) = found {
        text.push_str(found);
    }
    found.is_some()
}

/// Returns the size of the request's body that its only `Content-Length` declares: digits alone (RFC 9110, section 8.6).
fn declared_size(headers: &dyn HeaderView) -> Option<&str> {
    let (mut declared, mut count) = (None, 0_usize);
    headers.header_values(CONTENT_LENGTH.as_str(), &mut |value| {
        declared = Some(value);
        count += 1;
    });
    let declared = declared.filter(|_| count == 1)?;
    let is_number = declared.iter().all(u8::is_ascii_digit);
    let declared = std::str::from_utf8(declared).ok().filter(|_| is_number)?;
    declared.parse::<i64>().is_ok().then_some(declared)
}

fn append_query(
    query: &str,
    attribute: &Attribute,
    settings: &HttpSettings,
    out: &mut Bounded<'_>,
) {
    if attribute.unredacted {
        out.push(query);
    } else {
        settings.query_redaction.append(query, out);
    }
}

/// Returns how a header's values are redacted; `None` if they are not.
pub(crate) fn header_rule(
    attribute: &Attribute,
    name: &HeaderName,
    rule: HeaderRule,
    settings: &HttpSettings,
) -> Option<HeaderRule> {
    match attribute.unredacted {
        true => None,
        false if settings.redacted_headers.contains(name) => Some(HeaderRule::Secret),
        false => Some(rule),
    }
}

/// Cuts the text from `start` on to at most `limit` bytes; returns `true` if text was cut.
pub(crate) fn cut(text: &mut TextBuffer, start: usize, limit: usize) -> bool {
    let is_cut = text.cut(start, limit);
    if is_cut {
        // The capacity for the cut text is freed, so that it does not stay in the queue.
        text.shrink_to_spare(SPARE_TEXT);
    }
    is_cut
}

thread_local! {
    /// An empty buffer for each thread, which is used again and again.
    static BUFFER: Cell<TextBuffer> = const { Cell::new(TextBuffer::EMPTY) };
}

/// The attributes that an inner mount point adds, read before the span is locked.
pub(crate) struct Added {
    pub(crate) text: TextBuffer,
    pub(crate) values: Slots,
    pub(crate) cut_values: u32,
}

impl Added {
    pub(crate) fn read(
        options: &Options,
        view: &dyn RequestView,
        settings: &HttpSettings,
        limit: usize,
    ) -> Self {
        let headers = view.headers();
        let origin = match options.attributes.iter().any(Attribute::is_of_origin) {
            true => Origin::of(view, settings, || host_header(headers)),
            false => Origin::default(),
        };
        let mut added = Self {
            text: BUFFER.try_with(Cell::take).unwrap_or_default(),
            values: Slots::EMPTY,
            cut_values: 0,
        };
        for (index, attribute) in options.attributes.iter().enumerate() {
            let start = added.text.len();
            if append(
                attribute,
                view,
                &origin,
                headers,
                settings,
                limit,
                &mut added.text,
            ) {
                added.cut_values += u32::from(cut(&mut added.text, start, limit));
                let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                let (start, end) = (position(start), position(added.text.len()));
                added.values.push(Slot {
                    list: 0,
                    index: u16::try_from(index).unwrap_or(u16::MAX),
                    value: Text { start, end },
                });
            }
        }
        added
    }
}

impl Drop for Added {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        if text.capacity() <= MAX_BUFFER {
            text.clear(MAX_BUFFER);
            let _ = BUFFER.try_with(|buffer| buffer.set(text));
        }
    }
}

/// The position among the attributes of the response.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) list: u16,
    pub(crate) index: usize,
    pub(crate) next: usize,
    /// Whether those that have a value already are left out.
    pub(crate) only_missing: bool,
    pub(crate) rule: Option<HeaderRule>,
}

/// The values of one header, read before the span is locked.
pub(crate) struct HeaderValues<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> HeaderValues<'a> {
    pub(crate) fn read(headers: &'a dyn HeaderView, name: &HeaderName) -> Self {
        let (mut first, mut more) = (None, Vec::new());
        headers.header_values(name.as_str(), &mut |value| match first {
            None => first = Some(value),
            Some(_) => more.push(value),
        });
        Self { first, more }
    }
}

/// Returns the values under every name, because it has those of one header only.
impl HeaderView for HeaderValues<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.header_values("", &mut |value| visit("", value));
    }

    fn header_values<'a>(&'a self, _: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.first
            .iter()
            .chain(&self.more)
            .for_each(|value| visit(value));
    }
}
