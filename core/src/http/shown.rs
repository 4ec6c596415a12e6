//! Reads the facts of a request, for a tracer, after the request's end.

use std::ops::Deref;

use crate::http::attribute::Attribute;
use crate::http::chosen::cut;
use crate::http::facts::{HttpFacts, KnownHost, KnownRoute};
use crate::http::host::{Host, append_url};
use crate::http::method::Method;
use crate::http::redaction::{Bounded, REDACTED};
use crate::http::request_view::Route;
use crate::http::settings::HttpSettings;
use crate::http::text_buffer::{Text, TextBuffer};

/// Facts, and their text, which is decoded once for all of them.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    facts: &'a HttpFacts,
    text: &'a str,
}

impl Deref for Shown<'_> {
    type Target = HttpFacts;

    fn deref(&self) -> &HttpFacts {
        self.facts
    }
}

impl<'a> Shown<'a> {
    pub(super) const fn new(facts: &'a HttpFacts, text: &'a str) -> Self {
        Self { facts, text }
    }

    fn part(self, part: Text) -> &'a str {
        let range = part.start as usize..part.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    /// Returns the span's name: that of a gRPC call, else method and route, or the method alone.
    pub(crate) fn name(self) -> &'a str {
        match (self.rpc_name(), self.facts.name) {
            (Some(name), _) => name,
            (None, Some(name)) => self.part(name),
            (None, None) => self.facts.name_method(),
        }
    }

    /// Returns the method as the client sent it, if it is not a known one.
    pub(crate) fn other_method(self) -> Option<&'a str> {
        match &self.known_method {
            Some(_) => None,
            None => Some(self.part(self.other_method)),
        }
    }

    /// Returns the method, `_OTHER` if it is not a known one.
    pub(crate) fn method(self) -> &'a str {
        let known = self.facts.known_method.as_ref();
        known.map_or("_OTHER", Method::as_str)
    }

    pub(crate) fn scheme(self) -> &'a str {
        self.facts.scheme.map_or("http", |scheme| self.part(scheme))
    }

    fn host(self) -> Option<Host<'a>> {
        match self.facts.host? {
            KnownHost::Named(named) => Host::parse(self.part(named)),
            KnownHost::Cut {
                whole,
                address,
                port,
            } => Some(Host {
                text: self.part(whole),
                address: self.part(address),
                port,
            }),
        }
    }

    /// Returns scheme, host and path; the path alone without a host.
    pub(crate) fn url(self) -> String {
        let host = self.host().map(|host| host.text);
        let room = "https://".len() + host.map_or(0, str::len) + self.path().len();
        let mut url = String::with_capacity(room);
        append_url(&mut url, Some(self.scheme()), host, self.path());
        url
    }

    /// Returns the host without its port, and the port if there is one.
    pub(crate) fn server(self) -> Option<(&'a str, Option<u16>)> {
        self.host().map(|host| (host.address, host.port))
    }

    pub(crate) fn path(self) -> &'a str {
        self.part(self.facts.path)
    }

    pub(crate) fn query(self) -> Option<&'a str> {
        self.facts.query.map(|query| self.part(query))
    }

    pub(crate) fn user_agent(self) -> Option<&'a str> {
        self.facts.user_agent.map(|agent| self.part(agent))
    }

    pub(crate) fn route(self) -> Route<'a> {
        match self.facts.route {
            KnownRoute::Unknown => Route::Unknown,
            KnownRoute::Unmatched => Route::Unmatched,
            KnownRoute::Template(template) => Route::Template(self.part(template)),
        }
    }

    pub(crate) fn template(self) -> Option<&'a str> {
        match self.route() {
            Route::Template(template) => Some(template),
            Route::Unknown | Route::Unmatched => None,
        }
    }

    /// Returns all lists of attributes.
    pub(super) fn lists(self, settings: &'a HttpSettings) -> impl Iterator<Item = &'a [Attribute]> {
        self.facts.lists(settings)
    }

    /// Returns the chosen attributes whose text was stored, and that text.
    pub(crate) fn attributes(
        self,
        settings: &'a HttpSettings,
    ) -> impl Iterator<Item = (&'a Attribute, &'a str)> {
        self.facts.attributes.iter().filter_map(move |slot| {
            let list = self.facts.list(settings, slot.list);
            let attribute = list.get(usize::from(slot.index))?;
            Some((attribute, self.part(slot.value)))
        })
    }
}

/// Returns the redacted query for a convention's tags, cut to the maximum length of a value.
pub(super) fn shown_query(query: &str, settings: &HttpSettings, limit: usize) -> String {
    let mut text = TextBuffer::default();
    text.reserve_exact(query.len().min(limit) + REDACTED.len());
    settings
        .query_redaction
        .append(query, &mut Bounded::new(&mut text, limit));
    cut(&mut text, 0, limit);
    text.into_string()
}
