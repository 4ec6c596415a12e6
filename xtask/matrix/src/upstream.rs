//! The caller that the driver plays.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use xtask_collector::TraceId;

use crate::fleet::Format;

/// The headers of a context in any of the formats, without those for baggage.
pub(crate) const CONTEXT_HEADERS: [&str; 6] = [
    "traceparent",
    "uber-trace-id",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
];

/// The span of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: u64,
    pub(crate) sampled: bool,
}

/// The headers of a request: names in lower case, and values.
pub(crate) type Headers = Vec<(String, String)>;

impl Upstream {
    /// Creates a context with new ids.
    pub(crate) fn new(sampled: bool) -> Self {
        let mut random = SmallRng::from_os_rng();
        Self {
            trace_id: TraceId(random.random_range(1..=u128::MAX)),
            span_id: random.random_range(1..=u64::MAX),
            sampled,
        }
    }

    /// Returns the headers of the context.
    pub(crate) fn headers(&self, format: Format) -> Headers {
        let Self {
            trace_id,
            span_id,
            sampled,
        } = *self;
        let flag = u8::from(sampled);
        match format {
            Format::Default => [self.headers(Format::W3c), self.headers(Format::Jaeger)].concat(),
            Format::W3c => vec![header(
                "traceparent",
                format!("00-{trace_id}-{span_id:016x}-{flag:02x}"),
            )],
            Format::Jaeger => vec![header(
                "uber-trace-id",
                format!("{trace_id}:{span_id:016x}:0:{flag:x}"),
            )],
            Format::B3 => vec![header("b3", format!("{trace_id}-{span_id:016x}-{flag}"))],
            Format::B3Multi => vec![
                header("x-b3-traceid", trace_id.to_string()),
                header("x-b3-spanid", format!("{span_id:016x}")),
                header("x-b3-sampled", flag.to_string()),
            ],
        }
    }

    /// Parses the context of one format, as strictly as the matrix needs: ids and flag, with any padding.
    ///
    /// Returns `None` if the headers have none of this format.
    pub(crate) fn read(headers: &[(String, String)], format: Format) -> Option<Self> {
        let get = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let (trace_id, span_id, flag) = match format {
            Format::Default => return Self::read(headers, Format::W3c),
            Format::W3c => {
                let mut parts = get("traceparent")?.split('-').skip(1);
                (parts.next()?, parts.next()?, parts.next()?)
            }
            Format::Jaeger => {
                let mut parts = get("uber-trace-id")?.split(':');
                (parts.next()?, parts.next()?, parts.nth(1)?)
            }
            Format::B3 => {
                let mut parts = get("b3")?.split('-');
                (parts.next()?, parts.next()?, parts.next()?)
            }
            Format::B3Multi => (
                get("x-b3-traceid")?,
                get("x-b3-spanid")?,
                get("x-b3-sampled")?,
            ),
        };
        Some(Self {
            trace_id: TraceId(u128::from_str_radix(trace_id, 16).ok()?),
            span_id: u64::from_str_radix(span_id, 16).ok()?,
            sampled: u8::from_str_radix(flag, 16).ok()? & 1 == 1,
        })
    }
}

/// Returns the names of the headers that carry a context in this format.
pub(crate) fn header_names(format: Format) -> &'static [&'static str] {
    match format {
        Format::Default => &["traceparent", "uber-trace-id"],
        Format::W3c => &["traceparent"],
        Format::Jaeger => &["uber-trace-id"],
        Format::B3 => &["b3"],
        Format::B3Multi => &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"],
    }
}

fn header(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_every_format() {
        for format in Format::ALL {
            for sampled in [true, false] {
                let upstream = Upstream::new(sampled);
                let headers = upstream.headers(format);
                assert_eq!(
                    Upstream::read(&headers, format),
                    Some(upstream),
                    "{headers:?}"
                );
                assert!(
                    headers
                        .iter()
                        .map(|(name, _)| name.as_str())
                        .eq(header_names(format).iter().copied())
                );
            }
        }
    }
}
