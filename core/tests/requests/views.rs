//! The facts that the core reads of a request, and those that it stores.

use std::cell::Cell;

use http::Version;
use opentracing_http::RequestView;
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::ResponseView;

use super::*;

/// Returns everything that a view returns, in one line.
fn described(view: &dyn RequestView) -> String {
    let mut headers = Vec::new();
    let all = view.headers();
    all.each_header(&mut |name, value| headers.push(format!("{name}={}", value.len())));
    let mut values = Vec::new();
    all.header_values("x-tag", &mut |value| values.push(value.to_vec()));
    format!(
        "{} {} {:?} {:?} {:?} {:?} {:?} {headers:?} {} {:?}",
        view.method(),
        view.path(),
        view.query(),
        view.scheme(),
        view.host(),
        view.version(),
        view.route(),
        values.len(),
        view.header("x-tag"),
    )
}

#[test]
fn a_request_and_its_parts_have_the_same_facts() {
    let request = Request::put("https://test.example:8443/a/b?page=2")
        .version(Version::HTTP_2)
        .header("x-tag", "one")
        .header("x-tag", "three")
        .header("host", "other.example")
        .body(())
        .unwrap();
    let expected = "PUT /a/b Some(\"page=2\") Some(\"https\") Some(\"test.example:8443\") Some(HTTP/2.0) Unknown \
        [\"x-tag=3\", \"x-tag=5\", \"host=13\"] 2 Some([111, 110, 101])";
    assert_eq!(described(&request), expected);
    assert_eq!(described(&request.into_parts().0), expected);

    let request = Request::get("/").header("host", "test.example");
    let request = request.version(Version::HTTP_10).body(()).unwrap();
    let expected =
        "GET / None None Some(\"test.example\") Some(HTTP/1.0) Unknown [\"host=12\"] 0 None";
    assert_eq!(described(&request), expected);
    assert_eq!(described(&request.into_parts().0), expected);
}

#[test]
fn a_version_is_shown_as_its_number() {
    for (version, told) in [
        (Version::HTTP_09, "0.9"),
        (Version::HTTP_10, "1.0"),
        (Version::HTTP_11, "1.1"),
        (Version::HTTP_2, "2"),
        (Version::HTTP_3, "3"),
    ] {
        let request = Request::get("/").version(version).body(()).unwrap();
        let harness = policy(|policy| policy.attributes([Attribute::VERSION]));
        assert_eq!(
            tag(&harness.answer(&request, 200), "version").as_deref(),
            Some(told)
        );
    }
}

#[test]
fn an_outcome_fails_a_request_by_its_status() {
    for (outcome, status, fails) in [
        (Outcome::Completed, Some(499), false),
        (Outcome::Completed, Some(500), true),
        (Outcome::Completed, None, false),
        (Outcome::HandlerError, Some(404), false),
        (Outcome::HandlerError, Some(500), true),
        (Outcome::HandlerError, None, true),
        (Outcome::Cancelled, None, true),
        (Outcome::Panicked, Some(200), true),
        (Outcome::BodyFailed, Some(200), true),
        (Outcome::BodyAbandoned, Some(200), true),
    ] {
        assert_eq!(outcome.is_failure(status), fails, "{outcome} {status:?}");
    }
}

/// A view with the required methods only.
#[derive(Default)]
struct Untold {
    asked: Cell<u32>,
    host: Option<&'static [u8]>,
}

impl HeaderView for Untold {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        if let Some(host) = self.host {
            visit("Host", host);
        }
    }
}

impl RequestView for Untold {
    fn headers(&self) -> &dyn HeaderView {
        self
    }

    fn method(&self) -> &str {
        self.asked.set(self.asked.get() + 1);
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }
}

#[test]
fn a_minimal_view_yields_minimal_facts() {
    let bare = Untold::default();
    assert_eq!(
        described(&bare),
        "GET / None None None None Unknown [] 0 None"
    );
    assert_eq!(bare.peer(), None);
    assert_eq!(bare.asked.get(), 1);
}

#[test]
fn the_host_is_that_of_the_header_if_the_view_knows_no_better() {
    let host = |host: &'static [u8]| {
        let bare = Untold {
            host: Some(host),
            ..Untold::default()
        };
        let view: &dyn RequestView = &bare;
        view.host().map(str::to_owned)
    };
    assert_eq!(host(b"test.example:80").as_deref(), Some("test.example:80"));
    assert_eq!(host(b"\xff"), None);
}

struct AskedForRoute(Cell<bool>);

impl ResponseView for AskedForRoute {
    fn status(&self) -> u16 {
        200
    }

    fn headers(&self) -> &dyn HeaderView {
        const NONE: &[(&str, &str); 0] = &[];
        NONE
    }

    fn route(&self) -> Route<'_> {
        self.0.set(true);
        Route::Unmatched
    }
}

#[test]
fn a_request_is_watched_if_it_is_recorded_or_has_finish_callbacks() {
    let unsampled = get(
        "/",
        &[(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        )],
    );
    // The route of a response is read only if the request is recorded or has finish callbacks.
    let watched = |harness: &Harness, request: &Request<()>| {
        let mut response = AskedForRoute(Cell::new(false));
        drop(harness.begin(request).respond(&mut response));
        response.0.get()
    };
    assert!(watched(&defaults(), &get("/", &[])));
    assert!(!watched(&defaults(), &unsampled));
    let listening = policy(|policy| policy.on_finish(|_| {}));
    assert!(watched(&listening, &unsampled));
}

#[test]
fn a_span_s_size_counts_what_it_keeps_and_nothing_else_is_kept() {
    let size = |harness: &Harness, uri: &str, headers: &[(&str, &str)]| {
        harness.answer(&get(uri, headers), 200).size()
    };
    let long = "x".repeat(2000);
    let plain = defaults();
    let short = size(&plain, "/", &[]);
    assert!(short < 3000, "{short}");
    // Facts that the convention does not show are not stored.
    let agent = [("user-agent", long.as_str())];
    assert_eq!(size(&plain, &format!("/?{long}"), &agent), short);
    assert!(size(&plain, &format!("/{long}"), &[]) >= short + 2000);
    let shown = policy(|policy| policy.convention(SemanticConvention::Both));
    assert!(size(&shown, &format!("/?{long}"), &agent) >= short + 4000);

    // Many attributes: each needs memory besides its text.
    let many = |count: usize| {
        let harness = policy(|policy| {
            let attributes = (0..count).map(|n| Attribute::METHOD.tag(format!("method {n}")));
            policy.attributes(attributes)
        });
        size(&harness, "/", &[])
    };
    // 64 bytes of text are reserved for each.
    assert!(many(40) >= many(8) + 32 * (64 + 12));

    let failed = |error: &str| {
        let harness = defaults();
        harness.begin(&get("/", &[])).fail(None, &error);
        harness.only().size()
    };
    assert!(failed(&long) >= failed("") + 2000);

    let joined = |count: usize| {
        let harness = defaults();
        let span = harness.begin(&get("/", &[]));
        for _ in 0..count {
            let inner = harness.mount(|mount_point| mount_point.name("inner"));
            drop(inner.join(span.span(), &get("/", &[])));
        }
        drop(span);
        harness.only().size()
    };
    assert!(joined(32) >= joined(0) + 32 * size_of::<usize>());

    let baggage = |value: &str| {
        let harness = defaults();
        let span = harness.begin(&get("/", &[]));
        span.span().set_baggage_item("key", value);
        drop(span);
        harness.only().size()
    };
    assert!(baggage(&long) >= baggage("") + 2000);
}
