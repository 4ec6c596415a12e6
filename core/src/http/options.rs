//! The options that a mount point adds to the policy.

use std::borrow::Cow;

use crate::http::attribute::Attribute;
use crate::http::outcome::SpanEnd;

/// The options of one mount point. By default there are none, and the policy alone applies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Attributes that become tags, in addition to the policy's.
    pub(crate) attributes: Vec<Attribute>,
    /// Whether one of the attributes is a header of the response.
    pub(crate) has_response_headers: bool,
    /// The name of the spans, instead of the derived one.
    pub(crate) name: Option<Cow<'static, str>>,
    /// When the spans end, instead of the policy's setting.
    pub(crate) ends: Option<SpanEnd>,
}

impl Options {
    /// Returns `true` if the mount point adds nothing to the policy.
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.name.is_none() && self.ends.is_none()
    }
}
