//! gRPC calls: which requests are calls, their methods, their statuses, and which of them failed.
//!
//! Names and rules are those of OpenTelemetry's semantic conventions for RPC, v1.45.0, the first version in which they
//! are stable: `docs/rpc/rpc-spans.md` and `docs/rpc/grpc.md`. The protocol is described in gRPC's
//! `doc/PROTOCOL-HTTP2.md`.

use http::header::CONTENT_TYPE;

use crate::http::shown::Shown;
use crate::propagation::HeaderView;
use crate::propagation::percent;
use crate::text::BoundedText;

/// The name of a call whose method is not recognized: the value of `rpc.system.name`.
const SYSTEM: &str = "grpc";
const OTHER: &str = "_OTHER";

/// The maximum length of a method's full name. A longer one is not recognized, so that names of spans and labels of
/// metrics stay short.
const MAX_METHOD: usize = 256;

/// What is known about a request that may be a gRPC call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GrpcCall {
    stage: Stage,
    /// Whether the path is that of a method, and stored whole.
    has_method: bool,
    status: Option<GrpcStatus>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// The request is not one of gRPC.
    #[default]
    None,
    /// The request is one of gRPC. Its response is not known, or is not one of gRPC.
    Request,
    /// Request and response are of gRPC.
    Response,
}

impl GrpcCall {
    pub(crate) const NONE: Self = Self {
        stage: Stage::None,
        has_method: false,
        status: None,
    };

    /// Creates the call of a request of gRPC whose path is stored up to this limit.
    pub(crate) fn of_request(path: &str, limit: usize) -> Self {
        Self {
            stage: Stage::Request,
            has_method: path.len() <= limit && is_method(path),
            status: None,
        }
    }

    /// Returns `true` if the request is one of gRPC.
    pub(crate) fn is_request(self) -> bool {
        self.stage != Stage::None
    }

    /// Returns `true` if the response is one of gRPC whose status is still to come, in the trailers.
    pub(crate) fn lacks_status(self) -> bool {
        self.stage == Stage::Response && self.status.is_none()
    }

    /// Records that the response is one of gRPC, with its status if that is known.
    pub(crate) fn respond(&mut self, status: Option<GrpcStatus>) {
        self.stage = Stage::Response;
        self.status = status;
    }

    /// Records that nothing of the response follows. A response without a status has the status UNKNOWN, as for clients
    /// (gRPC, `doc/http-grpc-status-mapping.md`).
    pub(crate) fn end_body(&mut self) {
        if self.lacks_status() {
            self.status = Some(GrpcStatus::UNKNOWN);
        }
    }

    /// Returns the status' name; `None` if there was no status.
    pub(crate) fn status_name(self) -> Option<&'static str> {
        self.status.map(GrpcStatus::name)
    }

    /// Returns the status' name if it is a failure.
    pub(crate) fn failure(self) -> Option<&'static str> {
        let failure = self.status.filter(|status| status.is_failure());
        failure.map(GrpcStatus::name)
    }

    /// Returns `true` if the service has the method. A response of gRPC proves it, unless its status is UNIMPLEMENTED,
    /// because anyone can send a request to any path.
    fn is_recognized(self) -> bool {
        self.stage == Stage::Response
            && self.has_method
            && self.status != Some(GrpcStatus::UNIMPLEMENTED)
    }
}

/// The status of a call, 0 to 16 (gRPC, `doc/statuscodes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrpcStatus(u8);

impl GrpcStatus {
    const UNKNOWN: Self = Self(2);
    const UNIMPLEMENTED: Self = Self(12);

    /// In the order of their numbers.
    const NAMES: [&'static str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    /// Reads `grpc-status` from a head or from trailers; `None` if it is absent. A value that is not the number of a
    /// status, and values that differ from each other, are UNKNOWN, as they are for clients.
    pub(crate) fn read(headers: &dyn HeaderView) -> Option<Self> {
        let mut status = None;
        headers.header_values("grpc-status", &mut |value| {
            let value = Self::parse(value).unwrap_or(Self::UNKNOWN);
            let same = status.is_none_or(|earlier| earlier == value);
            status = Some(if same { value } else { Self::UNKNOWN });
        });
        status
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let is_number = value.len() <= 3 && value.iter().all(u8::is_ascii_digit);
        let value = std::str::from_utf8(value).ok().filter(|_| is_number)?;
        let number = value.parse().ok()?;
        (usize::from(number) < Self::NAMES.len()).then_some(Self(number))
    }

    fn name(self) -> &'static str {
        // `parse` lets no other number through.
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// Returns `true` for those statuses that are errors of a server (`docs/rpc/grpc.md`, "Server"): UNKNOWN,
    /// DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15)
    }
}

