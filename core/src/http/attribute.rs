//! Attributes of requests and responses that become tags.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::HeaderName;

use crate::http::redaction::HeaderRule;

/// An attribute of a request or a response that becomes a tag, if it has a value.
///
/// The tag's key is the attribute's name, for headers `http.request.header.<name>` and `http.response.header.<name>`, and
/// OpenTelemetry's key for sizes of bodies, local addresses and synthetic traffic (semantic conventions 1.43.0);
/// [`tag`](Self::tag) sets another. Several values of one header are joined by `, `. Bytes that are not UTF-8 become
/// U+FFFD.
///
/// Parameters of the path are read from the path and the template of the route, so there are none without a template. Their values
/// are as the client sent them, not decoded. Several parameters within one segment of the template are left out, and so may be those
/// of a path that is longer than [`Limits::value_bytes`](crate::Limits::value_bytes).
///
/// Possible secrets are left out or replaced by `REDACTED`, unless [`unredacted`](Self::unredacted) is called:
///
/// - values of the query, as [`QueryRedaction`](crate::QueryRedaction) describes;
/// - parameters of the path whose names have a word such as `token` or `secret` as below; the path itself, which many tags contain,
///   is not redacted;
/// - headers that carry credentials, in a request or a response: `Authorization`, `Cookie`, `WWW-Authenticate`, `DPoP`,
///   `Sec-WebSocket-Protocol`; headers with a word such as `token`, `secret`, `password`, `session`, `auth`, `jwt`,
///   `signature` or `csrf` in their name, alone or as a part (`x-access-token`, `sessionid`, `api-key`); and the
///   headers of [`HttpTracingBuilder::redact_headers`](crate::HttpTracingBuilder::redact_headers);
/// - user information, fragment and query values of the URI in `Referer`, `Location`, `Content-Location`,
///   `Destination`, `Link`, `Refresh` and headers such as `X-Original-URL` or `X-Forwarded-Uri`, of the host in `Host`,
///   and of each `scheme://…` in other headers. User information and fragment are left out, the query is redacted like
///   the request's own. A URI that cannot be parsed, or that has neither authority nor path, such as `data:` and
///   `mailto:`, becomes `REDACTED`.
///
/// In a configuration file an attribute is its name, `header:<name>`, `response.header:<name>` or `path_parameter:<name>`. An
/// unknown name is an error:
///
/// ```
/// use http::header::HeaderName;
/// use opentracing_http::Attribute;
///
/// let chosen = [Attribute::URL, Attribute::header(HeaderName::from_static("x-request-id"))];
/// assert_eq!("url".parse(), Ok(chosen[0].clone()));
/// assert_eq!("header:x-request-id".parse(), Ok(chosen[1].clone()));
/// assert_eq!(chosen[1].to_string(), "header:x-request-id");
/// assert!("ulr".parse::<Attribute>().unwrap_err().to_string().contains("ulr"));
/// let size = Attribute::response_header(HeaderName::from_static("x-rows")).tag("rows");
/// assert_eq!("response.header:x-rows".parse(), Ok(Attribute::response_header(HeaderName::from_static("x-rows"))));
/// let everything = Attribute::QUERY.unredacted();
/// # let _ = (size, everything);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    pub(crate) what: What,
    pub(crate) key: Cow<'static, str>,
    pub(crate) unredacted: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Url,
    Query,
    Path,
    Method,
    Host,
    Scheme,
    Version,
    RemoteAddr,
    RequestHeader(HeaderName, HeaderRule),
    ResponseHeader(HeaderName, HeaderRule),
    RequestBodySize,
    ResponseBodySize,
    SyntheticType,
    LocalAddress,
    LocalPort,
    PathParameters,
    PathParameter(Cow<'static, str>),
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $constant:ident = $name:literal $(as $key:literal)?, $what:expr;)*) => {
        impl Attribute {
            $($(#[$doc])* pub const $constant: Self = Self::named($what, attributes!(@ $name $($key)?));)*
        }

        /// Names in configuration.
        static NAMED: [(&str, Attribute); [$($name),*].len()] = [$(($name, Attribute::$constant),)*];
    };
    (@ $name:literal) => { $name };
    (@ $name:literal $key:literal) => { $key };
}

attributes! {
    /// `url`: scheme, host, path and query. A trusted proxy can report [scheme and host](crate::Forwarded).
    URL = "url", What::Url;
    /// `query`: the query.
    QUERY = "query", What::Query;
    /// `path`: the path, as the client sent it.
    PATH = "path", What::Path;
    /// `method`: the method, as the client sent it.
    METHOD = "method", What::Method;
    /// `host`: the host that the client requested, as the request or a [trusted proxy](crate::Forwarded) has it.
    HOST = "host", What::Host;
    /// `scheme`: `http` or `https`, as a [trusted proxy](crate::Forwarded), the request or the
    /// [policy](crate::HttpTracingBuilder::scheme) has it.
    SCHEME = "scheme", What::Scheme;
    /// `version`: the HTTP version.
    VERSION = "version", What::Version;
    /// `remote_addr`: address and port of the connection's peer.
    REMOTE_ADDR = "remote_addr", What::RemoteAddr;
    /// `user_agent`: the header of that name.
    USER_AGENT = "user_agent", What::RequestHeader(http::header::USER_AGENT, HeaderRule::Text);
    /// `referrer`: the header `Referer`.
    REFERRER = "referrer", What::RequestHeader(http::header::REFERER, HeaderRule::Reference);
    /// `content_type`: the request's header of that name.
    CONTENT_TYPE = "content_type", What::RequestHeader(http::header::CONTENT_TYPE, HeaderRule::Text);
    /// `content_length`: the request's header of that name.
    CONTENT_LENGTH = "content_length", What::RequestHeader(http::header::CONTENT_LENGTH, HeaderRule::Text);
    /// `request_body_size`: the size of the request's body in bytes, as its `Content-Length` declares it. The tag is
    /// `http.request.body.size`.
    REQUEST_BODY_SIZE = "request_body_size" as "http.request.body.size", What::RequestBodySize;
    /// `response_body_size`: the number of bytes of the response's body that were handed to the server. The tag is
    /// `http.response.body.size`. There is none if the span ends before the body does.
    RESPONSE_BODY_SIZE = "response_body_size" as "http.response.body.size", What::ResponseBodySize;
    /// `synthetic_type`: `bot` if the user agent contains `Googlebot` or `bingbot`, `test` if it contains `AlwaysOn`, in any letter
    /// case. The tag is `user_agent.synthetic.type`.
    SYNTHETIC_TYPE = "synthetic_type" as "user_agent.synthetic.type", What::SyntheticType;
    /// `local_address`: the server's address of the connection. The tag is `network.local.address`. There is none if only an
    /// address for all interfaces is known, such as `0.0.0.0`.
    LOCAL_ADDRESS = "local_address" as "network.local.address", What::LocalAddress;
    /// `local_port`: the server's port of the connection. The tag is `network.local.port`.
    LOCAL_PORT = "local_port" as "network.local.port", What::LocalPort;
    /// `path_parameters`: the parameters of the route's template with their values in the path, as in `id=7, name=x`
    /// (`view_args` of Flask).
    PATH_PARAMETERS = "path_parameters", What::PathParameters;
}

impl Attribute {
    const fn named(what: What, name: &'static str) -> Self {
        Self {
            what,
            key: Cow::Borrowed(name),
            unredacted: false,
        }
    }

    /// Returns the request header that the attribute is read from, if there is one.
    pub(crate) fn request_header(&self) -> Option<&HeaderName> {
        match &self.what {
            What::RequestHeader(name, _) => Some(name),
            What::RequestBodySize => Some(&http::header::CONTENT_LENGTH),
            What::SyntheticType => Some(&http::header::USER_AGENT),
            _ => None,
        }
    }

    /// Returns `true` if the attribute is read from a response header.
    pub(crate) const fn is_of_response(&self) -> bool {
        matches!(self.what, What::ResponseHeader(..))
    }

    pub(crate) const fn needs_peer(&self) -> bool {
        matches!(self.what, What::RemoteAddr)
    }

    /// Returns `true` if trusted proxies may report the attribute.
    pub(crate) const fn is_of_origin(&self) -> bool {
        matches!(self.what, What::Url | What::Host | What::Scheme)
    }

    /// Creates an attribute for a request header.
    #[must_use]
    pub fn header(name: HeaderName) -> Self {
        let rule = HeaderRule::of(&name);
        Self {
            key: format!("http.request.header.{name}").into(),
            what: What::RequestHeader(name, rule),
            unredacted: false,
        }
    }

    /// Creates an attribute for a response header.
    #[must_use]
    pub fn response_header(name: HeaderName) -> Self {
        let rule = HeaderRule::of(&name);
        Self {
            key: format!("http.response.header.{name}").into(),
            what: What::ResponseHeader(name, rule),
            unredacted: false,
        }
    }

    /// Creates an attribute for one parameter of the route's template. The tag's key is `path_parameter.<name>`.
    ///
    /// ```
    /// use opentracing_http::Attribute;
    ///
    /// let order = Attribute::path_parameter("order_id");
    /// assert_eq!("path_parameter:order_id".parse(), Ok(order));
    /// ```
    #[must_use]
    pub fn path_parameter(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        Self {
            key: format!("path_parameter.{name}").into(),
            what: What::PathParameter(name),
            unredacted: false,
        }
    }

    /// Returns the same attribute with another tag key.
    #[must_use]
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.key = key.into();
        self
    }

    /// Returns the same attribute without redaction: its tag contains the whole value, including secrets.
    #[must_use]
    pub fn unredacted(mut self) -> Self {
        self.unredacted = true;
        self
    }
}

