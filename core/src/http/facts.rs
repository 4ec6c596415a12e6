//! The facts that a recorded span stores about its request: raw, in one buffer, converted only when a tracer reads
//! them.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};

use crate::http::attribute::{Attribute, What};
use crate::http::chosen::{
    Added, HeaderValues, SPARE_TEXT, Slot, Slots, Wanted, append, cut, header_rule,
};
use crate::http::grpc::{GrpcCall, is_grpc_type};
use crate::http::host::Host;
use crate::http::method::Method;
use crate::http::options::Options;
use crate::http::origin::Origin;
use crate::http::outcome::Outcome;
use crate::http::redaction::{Bounded, HeaderRule, append_header, append_value};
use crate::http::request_view::{RequestView, Route, canonical, host_header, version_number};
use crate::http::settings::HttpSettings;
use crate::http::shown::Shown;
use crate::http::text_buffer::{Text, TextBuffer};
use crate::http::url_redaction::is_plain_text;
use crate::propagation::{HeaderView, Seen};
use crate::text::{BoundedText, prefix};

pub(crate) struct HttpFacts {
    /// All text of the request; the fields below refer to parts of it.
    text: TextBuffer,
    pub(crate) component: &'static str,
    /// The method, if it is a known one.
    pub(super) known_method: Option<Method>,
    pub(super) other_method: Text,
    pub(super) scheme: Option<Text>,
    pub(super) host: Option<KnownHost>,
    pub(super) path: Text,
    pub(super) query: Option<Text>,
    pub(super) user_agent: Option<Text>,
    pub(crate) version: Option<&'static str>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: Option<IpAddr>,
    pub(super) route: KnownRoute,
    /// Method and route, next to each other in the buffer.
    pub(super) name: Option<Text>,
    pub(crate) status: Option<u16>,
    pub(crate) grpc: GrpcCall,
    pub(crate) outcome: Option<Outcome>,
    /// Time from the start to the response head.
    pub(crate) head: Option<Duration>,
    /// The number of bytes of the body that were handed to the server, if the body ended before the span.
    pub(crate) body_bytes: Option<u64>,
    /// The error message, if the framework reports one, or that of a panic.
    pub(crate) error: Option<String>,
    /// Whether the error message is that of a panic, which no other replaces.
    error_is_panic: bool,
    /// Whether the policy's own rule counts the status as a failure, if it has one.
    pub(crate) status_fails: Option<bool>,
    pub(super) attributes: Slots,
    /// The options of the mount point where the span started, followed by those of each inner mount point that joined
    /// it.
    pub(crate) options: Option<Arc<Options>>,
    joined: Vec<Arc<Options>>,
    pub(crate) cut_values: u32,
}

/// The host that the request names.
#[derive(Clone, Copy)]
pub(super) enum KnownHost {
    /// Unchecked: it is validated when a tracer reads it.
    Named(Text),
    /// A valid host whose text was cut. The port is that of the request.
    Cut {
        whole: Text,
        address: Text,
        port: Option<u16>,
    },
}

#[derive(Clone, Copy, Default)]
pub(super) enum KnownRoute {
    #[default]
    Unknown,
    Unmatched,
    Template(Text),
}

/// A request at a mount point.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) view: &'a dyn RequestView,
    /// Its headers; those that tags are made from are stored.
    pub(crate) headers: &'a Seen<'a, 'a>,
    /// The framework's name.
    pub(crate) component: &'static str,
    /// The mount point's options.
    pub(crate) options: Option<&'a Arc<Options>>,
    /// Whether finish callbacks are called for it, even if it is not recorded.
    pub(crate) calls_back: bool,
}

/// Number of bytes of text capacity that are kept from one request to the next.
const KEPT_TEXT: usize = 2048;

impl HttpFacts {
    pub(crate) const EMPTY: Self = Self {
        text: TextBuffer::EMPTY,
        component: "",
        known_method: None,
        other_method: Text::EMPTY,
        scheme: None,
        host: None,
        path: Text::EMPTY,
        query: None,
        user_agent: None,
        version: None,
        peer: None,
        client: None,
        route: KnownRoute::Unknown,
        name: None,
        status: None,
        grpc: GrpcCall::NONE,
        outcome: None,
        head: None,
        body_bytes: None,
        error: None,
        error_is_panic: false,
        status_fails: None,
        attributes: Slots::EMPTY,
        options: None,
        joined: Vec::new(),
        cut_values: 0,
    };

    /// Removes the request's data. The capacity of the text is kept, up to a limit.
    pub(crate) fn clear(&mut self) {
        let mut text = mem::take(&mut self.text);
        text.clear(KEPT_TEXT);
        *self = Self {
            text,
            ..Self::EMPTY
        };
    }

