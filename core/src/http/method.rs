//! Known HTTP methods.

use std::sync::Arc;

use crate::text::is_token;

/// The methods of RFC 9110, `PATCH` (RFC 5789) and `QUERY`.
const METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY",
];

/// Returns `true` if this is a known method except for its letter case.
pub(crate) fn is_miswritten(method: &str) -> bool {
    let is_other_case = |known: &str| known.eq_ignore_ascii_case(method) && known != method;
    METHODS.into_iter().any(is_other_case)
}

/// A known method. A clone costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    /// One of [`METHODS`].
    Standard(&'static str),
    /// One that the policy lists besides.
    Listed(Arc<str>),
}

impl Method {
    /// Stands for every method that is not known.
    pub(crate) const OTHER: Self = Self::Standard("_OTHER");

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Standard(method) => method,
            Self::Listed(method) => method,
        }
    }

    fn standard(method: &str) -> Option<&'static str> {
        METHODS.into_iter().find(|known| *known == method)
    }
}

/// The methods that are known to a policy: [`METHODS`], or the list that it was given instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownMethods(Option<Arc<[Method]>>);

impl KnownMethods {
    /// Creates a list that replaces the default. The error is a remedy.
    pub(crate) fn of<'a>(methods: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let method = |method: &'a str| match Method::standard(method) {
            Some(method) => Ok(Method::Standard(method)),
            None if is_token(method) => Ok(Method::Listed(method.into())),
            None => Err(format!(
                "{method:?} is not a method; write one word, such as `GET` or `PURGE`"
            )),
        };
        let methods: Result<_, _> = methods.into_iter().map(method).collect();
        Ok(Self(Some(methods?)))
    }

    /// Parses a list such as `GET,POST,PURGE`. The error is a remedy.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let methods = list.split(',').map(str::trim);
        let methods: Vec<_> = methods.filter(|method| !method.is_empty()).collect();
        match methods.is_empty() {
            true => Err("it names no method; write a list such as `GET,POST`".to_owned()),
            false => Self::of(methods),
        }
    }

    /// Returns the method if it is known. Methods are case-sensitive (RFC 9110, section 9.1).
    #[inline]
    pub(crate) fn find(&self, method: &str) -> Option<Method> {
        match &self.0 {
            None => Method::standard(method).map(Method::Standard),
            Some(list) => list.iter().find(|known| known.as_str() == method).cloned(),
        }
    }

    /// Returns the known method as it appears in names before the route is known, `HTTP` for another one.
    pub(crate) fn name<'a>(&self, method: &'a str) -> &'a str {
        match self.find(method) {
            Some(_) => method,
            None => "HTTP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(known: &KnownMethods, method: &str) -> Option<String> {
        Some(known.find(method)?.as_str().to_owned())
    }

    #[test]
    fn methods_are_known_by_their_exact_letters() {
        let known = KnownMethods::default();
        assert_eq!(find(&known, "QUERY").as_deref(), Some("QUERY"));
        assert_eq!((find(&known, "query"), find(&known, "BREW")), (None, None));
        assert!(is_miswritten("query") && is_miswritten("Get"));
        assert!(!is_miswritten("GET") && !is_miswritten("brew"));
    }

    #[test]
    fn a_list_replaces_the_default() {
        let known = KnownMethods::parse(" GET, PURGE ,,get").unwrap();
        for method in ["GET", "PURGE", "get"] {
            assert_eq!(find(&known, method).as_deref(), Some(method));
        }
        assert_eq!((find(&known, "POST"), find(&known, "purge")), (None, None));
        assert_eq!((known.name("PURGE"), known.name("POST")), ("PURGE", "HTTP"));
        assert_eq!(find(&KnownMethods::of([]).unwrap(), "GET"), None);
        assert!(KnownMethods::parse(" , ").is_err());
        assert!(KnownMethods::of(["G T"]).unwrap_err().contains("G T"));
    }
}
