//! What a mount point adds to the policy.

use std::borrow::Cow;

use crate::http::attribute::Attribute;
use crate::http::outcome::SpanEnd;

/// The options of one mount point.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) attributes: Vec<Attribute>,
    /// Whether one of them is made of a header of the response.
    pub(crate) has_response_headers: bool,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) ends: Option<SpanEnd>,
}

impl Options {
    /// Returns whether the mount point adds nothing to the policy.
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.name.is_none() && self.ends.is_none()
    }
}