    /// Stores what finish callbacks get of a request that is not recorded.
    pub(crate) fn watch(&mut self, arrival: &Arrival<'_>, settings: &HttpSettings, limit: usize) {
        self.options = arrival.options.cloned();
        self.known_method = settings.known_methods.find(arrival.view.method());
        self.set_route(arrival.view.route(), limit);
        if is_grpc_request(arrival.headers) {
            let path = arrival.view.path();
            self.grpc = GrpcCall::of_request(path, limit);
            self.path = self.push(path, limit);
        }
    }

    /// Copies the facts of the request, once, into empty facts.
    pub(crate) fn read(&mut self, arrival: &Arrival<'_>, settings: &HttpSettings, limit: usize) {
        let Arrival {
            view,
            headers,
            options,
            ..
        } = *arrival;
        self.component = arrival.component;
        self.version = view.version().and_then(version_number);
        self.peer = view.peer().map(canonical);
        self.options = options.cloned();
        let host = || headers.single(&HOST).or_else(|| host_header(headers));
        let origin = &Origin::of(view, settings, host);
        self.client = origin.client;
        let (path, scheme, host) = (view.path(), origin.scheme, origin.authority.as_deref());
        let query = view.query().filter(|_| settings.convention.has_query());
        let user_agent = match settings.convention.has_user_agent() {
            true => {
                let mut agent = None;
                headers.header_values(USER_AGENT.as_str(), &mut |value| {
                    agent.get_or_insert(value);
                });
                agent.and_then(|value| std::str::from_utf8(value).ok())
            }
            false => None,
        };
        let room = [Some(path), scheme, query, user_agent].map(|text| text.map_or(0, str::len));
        let room = room.into_iter().chain(host.map(<[u8]>::len));
        let room: usize = room.map(|length| length.min(limit)).sum();
        let chosen =
            settings.attributes.len() + options.map_or(0, |options| options.attributes.len());
        self.text.reserve_exact(room + SPARE_TEXT + chosen * 64);

        let method = view.method();
        self.known_method = settings.known_methods.find(method);
        if self.known_method.is_none() {
            self.other_method = self.push(method, limit);
        }
        self.path = self.push(path, limit);
        if is_grpc_request(headers) {
            self.grpc = GrpcCall::of_request(path, limit);
        }
        self.host = host.and_then(|host| self.push_host(host, limit));
        self.scheme = scheme.map(|scheme| self.push(scheme, limit));
        self.query = query.map(|query| self.push(query, limit));
        self.user_agent = user_agent.map(|agent| {
            let start = self.text.len();
            let rule = match settings.redacted_headers.contains(&USER_AGENT) {
                true => HeaderRule::Secret,
                false => HeaderRule::Text,
            };
            let out = &mut Bounded::new(&mut self.text, limit);
            append_value(agent, Some(rule), &settings.query_redaction, out);
            self.cut(start, limit)
        });
        self.read_attributes(0, &settings.attributes, arrival, origin, settings, limit);
        if let Some(options) = options {
            self.read_attributes(1, &options.attributes, arrival, origin, settings, limit);
        }
        match view.route() {
            // The default.
            Route::Unknown => {}
            route => self.set_route(route, limit),
        }
    }

    /// Adds the attributes of an inner mount point of the same request.
    pub(crate) fn join(&mut self, options: &Arc<Options>, added: Option<&Added>) {
        let mut known = self.joined.iter().chain(&self.options);
        if known.any(|known| Arc::ptr_eq(known, options)) {
            // The request was passed on more than once, for example by a layer that retries.
            return;
        }
        self.joined.push(options.clone());
        let Some(added) = added else {
            return;
        };
        let list = u16::try_from(self.joined.len() + 1).unwrap_or(u16::MAX);
        self.cut_values += added.cut_values;
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.extend(&added.text);
        for slot in added.values.iter() {
            let value = Text {
                start: start.saturating_add(slot.value.start),
                end: start.saturating_add(slot.value.end),
            };
            self.attributes.push(Slot {
                list,
                value,
                ..*slot
            });
        }
    }