/// Writes the attribute's name in configuration. Another [tag key](Attribute::tag) and [`unredacted`](Attribute::unredacted)
/// are no part of it.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMED.iter().find(|(_, named)| named.what == self.what);
        match (named, &self.what) {
            (Some((name, _)), _) => f.pad(name),
            (None, What::PathParameter(name)) => write!(f, "path_parameter:{name}"),
            (None, What::RequestHeader(name, _)) => write!(f, "header:{name}"),
            (None, What::ResponseHeader(name, _)) => write!(f, "response.header:{name}"),
            // The others have names.
            (None, _) => f.pad(&self.key),
        }
    }
}

impl FromStr for Attribute {
    type Err = ParseAttributeError;

    fn from_str(text: &str) -> Result<Self, ParseAttributeError> {
        let header = |name: &str| {
            name.parse().map_err(|_| ParseAttributeError {
                text: name.to_owned(),
                is_header: true,
            })
        };
        if let Some(name) = text.strip_prefix("header:") {
            return header(name).map(Self::header);
        }
        if let Some(name) = text.strip_prefix("response.header:") {
            return header(name).map(Self::response_header);
        }
        if let Some(name) = text.strip_prefix("path_parameter:")
            && !name.is_empty()
        {
            return Ok(Self::path_parameter(name.to_owned()));
        }
        let named = NAMED.iter().find(|(name, _)| *name == text);
        let named = named.map(|(_, attribute)| attribute.clone());
        named.ok_or_else(|| ParseAttributeError {
            text: text.to_owned(),
            is_header: false,
        })
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute({})", self.key)
    }
}

/// The error of parsing an [`Attribute`]: no attribute has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseAttributeError {
    text: String,
    /// Whether a header's name was expected.
    is_header: bool,
}

impl fmt::Display for ParseAttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        if self.is_header {
            return write!(
                f,
                "{text:?} is not a header's name; write it as in `header:x-request-id`"
            );
        }
        write!(f, "no request attribute is called {text:?}; there are ")?;
        for (name, _) in &NAMED {
            write!(f, "{name}, ")?;
        }
        f.write_str("header:<name>, response.header:<name> and path_parameter:<name>")
    }
}

impl std::error::Error for ParseAttributeError {}
