//! Every kind of headers that the core reads and writes, made of pairs and turned into pairs.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Carrier, HeaderView};

use super::format::Format;
use super::table::{Sent, Short};

/// Headers in the order of their names.
#[derive(PartialEq, Eq)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.0.iter().map(|(name, value)| (name, Short(value)));
        f.debug_map().entries(short).finish()
    }
}

/// The same headers as `http`'s map, unless HTTP forbids one of them.
pub(super) fn header_map(headers: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}

/// The same headers as the standard maps, unless one stands there twice.
pub(super) fn text_maps(headers: &[(String, Vec<u8>)]) -> Option<[Box<dyn HeaderView>; 2]> {
    let sorted: BTreeMap<String, Vec<u8>> = headers.iter().cloned().collect();
    let hashed: HashMap<String, Vec<u8>> = headers.iter().cloned().collect();
    let all = sorted.len() == headers.len();
    all.then(|| [Box::new(sorted) as Box<dyn HeaderView>, Box::new(hashed)])
}

/// A kind of carrier that can remove as well as set.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    HeaderMap,
    HashMap,
    BTreeMap,
    Pairs,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::HeaderMap, Self::HashMap, Self::BTreeMap, Self::Pairs];

    /// What such a carrier has after it had all of `there` and then was injected into, sorted by name.
    ///
    /// Names are compared without case, so they come back in lower case.
    pub(super) fn inject(
        self,
        format: &Format,
        there: &[(String, String)],
        sent: &[&Sent],
    ) -> Headers {
        sorted(match self {
            Self::HeaderMap => {
                let mut map = HeaderMap::new();
                for (name, value) in there {
                    if let (Ok(name), Ok(value)) =
                        (name.parse::<HeaderName>(), HeaderValue::from_str(value))
                    {
                        map.append(name, value);
                    }
                }
                write_all(format, sent, &mut map);
                pairs(&map)
            }
            Self::HashMap => {
                let mut map: HashMap<String, String> = there.iter().cloned().collect();
                write_all(format, sent, &mut map);
                pairs(&map)
            }
            Self::BTreeMap => {
                let mut map: BTreeMap<String, String> = there.iter().cloned().collect();
                write_all(format, sent, &mut map);
                pairs(&map)
            }
            Self::Pairs => {
                let mut all = there.to_vec();
                write_all(format, sent, &mut all);
                pairs(&all)
            }
        })
    }
}

fn write_all(format: &Format, sent: &[&Sent], carrier: &mut dyn Carrier) {
    for sent in sent {
        format.write(sent, carrier);
    }
}

fn pairs(headers: &dyn HeaderView) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    headers.each_header(&mut |name, value| {
        let value = String::from_utf8_lossy(value).into_owned();
        pairs.push((name.to_ascii_lowercase(), value));
    });
    pairs
}

pub(super) fn sorted(mut headers: Vec<(String, String)>) -> Headers {
    headers.sort_unstable();
    Headers(headers)
}