    /// Returns the next response header that is wanted as an attribute, by the policy or by any mount point.
    pub(crate) fn next_header(
        &self,
        wanted: &mut Wanted,
        settings: &HttpSettings,
    ) -> Option<HeaderName> {
        let lists = 2 + self.joined.len();
        if !settings.has_response_headers && self.innermost(has_response_headers).is_none() {
            return None;
        }
        while usize::from(wanted.list) < lists {
            let mut attributes = self.list(settings, wanted.list).iter().enumerate();
            let next = attributes.find_map(|(index, attribute)| match &attribute.what {
                // Cloning a standard header's name copies no text.
                What::ResponseHeader(name, rule)
                    if index >= wanted.next
                        && !(wanted.only_missing && self.has_slot(wanted.list, index)) =>
                {
                    let rule = header_rule(attribute, name, *rule, settings);
                    Some((index, name.clone(), rule))
                }
                _ => None,
            });
            if let Some((index, name, rule)) = next {
                (wanted.index, wanted.next, wanted.rule) = (index, index + 1, rule);
                return Some(name);
            }
            wanted.list += 1;
            wanted.next = 0;
        }
        None
    }

    fn has_slot(&self, list: u16, index: usize) -> bool {
        let mut slots = self.attributes.iter();
        slots.any(|slot| slot.list == list && usize::from(slot.index) == index)
    }

    /// Adds the values of the header that [`next_header`](Self::next_header) returned last.
    pub(crate) fn add_header(
        &mut self,
        wanted: &Wanted,
        name: &HeaderName,
        values: &HeaderValues<'_>,
        settings: &HttpSettings,
        limit: usize,
    ) {
        let start = self.text.len();
        let out = &mut Bounded::new(&mut self.text, limit);
        if append_header(values, name, wanted.rule, &settings.query_redaction, out) {
            self.push_slot(wanted.list, wanted.index, start, limit);
        }
    }

    fn read_attributes(
        &mut self,
        list: u16,
        attributes: &[Attribute],
        arrival: &Arrival<'_>,
        origin: &Origin<'_>,
        settings: &HttpSettings,
        limit: usize,
    ) {
        for (index, attribute) in attributes.iter().enumerate() {
            let start = self.text.len();
            let Arrival { view, headers, .. } = *arrival;
            if let Some(value) = plain_header(attribute, headers, settings, limit) {
                self.text.push_ascii(value);
                let value = self.since(start);
                self.add_slot(list, index, value);
            } else if append(
                attribute,
                view,
                origin,
                headers,
                settings,
                limit,
                &mut self.text,
            ) {
                self.push_slot(list, index, start, limit);
            }
        }
    }

    /// Stores the text from `start` on as an attribute's value, cut to the limit.
    fn push_slot(&mut self, list: u16, index: usize, start: usize, limit: usize) {
        let value = self.cut(start, limit);
        self.add_slot(list, index, value);
    }

    fn add_slot(&mut self, list: u16, index: usize, value: Text) {
        if let Ok(index) = u16::try_from(index) {
            self.attributes.push(Slot { list, index, value });
        }
    }

    /// Returns the text from `start` on, cut to the limit.
    fn cut(&mut self, start: usize, limit: usize) -> Text {
        self.cut_values += u32::from(cut(&mut self.text, start, limit));
        self.since(start)
    }

    /// Returns the text from `start` on.
    fn since(&self, start: usize) -> Text {
        match (u32::try_from(start), u32::try_from(self.text.len())) {
            (Ok(start), Ok(end)) => Text { start, end },
            _ => Text::EMPTY,
        }
    }

    fn push(&mut self, text: &str, limit: usize) -> Text {
        let kept = prefix(text, limit);
        if kept.len() < text.len() {
            self.cut_values += 1;
        }
        let start = self.text.len();
        self.text.push_str(kept);
        self.since(start)
    }

    fn push_host(&mut self, named: &[u8], limit: usize) -> Option<KnownHost> {
        if named.len() <= limit && named.is_ascii() {
            let start = self.text.len();
            self.text.push_ascii(named);
            return Some(KnownHost::Named(self.since(start)));
        }
        let host = Host::parse(std::str::from_utf8(named).ok()?)?;
        let whole = self.push(host.text, limit);
        // After the bracket, if there is one.
        let bracket = u32::from(host.text.starts_with('['));
        let length = u32::try_from(host.address.len()).unwrap_or(u32::MAX);
        let start = whole.end.min(whole.start.saturating_add(bracket));
        let end = whole.end.min(start.saturating_add(length));
        Some(KnownHost::Cut {
            whole,
            address: Text { start, end },
            port: host.port,
        })
    }

    /// Sets the route. A template is not replaced by a route that says less: only the innermost mount point may know
    /// it.
    pub(crate) fn set_route(&mut self, route: Route<'_>, limit: usize) {
        match (route, self.route) {
            (Route::Unknown, _) | (Route::Unmatched, KnownRoute::Template(_)) => {}
            (Route::Unmatched, _) => self.route = KnownRoute::Unmatched,
            (Route::Template(template), KnownRoute::Template(known))
                if self.text.has(known, template) => {}
            (Route::Template(template), _) => self.set_template(template, limit),
        }
    }

