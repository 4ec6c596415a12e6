//! Recognizes user agents of bots and tests.

/// Parts of user agents, in lower case, and the kind of synthetic traffic that they mean. A test wins over a bot.
///
/// OpenTelemetry leaves the choice to the instrumentation. This is the list of its packages for JavaScript
/// (`@opentelemetry/instrumentation-http`): `AlwaysOn` is the availability test of Azure.
const NAMES: [(&str, &str); 3] = [
    ("alwayson", "test"),
    ("googlebot", "bot"),
    ("bingbot", "bot"),
];

/// Returns the value of OpenTelemetry's `user_agent.synthetic.type`; `None` for other traffic.
pub(super) fn synthetic_type(user_agent: &[u8]) -> Option<&'static str> {
    let contains = |name: &str| {
        let mut parts = user_agent.windows(name.len());
        parts.any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
    };
    let (_, kind) = NAMES.iter().find(|(name, _)| contains(name))?;
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::synthetic_type;

    #[test]
    fn bots_and_tests_are_known_in_any_letter_case() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                Some("bot"),
            ),
            ("Mozilla/5.0 (compatible; BINGBOT/2.0)", Some("bot")),
            (
                "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; AppInsights) AlwaysOn",
                Some("test"),
            ),
            ("googlebot alwayson", Some("test")),
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", None),
            ("bot", None),
            ("", None),
        ] {
            assert_eq!(synthetic_type(agent.as_bytes()), expected, "{agent}");
        }
        assert_eq!(synthetic_type(b"\xff googleBot \xff"), Some("bot"));
    }
}
