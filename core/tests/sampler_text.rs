//! Samplers and rules as text in a configuration file.

#![allow(clippy::unwrap_used)]

use http::Request;
use opentracing_http::sampler::{
    Always, Never, ParentBased, Probability, RateLimit, Rules, TextSampler,
};
use opentracing_http::server::Instrumentation;
use opentracing_http::{ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn builder() -> HttpTracingBuilder {
    HttpTracing::builder(InMemoryTracer::new())
}

/// Returns whether a root is recorded, and the children of callers who did and who did not sample their span.
fn records(tracing: &HttpTracing) -> [bool; 3] {
    ["", SAMPLED, UNSAMPLED].map(|caller| {
        let mut span = tracing.span("x");
        if let Some(caller) = tracing.extract(&[("traceparent", caller)]) {
            span = span.child_of(caller);
        }
        span.start().is_recording()
    })
}

/// Returns whether a request without a caller is recorded.
fn records_request(tracing: &HttpTracing, method: &str, path: &str) -> bool {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(())
        .unwrap();
    Instrumentation::new(tracing, "test")
        .begin(&request)
        .span()
        .is_recording()
}

#[test]
fn each_text_is_parsed_as_the_sampler_that_it_names() {
    for (text, expected) in [
        ("always", [true, true, true]),
        ("never", [false, false, false]),
        ("probability:1", [true, true, true]),
        ("probability:0", [false, false, false]),
        ("rate:2", [true, true, false]),
        ("rate:0", [false, false, false]),
        ("parent:always", [true, true, false]),
        ("parent:never", [false, true, false]),
        ("parent:probability:0", [false, true, false]),
        ("parent:rate:1", [true, true, false]),
    ] {
        let tracing = builder().sampler_text(text).build().unwrap();
        assert_eq!(records(&tracing), expected, "{text}");
    }
}

#[test]
fn a_sampler_is_shown_as_the_text_that_it_is_parsed_from() {
    for (text, shown) in [
        ("always", "always"),
        (" never\n", "never"),
        ("probability:0.125", "probability:0.125"),
        ("probability:1e-9", "probability:0.000000001"),
        ("rate:100", "rate:100"),
        ("rate : 0.5", "rate:0.5"),
        (" parent : probability : .1 ", "parent:probability:0.1"),
        ("parent:rate:7", "parent:rate:7"),
    ] {
        let sampler: TextSampler = text.parse().unwrap();
        assert_eq!(sampler.to_string(), shown);
        let again: TextSampler = shown.parse().unwrap();
        assert_eq!(again.to_string(), shown);
    }
    let built = [
        Always.to_string(),
        ParentBased::new(Never).to_string(),
        Probability::new(0.25).unwrap().to_string(),
        ParentBased::new(RateLimit::per_second(3.0).unwrap()).to_string(),
    ];
    assert_eq!(
        built,
        [
            "always",
            "parent:never",
            "probability:0.25",
            "parent:rate:3"
        ]
    );
}

#[test]
fn clones_of_a_rate_limit_share_it() {
    let one: TextSampler = "rate:1".parse().unwrap();
    let other = builder().sampler(one.clone()).build().unwrap();
    let one = builder().sampler(one).build().unwrap();
    assert!(one.span("x").start().is_recording());
    assert!(!other.span("x").start().is_recording());
}

#[test]
fn a_wrong_sampler_text_is_an_error_with_the_known_ones() {
    for (text, problem) in [
        ("", "there are `always`, `never`"),
        ("sometimes", "`probability:<share>`"),
        ("Always", "`parent:<one of these>`"),
        ("0.1", "there are"),
        ("always:1", "have no parameter"),
        ("never:", "have no parameter"),
        ("probability", "from 0 to 1"),
        ("probability:", "from 0 to 1"),
        ("probability:10", "from 0 to 1"),
        ("probability:10%", "from 0 to 1"),
        ("probability:-0.1", "from 0 to 1"),
        ("probability:NaN", "from 0 to 1"),
        ("rate", "0 or more"),
        ("rate:-1", "0 or more"),
        ("rate:inf", "0 or more"),
        ("rate:1:2", "0 or more"),
        ("rate:100/s", "0 or more"),
        ("parent", "as in `parent:always`"),
        ("parent:", "there are"),
        ("parent:parent:always", "allowed once"),
        ("parent:often", "there are"),
    ] {
        let error = text.parse::<TextSampler>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")), "{error}");
        assert!(error.contains(problem), "{error}");
        let error = builder().sampler_text(text).build().unwrap_err();
        assert_eq!(error.option(), "sampler_text");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

const FILE: &str = "
    # Where the money is made.
    GET,POST /checkout/* = always

    /health = never   # asked every second
    /a=b = never
    GET /users/{id}=probability:0
";

#[test]
fn rules_are_read_from_lines() {
    let rules: Rules = FILE.parse().unwrap();
    let built = builder().sampler(rules).build().unwrap();
    let from_lines = builder().sampling_rules(FILE.lines()).build().unwrap();
    let crlf: Rules = FILE.replace('\n', "\r\n").parse().unwrap();
    let crlf = builder().sampler(crlf).build().unwrap();
    for tracing in [built, from_lines, crlf] {
        for (method, path, expected) in [
            ("GET", "/checkout/1", true),
            ("GET", "/health", false),
            ("GET", "/a=b", false),
            ("GET", "/users/7", false),
            ("PUT", "/users/7", true),
            ("GET", "/elsewhere", true),
        ] {
            assert_eq!(
                records_request(&tracing, method, path),
                expected,
                "{method} {path}"
            );
        }
        // A span that is not a request's matches no rule.
        assert_eq!(records(&tracing), [true, true, false]);
    }
}

#[test]
fn the_last_rule_also_applies_to_spans_that_are_not_requests() {
    let rules: Rules = "/checkout/* = always\n* = never".parse().unwrap();
    let built = builder().sampler(rules).build().unwrap();
    let rules = ["/checkout/* = always", "*=never"];
    let from_list = builder().sampling_rules(rules).build().unwrap();
    for tracing in [built, from_list] {
        assert!(records_request(&tracing, "GET", "/checkout/1"));
        assert!(!records_request(&tracing, "GET", "/elsewhere"));
        assert_eq!(records(&tracing), [false, false, false]);
    }
}

#[test]
fn rules_go_before_the_sampler_whenever_that_is_set() {
    let rules = ["/checkout/* = always"];
    for tracing in [
        builder().sampling_rules(rules).sampler(Never),
        builder().sampler(Never).sampling_rules(rules),
        builder().sampler_text("never").sampling_rules(rules),
        builder()
            .sampling_rules(["* = never"])
            .sampling_rules(rules),
    ] {
        let tracing = tracing.build().unwrap();
        assert!(records_request(&tracing, "GET", "/checkout/1"));
        assert!(!records_request(&tracing, "GET", "/elsewhere"));
    }
    let later = builder().sampling_rules(["* = never"]).sampler(Always);
    assert!(records_request(
        &later.build().unwrap(),
        "GET",
        "/elsewhere"
    ));
}

#[test]
fn the_first_of_all_rules_that_matches_decides() {
    let tracing = builder()
        .sampling_rules(["/a/b = always", "/a/* = never"])
        .sampling_rules(["/a/c = always"])
        .build()
        .unwrap();
    assert!(records_request(&tracing, "GET", "/a/b"));
    assert!(!records_request(&tracing, "GET", "/a/c"));
}

#[test]
fn no_rules_leave_everything_to_the_tracer() {
    let nothing: [&str; 2] = ["", "# nothing yet"];
    let tracing = builder().sampling_rules(nothing).build().unwrap();
    assert_eq!(records(&tracing), [true, true, false]);
    assert!("".parse::<Rules>().is_ok());
}

#[test]
fn a_rule_that_cannot_be_read_is_shown_with_the_remedy() {
    for (rule, shown, problem) in [
        ("/health never", "/health never", "it has no `=`"),
        (
            "/health = sometimes",
            "/health = sometimes",
            "there are `always`",
        ),
        (
            "health = never",
            "health = never",
            "a path starts with a slash",
        ),
        ("get /x = never # no", "get /x = never", "write `GET`"),
        ("= never", "= never", "a path starts with a slash"),
        ("/health =", "/health =", "there are `always`"),
        ("** = never", "** = never", "a path starts with a slash"),
        (
            "* = never\n/late = always",
            "/late = always",
            "put `* = …` last",
        ),
    ] {
        let error = rule.parse::<Rules>().unwrap_err().to_string();
        assert!(error.contains(&format!("{shown:?}")), "{error}");
        assert!(error.contains(problem), "{error}");
        let error: ConfigError = builder().sampling_rules(rule.lines()).build().unwrap_err();
        assert_eq!(error.option(), "sampling_rules");
        assert!(error.to_string().contains(problem), "{error}");
    }
}