impl<'a> Shown<'a> {
    /// Returns the name of a gRPC request's span; `None` for any other request. It is the method, or the system if the
    /// method is not recognized (`docs/rpc/rpc-spans.md`, "Name").
    pub(crate) fn rpc_name(self) -> Option<&'a str> {
        let name = self.rpc_method()?;
        Some(if name == OTHER { SYSTEM } else { name })
    }

    /// Returns the full name of the method that a gRPC request called; `_OTHER` if it is not recognized.
    pub(crate) fn rpc_method(self) -> Option<&'a str> {
        let call = self.grpc;
        call.is_request().then(|| match call.is_recognized() {
            true => self.rpc_original(),
            false => OTHER,
        })
    }

    /// Returns the method as the client sent it.
    fn rpc_original(self) -> &'a str {
        let path = self.path();
        path.strip_prefix('/').unwrap_or(path)
    }

    /// Returns the tags of a gRPC request; none for any other request.
    pub(crate) fn rpc_tags(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let method = self.rpc_method();
        let original = method.filter(|method| *method == OTHER);
        let tags = [
            ("rpc.system.name", method.map(|_| SYSTEM)),
            ("rpc.method", method),
            ("rpc.method_original", original.map(|_| self.rpc_original())),
            ("rpc.status_code", self.grpc.status_name()),
        ];
        tags.into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
    }
}

/// Returns `true` if the content type is one of gRPC, and not of gRPC-Web.
pub(crate) fn is_grpc(headers: &dyn HeaderView) -> bool {
    headers
        .header(CONTENT_TYPE.as_str())
        .is_some_and(is_grpc_type)
}

#[inline]
pub(crate) fn is_grpc_type(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    // This excludes most other types. Media types are compared without case (RFC 9110, section 8.3.1).
    if !matches!(content_type.get(12), Some(b'g' | b'G')) {
        return false;
    }
    let Some((start, rest)) = content_type.split_at_checked(GRPC.len()) else {
        return false;
    };
    // A subtype (`+proto`) or parameters may follow.
    start.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ' | b'\t', ..])
}

/// Returns `true` for `/package.Service/Method`. Names in other definition languages than protobuf's may contain `-`.
fn is_method(path: &str) -> bool {
    let is_name = |name: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !name.is_empty() && name.bytes().all(is_part)
    };
    let parts = path
        .strip_prefix('/')
        .filter(|name| name.len() <= MAX_METHOD)
        .and_then(|name| name.split_once('/'));
    parts.is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// Returns the decoded `grpc-message`, bounded; `None` if it is absent or empty. Invalid escapes are kept, and bytes that
/// are not UTF-8 become U+FFFD (gRPC, `doc/PROTOCOL-HTTP2.md`, "Responses").
pub(crate) fn grpc_message(headers: &dyn HeaderView, limit: usize) -> Option<BoundedText> {
    let message = headers.header("grpc-message")?;
    // No byte of the decoded text has more than three encoded ones. One escape more, so that none within the limit is cut.
    let encoded = limit.saturating_add(1).saturating_mul(3);
    let kept = message.get(..encoded).unwrap_or(message);
    (!kept.is_empty()).then(|| BoundedText::of(&percent::decode_lossy(kept), limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_grpc_are_recognized_and_those_of_grpc_web_are_not() {
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc; charset=utf-8",
            "Application/gRPC+json",
        ] {
            assert!(is_grpc_type(grpc.as_bytes()), "{grpc}");
        }
        for other in [
            "",
            "application/grp",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpcx",
            "application/json",
        ] {
            assert!(!is_grpc_type(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_method_has_a_service_and_a_name() {
        for path in ["/a.b.Service/Method", "/Service/m", "/my-service/get_it"] {
            assert!(is_method(path), "{path}");
        }
        let long = format!("/{}/M", "a".repeat(MAX_METHOD));
        for path in [
            "",
            "/",
            "//",
            "/Service",
            "/Service/",
            "//Method",
            "S/M",
            "/a/S/M",
            "/S/M/",
            "/S/%4d",
            "/S/M x",
            "/Ü/M",
            &long,
        ] {
            assert!(!is_method(path), "{path}");
        }
    }

    #[test]
    fn a_status_that_no_number_names_is_unknown() {
        let read = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("grpc-status", *value)).collect();
            GrpcStatus::read(&headers.as_slice()).map(GrpcStatus::name)
        };
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["0"]), Some("OK"));
        assert_eq!(read(&["16"]), Some("UNAUTHENTICATED"));
        assert_eq!(read(&["5", "5"]), Some("NOT_FOUND"));
        for malformed in [
            "",
            "17",
            "99",
            "-1",
            "+1",
            " 1",
            "banana",
            "1000",
            "999999999999",
        ] {
            assert_eq!(read(&[malformed]), Some("UNKNOWN"), "{malformed}");
        }
        assert_eq!(read(&["0", "5"]), Some("UNKNOWN"));
        assert_eq!(read(&["0", "5", "0"]), Some("UNKNOWN"));
    }
}
