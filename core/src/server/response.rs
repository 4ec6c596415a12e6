//! Reads a response's head and its trailers.

use crate::http::{BodySize, HeaderValues, Outcome, ResponseView, SpanEnd, Wanted};
use crate::propagation::HeaderView;
use crate::server::body_span::BodySpan;
use crate::server::grpc;
use crate::server::guarded::GuardedHeaders;
use crate::server::missing;
use crate::server::request::{Method, Request};
use crate::span::{Policy, SpanCell};
use crate::text::BoundedText;

/// The facts that are read from every response.
struct Head {
    status: Option<u16>,
    body: BodySize,
    is_upgrade: bool,
}

/// The treatment of the body that follows a response's head.
enum Body {
    /// The body is not followed. The request is complete, with this many bytes, or before its body.
    None { bytes: Option<u64> },
    /// The end of the body does not matter, because the request ends with its head or is not watched. The span is still current
    /// while the body is polled.
    InScope { ends_request: bool },
    /// The body is followed to its end. `declared` is its size in bytes, if the response declares one.
    Followed { declared: Option<u64> },
}

impl Request {
    /// Records the response. Returns the span that follows its body, or `None` if the body need not be followed.
    pub(super) fn respond(mut self, response: &mut dyn ResponseView) -> Option<BodySpan> {
        if !self.is_open() {
            return None;
        }
        match self.read_response(response)? {
            Body::None { bytes } => {
                self.end(Outcome::Completed, bytes);
                None
            }
            Body::InScope { ends_request } => {
                if ends_request {
                    self.end(Outcome::Completed, None);
                }
                Some(BodySpan::new(self, None))
            }
            Body::Followed { declared } => Some(BodySpan::new(self, declared)),
        }
    }

    /// Records the response, and returns how its body is to be treated. `None` for the empty handle.
    fn read_response(&self, response: &mut dyn ResponseView) -> Option<Body> {
        let policy = self.span().policy()?;
        self.write_trace_id(policy, response);
        // Foreign code is called before the span is locked, because it may use the span.
        let response = &*response;
        let head = policy.guard(|| Head {
            status: Some(response.status()),
            body: response.body_size(),
            is_upgrade: response.is_upgrade(),
        });
        let head = head.unwrap_or(Head {
            status: None,
            body: BodySize::Unknown,
            is_upgrade: false,
        });
        let noted = match self.watched() {
            Some((cell, policy)) => note_head(cell, policy, head.status, response),
            None => None,
        };
        if self.expects_route {
            missing::report_route(self.span(), head.status);
        }
        let headers = || GuardedHeaders::of(policy, || response.headers());
        Some(self.treatment(&head, noted, headers))
    }

    /// Returns how the body is to be treated. `noted` is what [`note_head`] has returned.
    fn treatment<'a>(
        &self,
        head: &Head,
        noted: Option<(SpanEnd, bool)>,
        headers: impl FnOnce() -> GuardedHeaders<'a>,
    ) -> Body {
        let body = head.body;
        let streams = body == BodySize::Unknown;
        let (ends, lacks_status) = noted.unzip();
        let lacks_status = lacks_status == Some(true);
        let is_bodyless = body == BodySize::Empty
            // Trailers with the status can follow.
            || (body == BodySize::Exact(0) && !lacks_status)
            || head.is_upgrade
            || self.method == Method::Head
            || matches!(head.status, Some(100..200 | 204 | 304));
        let is_followed = self.span().is_recorded() || streams || lacks_status;
        match (body, ends) {
            (BodySize::Exact(size), _) if !is_bodyless && !is_followed => {
                Body::None { bytes: Some(size) }
            }
            _ if is_bodyless || !is_followed => Body::None { bytes: Some(0) },
            (BodySize::Unknown, None) => Body::InScope {
                ends_request: false,
            },
            (_, None) => Body::None { bytes: None },
            (_, Some(SpanEnd::Head)) => Body::InScope { ends_request: true },
            (BodySize::Exact(size), Some(SpanEnd::Auto | SpanEnd::Body)) => Body::Followed {
                declared: Some(size),
            },
            (_, Some(ends @ (SpanEnd::Auto | SpanEnd::Body))) => {
                let headers = headers();
                let declared = declared_bytes(&headers);
                let is_open_ended = ends == SpanEnd::Auto
                    && self.method == Method::Get
                    && declared.is_none()
                    && is_event_stream(&headers);
                match is_open_ended {
                    true => Body::InScope { ends_request: true },
                    false => Body::Followed { declared },
                }
            }
        }
    }

    /// Writes the trace id into the response's headers, if the policy returns it to callers.
    fn write_trace_id(&self, policy: &Policy, response: &mut dyn ResponseView) {
        if let Some(header) = &policy.http.return_trace_id
            && let Some(context) = self.span().context()
        {
            policy.guard(|| {
                if let Some(headers) = response.headers_mut() {
                    header.write(&context, headers);
                }
            });
        }
    }

    /// Reads from the trailers those attributes whose headers the response head did not have, and the status of a gRPC call.
    pub(super) fn read_trailers(&self, trailers: &dyn HeaderView) {
        if let Some((cell, policy)) = self.watched() {
            let mut wanted = Wanted {
                only_missing: true,
                ..Wanted::default()
            };
            let wants = cell.change_facts(|http| {
                let header = match cell.is_recorded() {
                    true => http.next_header(&mut wanted, &policy.http),
                    false => None,
                };
                Some((header, http.grpc.lacks_status()))
            });
            let (header, lacks_status) = wants.unwrap_or_default();
            if header.is_none() && !lacks_status {
                return;
            }
            let trailers = GuardedHeaders::of(policy, || trailers);
            if lacks_status {
                grpc::read_trailers(cell, policy, &trailers);
            }
            if header.is_some() {
                read_headers(cell, policy, &trailers, wanted, header);
            }
        }
    }
}

