//! The memory of a span is limited, whatever a handler does.

use allocation_counter::measure;
use opentracing_http::{Limits, Tag};

use opentracing_http::server::SharedRequestSpan;

use super::*;

/// A megabyte that text of a few bytes may hold.
const ROOM: usize = 1 << 20;

fn roomy(text: &str) -> String {
    let mut roomy = String::with_capacity(ROOM);
    roomy.push_str(text);
    roomy
}

/// Returns the number of bytes that a span holds after `make` has used it.
fn held(make: impl Fn(&Span)) -> usize {
    held_of(|| "work".to_owned(), make)
}

fn held_of(name: impl Fn() -> String, make: impl Fn(&Span)) -> usize {
    let harness = defaults();
    let run = || {
        let span = harness.instrumentation.tracing().span(name()).start();
        make(&span);
    };
    // Thread-locals, and the tracer's vector.
    (0..3).for_each(|_| run());
    let _ = harness.tracer.take();
    run();
    let _ = harness.tracer.take();
    let held = usize::try_from(measure(run).bytes_current).unwrap();
    let counted = harness.only().size();
    assert!(
        held.abs_diff(counted) < 2048,
        "{counted} counted, {held} held"
    );
    held
}

#[test]
fn room_that_text_does_not_use_is_given_back() {
    let bare = held(|_| ());
    for (what, held) in [
        ("value", held(|span| span.set_tag("key", roomy("value")))),
        ("key", held(|span| span.set_tag(roomy("key"), "value"))),
        ("name", held(|span| span.set_name(roomy("name")))),
        ("first name", held_of(|| roomy("name"), |_| ())),
        ("event", held(|span| span.log(roomy("event")))),
        (
            "fields",
            held(|span| span.log([Tag::new(roomy("key"), roomy("value"))])),
        ),
        (
            "tags at once",
            held(|span| {
                let mut tags = Vec::with_capacity(ROOM / 64);
                tags.push(Tag::new(roomy("key"), roomy("value")));
                span.set_tags(tags);
            }),
        ),
    ] {
        assert!(held < bare + 4096, "{what}: {held} bytes");
    }
}

#[test]
fn text_that_uses_most_of_its_room_is_not_copied() {
    let harness = defaults();
    let span = harness.instrumentation.tracing().span("work").start();
    span.set_tag("first", 1);
    let mut text = String::with_capacity(264);
    text.push_str(&"x".repeat(100));
    assert_eq!(measure(|| span.set_tag("second", text)).count_total, 0);
}

