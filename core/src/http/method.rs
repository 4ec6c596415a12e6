//! Known HTTP methods.

/// The methods of RFC 9110, `PATCH` (RFC 5789) and `QUERY`.
const METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY",
];

/// Returns the method if it is known. Methods are case-sensitive (RFC 9110, section 9.1).
pub(crate) fn known_method(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method)
}

/// Returns `true` if this is a known method except for its letter case.
pub(crate) fn is_miswritten(method: &str) -> bool {
    let is_other_case = |known: &str| known.eq_ignore_ascii_case(method) && known != method;
    METHODS.into_iter().any(is_other_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_their_exact_letters() {
        assert_eq!(known_method("QUERY"), Some("QUERY"));
        assert_eq!((known_method("query"), known_method("BREW")), (None, None));
        assert!(is_miswritten("query") && is_miswritten("Get"));
        assert!(!is_miswritten("GET") && !is_miswritten("brew"));
    }
}