/// Records the response head, with the headers that the policy and every mount point of the request have as attributes. Returns
/// when the span is to end, and whether the status of a gRPC call is still to come.
fn note_head(
    cell: &SpanCell,
    policy: &Policy,
    status: Option<u16>,
    response: &dyn ResponseView,
) -> Option<(SpanEnd, bool)> {
    let (settings, limit) = (&policy.http, policy.limits.value_bytes);
    let error = || {
        let error = response.error().filter(|_| cell.is_recorded())?;
        Some(BoundedText::of(error, limit))
    };
    let both = policy.guard(|| (response.route(), error()));
    // If one of them panics, the other is still used.
    let (route, error) = both.unwrap_or_else(|| {
        let route = policy.guard(|| response.route()).unwrap_or_default();
        (route, policy.guard(error).flatten())
    });
    let now = policy.monotonic();
    let mut wanted = Wanted::default();
    let (header, ends, is_grpc) = cell.change_request(|record| {
        let time_to_head = now.saturating_sub(record.started);
        let http = record.http_mut()?;
        http.set_route(route, limit);
        if let Some(error) = error {
            http.set_error(error);
        }
        http.status = status;
        http.head = Some(time_to_head);
        let header = match cell.is_recorded() {
            true => http.next_header(&mut wanted, settings),
            false => None,
        };
        let ends = http.innermost(|options| options.ends);
        Some((header, ends, http.grpc.is_request()))
    })??;
    let lacks_status = is_grpc && grpc::read_head(cell, policy, response);
    if header.is_some() {
        let headers = GuardedHeaders::of(policy, || response.headers());
        read_headers(cell, policy, &headers, wanted, header);
    }
    Some((ends.unwrap_or(settings.ends), lacks_status))
}

/// Reads the headers that are attributes, beginning with `header`. They are looked up while the span is not locked, because the
/// view of the headers is foreign code.
fn read_headers(
    cell: &SpanCell,
    policy: &Policy,
    headers: &dyn HeaderView,
    mut wanted: Wanted,
    mut header: Option<http::HeaderName>,
) {
    let (settings, limit) = (&policy.http, policy.limits.value_bytes);
    while let Some(name) = header {
        let values = HeaderValues::read(headers, &name);
        header = cell.change_facts(|http| {
            http.add_header(&wanted, &name, &values, settings, limit);
            http.next_header(&mut wanted, settings)
        });
    }
}

/// Returns `true` for a response of server-sent events, by its content type: `text/event-stream`, with or without parameters
/// (RFC 9110, section 8.3.1).
fn is_event_stream(headers: &dyn HeaderView) -> bool {
    let content_type = headers.header("content-type").unwrap_or_default();
    let media_type = content_type.split_at_checked("text/event-stream".len());
    media_type.is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(b"text/event-stream")
            && matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
    })
}

/// Returns the number of bytes that a response of unknown size declares in its headers (RFC 9110, section 8.6).
fn declared_bytes(headers: &dyn HeaderView) -> Option<u64> {
    let declared = headers.header(http::header::CONTENT_LENGTH.as_str())?;
    std::str::from_utf8(declared).ok()?.trim().parse().ok()
}