#[test]
fn a_route_that_changes_for_ever_takes_the_room_of_one() {
    let harness = policy(|policy| policy.attribute_names(["response.header:x-cache"]));
    let sizes = [1, 20_000].map(|changes| {
        let mut span = harness.begin(&get("/path", &[]));
        for n in 0..changes {
            span.set_route(Route::Template(&format!("/users/{{id}}/{n}")));
            span.span().set_route(&format!("/{n}"));
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-cache", "hit".parse().unwrap());
        let shared = SharedRequestSpan::new(span);
        let scope = shared.enter();
        let span = shared.take().unwrap();
        drop(span.respond(&mut response(200, &mut headers, BodySize::Empty)));
        // Set after the response's attributes, which do not change.
        drop((scope, shared));
        let span = harness.only();
        assert_eq!(span.name(), format!("GET /{}", changes - 1));
        assert_eq!(tag(&span, "http.url").as_deref(), Some("/path"));
        assert_eq!(
            tag(&span, "http.response.header.x-cache").as_deref(),
            Some("hit")
        );
        span.size()
    });
    assert!(sizes[1] < sizes[0] + 256, "{sizes:?}");
}

#[test]
fn a_route_set_after_other_text_does_not_change_it() {
    let harness = defaults();
    let request = get("http://a.example/b?c=d", &[("user-agent", "kit")]);
    let mut span = harness.begin(&request);
    span.set_route(Route::Template("/b"));
    let attributes = ["host", "user_agent"].map(|name| name.parse().unwrap());
    let inner = harness.mount(|mount_point| mount_point.attributes(attributes));
    drop(inner.join(span.span(), &request));
    for template in ["/a/much/longer/one", "/b", "/"] {
        span.set_route(Route::Template(template));
    }
    drop(span);
    let span = harness.only();
    assert_eq!(span.name(), "GET /");
    for (key, value) in [
        ("http.route", "/"),
        ("host", "a.example"),
        ("user_agent", "kit"),
        ("http.url", "http://a.example/b"),
    ] {
        assert_eq!(tag(&span, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn names_and_routes_are_cut_like_values_and_counted() {
    let long = "x".repeat(1 << 20);
    let check = |span: FinishedSpan, cut: u32| {
        assert!(
            span.name().len() <= 4096 + "GET ".len(),
            "{}",
            span.name().len()
        );
        assert!(span.size() < 32 << 10);
        assert_eq!(span.omitted().cut_values, cut);
    };
    let harness = defaults();
    let span = harness.begin(&get("/", &[]));
    span.span().set_name(long.clone());
    drop(span);
    check(harness.only(), 1);

    harness
        .instrumentation
        .tracing()
        .span(long.clone())
        .start()
        .finish();
    check(harness.only(), 1);

    let span = harness.begin(&get("/", &[]));
    span.span().set_route(&long);
    drop(span);
    let span = harness.only();
    assert_eq!(tag(&span, "http.route").unwrap().len(), 4096);
    check(span, 1);

    let named = policy(|policy| {
        let long = long.clone();
        policy.name_with(move |_, _| Some(long.clone()))
    });
    drop(named.begin(&get("/", &[])));
    check(named.only(), 1);

    let mut mounted = defaults();
    mounted.instrumentation = mounted.mount(|mount_point| mount_point.name(long.clone()));
    drop(mounted.begin(&get("/", &[])));
    check(mounted.only(), 1);
}

#[test]
fn the_route_of_an_unrecorded_request_is_cut_as_well() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let harness = policy(|policy| {
        let seen = seen.clone();
        policy.skip("/*").on_finish(move |end| {
            let Route::Template(template) = end.route else {
                panic!("no route")
            };
            seen.lock().unwrap().push(template.len());
        })
    });
    let long = "x".repeat(1 << 20);
    let mut span = harness.begin(&get("/", &[]));
    span.set_route(Route::Template(&long));
    drop(span);
    let span = harness.begin(&get("/", &[]));
    span.span().set_route(&long);
    drop(span);
    assert_eq!(*seen.lock().unwrap(), [4096, 4096]);
}

#[test]
fn keys_that_are_too_long_are_left_out_and_counted() {
    let (long, most) = (
        "k".repeat(Limits::KEY_BYTES + 1),
        "k".repeat(Limits::KEY_BYTES),
    );
    let harness = defaults();
    let tracing = harness.instrumentation.tracing();
    let span = tracing
        .span("work")
        .tag(long.clone(), 1)
        .tag(most.clone(), 2)
        .start();
    span.set_tag(long.clone(), 1);
    span.set_tags([(long.clone(), 1), ("short".to_owned(), 3)]);
    span.log([(long.clone(), 1), (most.clone(), 2)]);
    span.log([(long.clone(), 1)]);
    span.finish();
    let span = harness.only();
    let keys = |tags: &[Tag]| -> Vec<usize> { tags.iter().map(|tag| tag.key.len()).collect() };
    assert_eq!(keys(&span.tags()), [256, 5]);
    assert_eq!(keys(&span.logs()[0].fields), [256]);
    assert!(span.logs()[1].fields.is_empty());
    let omitted = span.omitted();
    assert_eq!((omitted.tags, omitted.log_fields), (3, 2));

    // The first tags of a span, given at once, are kept in the vector in which they come.
    let span = tracing.span("work").start();
    span.set_tags([(long, 1), (most, 2)]);
    span.finish();
    let span = harness.only();
    assert_eq!((keys(&span.tags()), span.omitted().tags), (vec![256], 1));
}