    pub(crate) const fn is_route_unknown(&self) -> bool {
        matches!(self.route, KnownRoute::Unknown)
    }

    /// Stores the error.
    pub(crate) fn set_error(&mut self, error: BoundedText) {
        if !self.error_is_panic {
            self.cut_values += u32::from(error.is_cut);
            self.error = Some(error.text);
        }
    }

    /// Stores the message of a panic as the error, for good.
    pub(crate) fn set_panic_message(&mut self, message: BoundedText) {
        self.set_error(message);
        self.error_is_panic = true;
    }

    /// Stores method and template next to each other, and replaces an earlier template: changes take no more room.
    fn set_template(&mut self, template: &str, limit: usize) {
        let kept = prefix(template, limit);
        self.cut_values += u32::from(kept.len() < template.len());
        let method = self.known_method.clone();
        let method = method.as_ref().map_or("HTTP", Method::as_str);
        let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let length = method.len() + 1 + kept.len();
        let start = match self.name {
            None => {
                let start = self.text.len();
                for part in [method, " ", kept] {
                    self.text.push_str(part);
                }
                start
            }
            Some(old) => {
                let start = old.start as usize;
                let template = start + method.len() + 1;
                // The method stays.
                self.text.replace(template..old.end as usize, kept);
                self.attributes.shift(old.end, position(start + length));
                start
            }
        };
        let end = position(start + length);
        self.route = KnownRoute::Template(Text {
            start: position(start + method.len() + 1),
            end,
        });
        self.name = Some(Text {
            start: position(start),
            end,
        });
    }

    /// Returns the method as it appears in names (OpenTelemetry's HTTP spans, "Name").
    pub(super) fn name_method(&self) -> &str {
        self.known_method.as_ref().map_or("HTTP", Method::as_str)
    }

    /// Returns the method, `_OTHER` if it is not a known one.
    pub(crate) fn method(&self) -> Method {
        self.known_method.clone().unwrap_or(Method::OTHER)
    }

    /// Returns the facts for reading.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown::new(self, self.text.as_str())
    }

    /// Returns all lists of attributes.
    pub(super) fn lists<'a>(
        &'a self,
        settings: &'a HttpSettings,
    ) -> impl Iterator<Item = &'a [Attribute]> {
        let joined = self.joined.iter().map(|options| &*options.attributes);
        [self.list(settings, 0), self.list(settings, 1)]
            .into_iter()
            .chain(joined)
    }

    pub(super) fn list<'a>(&'a self, settings: &'a HttpSettings, list: u16) -> &'a [Attribute] {
        match list {
            0 => &settings.attributes,
            1 => self
                .options
                .as_ref()
                .map_or(&[], |options| &options.attributes),
            n => self
                .joined
                .get(usize::from(n) - 2)
                .map_or(&[], |options| &options.attributes),
        }
    }

    /// Returns the first value that `decides` finds, from the innermost mount point outwards.
    pub(crate) fn innermost<T>(&self, decides: impl Fn(&Options) -> Option<T>) -> Option<T> {
        self.joined
            .iter()
            .rev()
            .chain(&self.options)
            .find_map(|options| decides(options))
    }

    /// Returns the number of bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.text.capacity()
            + self.attributes.heap_size()
            + self.joined.capacity() * size_of::<Arc<Options>>()
            + self.error.as_ref().map_or(0, String::capacity)
    }
}

/// Returns the value of a header that needs no redaction, as most do; `None` if it has to be examined.
fn plain_header<'a>(
    attribute: &'a Attribute,
    headers: &'a Seen<'_, '_>,
    settings: &HttpSettings,
    limit: usize,
) -> Option<&'a [u8]> {
    let What::RequestHeader(name, rule) = &attribute.what else {
        return None;
    };
    let value = headers.single(name)?;
    let rule = header_rule(attribute, name, *rule, settings);
    let is_text = matches!(rule, None | Some(HeaderRule::Text));
    (is_text && value.len() <= limit && is_plain_text(value)).then_some(value)
}

/// Returns `true` if the request is one of gRPC.
fn is_grpc_request(headers: &Seen<'_, '_>) -> bool {
    headers
        .first(CONTENT_TYPE.as_str())
        .is_some_and(is_grpc_type)
}

/// Returns `Some` if one of the attributes is read from a response header.
fn has_response_headers(options: &Options) -> Option<()> {
    options.has_response_headers.then_some(())
}
