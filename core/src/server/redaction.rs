//! What is kept out of tags.

use http::HeaderName;

use crate::carrier::HeaderView;

/// What stands in the place of a value that is kept out of tags.
pub(crate) const REDACTED: &str = "REDACTED";

/// Which values of a query are kept out of tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryRedaction {
    /// All; the keys stay. The default.
    #[default]
    AllValues,
    /// Those of these keys, compared byte for byte: case counts, and an encoded key is another.
    Keys(Vec<String>),
    /// None.
    Nothing,
}

impl QueryRedaction {
    /// The keys that OpenTelemetry's HTTP convention names: signatures and credentials of cloud storage.
    #[must_use]
    pub fn signatures() -> Self {
        Self::Keys(
            [
                "AWSAccessKeyId",
                "Signature",
                "sig",
                "X-Amz-Credential",
                "X-Amz-Security-Token",
                "X-Amz-Signature",
                "X-Goog-Signature",
            ]
            .map(str::to_owned)
            .into(),
        )
    }

    /// Appends a query as it may be shown.
    pub(crate) fn append(&self, query: &str, text: &mut String) {
        for (n, pair) in query.split('&').enumerate() {
            if n > 0 {
                text.push('&');
            }
            match pair.split_once('=') {
                Some((key, _)) if self.hides(key) => {
                    text.push_str(key);
                    text.push('=');
                    text.push_str(REDACTED);
                }
                Some(_) => text.push_str(pair),
                // Without a key it is all value: a bare token, say.
                None if *self == Self::AllValues && !pair.is_empty() => text.push_str(REDACTED),
                None => text.push_str(pair),
            }
        }
    }

    fn hides(&self, key: &str) -> bool {
        match self {
            Self::AllValues => true,
            Self::Keys(keys) => keys.iter().any(|hidden| hidden == key),
            Self::Nothing => false,
        }
    }
}

/// Headers whose values are credentials, whoever sends them.
const SENSITIVE_HEADERS: [&str; 12] = [
    "authorization",
    "cookie",
    "cookie2",
    "proxy-authenticate",
    "proxy-authorization",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
];

/// Appends the values of a header, joined by `, `, as they may be shown; answers whether there are any.
pub(crate) fn append_header(
    headers: &dyn HeaderView,
    name: &HeaderName,
    unredacted: bool,
    text: &mut String,
) -> bool {
    let hidden = !unredacted && SENSITIVE_HEADERS.contains(&name.as_str());
    let mut any = false;
    headers.named_header_values(name, &mut |value| {
        if any {
            text.push_str(", ");
        }
        any = true;
        if hidden {
            text.push_str(REDACTED);
        } else {
            text.push_str(&String::from_utf8_lossy(value));
        }
    });
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_its_shape() {
        let show = |redaction: &QueryRedaction, query: &str| {
            let mut text = String::new();
            redaction.append(query, &mut text);
            text
        };
        let all = QueryRedaction::AllValues;
        assert_eq!(
            show(&all, "a=1&b=2=3&&c"),
            "a=REDACTED&b=REDACTED&&REDACTED"
        );
        let signatures = QueryRedaction::signatures();
        assert_eq!(
            show(&signatures, "a=1&sig=x&Sig=y&c"),
            "a=1&sig=REDACTED&Sig=y&c"
        );
        assert_eq!(show(&QueryRedaction::Nothing, "sig=x"), "sig=x");
    }

    #[test]
    fn credentials_are_hidden_unless_asked_for() {
        let headers = [("Cookie", "a=b"), ("cookie", "c=d"), ("Accept", "x")];
        let show = |name, unredacted| {
            let mut text = String::new();
            let name = HeaderName::from_static(name);
            append_header(&headers, &name, unredacted, &mut text).then_some(text)
        };
        assert_eq!(show("cookie", false).as_deref(), Some("REDACTED, REDACTED"));
        assert_eq!(show("cookie", true).as_deref(), Some("a=b, c=d"));
        assert_eq!(show("accept", false).as_deref(), Some("x"));
        assert_eq!(show("missing", false), None);
    }
}
