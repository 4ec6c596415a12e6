//! Lines of real formatters with the ids of the current span.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;

use allocation_counter::measure;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::routing::get;
use opentracing_axum::{HttpTracing, InMemoryTracer, Span, TracingLayer};
use opentracing_testkit::client::Connection;
use opentracing_tracing::{WithLogIds, log_ids};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tracing::subscriber::with_default;
use tracing::{Subscriber, dispatcher, info, info_span};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Full};
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt as lines, registry};

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn tracing() -> HttpTracing {
    HttpTracing::new(InMemoryTracer::new())
}

/// Text lines without times and colors.
fn text() -> SubscriberBuilder<DefaultFields, Format<Full, ()>> {
    lines::fmt().without_time().with_ansi(false)
}

/// Runs `work` within a span and a subscriber; returns what is written, and the span's ids as text lines have them.
fn written<S: Subscriber + Send + Sync + 'static>(
    subscriber: impl FnOnce(WithLogIds<Kept>) -> S,
    work: impl FnOnce(),
) -> (String, String) {
    let kept = Kept::default();
    let span = tracing().span("order").start();
    with_default(subscriber(log_ids(kept.clone())), || span.in_scope(work));
    (kept.text(), span.log_ids().to_string())
}

fn sold() {
    info!(target: "shop", items = 3, "sold");
}

/// Checks that these are the ids, as members of the object.
fn assert_members(object: &Value, ids: &str) {
    let of = |key: &str| object[key].as_str().unwrap_or("-");
    let members = format!("trace_id={} span_id={}", of("trace_id"), of("span_id"));
    assert_eq!(members, ids, "{object}");
}

#[test]
fn text_lines_end_with_the_ids() {
    let (text, ids) = written(
        |to| text().with_writer(to).finish(),
        || {
            sold();
            info_span!("cart", id = 7).in_scope(sold);
        },
    );
    let expected =
        format!(" INFO shop: sold items=3 {ids}\n INFO cart{{id=7}}: shop: sold items=3 {ids}\n");
    assert_eq!(text, expected);
}

#[test]
fn compact_lines_end_with_the_ids() {
    let compact = |to| text().compact().with_writer(to).finish();
    let (text, ids) = written(compact, || info_span!("cart", id = 7).in_scope(sold));
    assert_eq!(text, format!(" INFO cart: shop: sold items=3 id=7 {ids}\n"));
}

#[test]
fn pretty_blocks_have_a_line_with_the_ids() {
    let pretty = |to| {
        let lines = text().pretty().with_file(false).with_line_number(false);
        lines.with_writer(to).finish()
    };
    let (text, ids) = written(pretty, || {
        info_span!(target: "shop", "cart", id = 7).in_scope(sold);
        info!(target: "shop", "two\nlines");
    });
    let expected = format!(
        "   INFO shop: sold, items: 3\n    in shop::cart with id: 7\n    {ids}\n\n   INFO shop: two\nlines\n    {ids}\n\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn colors_are_those_of_the_formatter() {
    let colored = || lines::fmt().without_time().with_ansi(true);
    let kept = Kept::default();
    with_default(colored().with_writer(kept.clone()).finish(), sold);
    let plain = kept.text();
    assert!(plain.contains("\u{1b}[32m INFO\u{1b}[0m"), "{plain:?}");
    let (text, ids) = written(|to| colored().with_writer(to).finish(), sold);
    assert_eq!(text, format!("{} {ids}\n", plain.trim_end()));
}

#[test]
fn a_message_with_several_lines_has_the_ids_on_its_last() {
    let (text, ids) = written(
        |to| text().with_writer(to).finish(),
        || {
            info!(target: "shop", "one\ntwo");
            info!(target: "shop", "three\n");
            info!(target: "shop", "");
            info!(target: "shop", "{{\"a\": 1}}");
        },
    );
    let expected = format!(
        " INFO shop: one\ntwo {ids}\n INFO shop: three {ids}\n\n INFO shop: {ids}\n INFO shop: {{\"a\": 1}} {ids}\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn braces_without_members_are_text() {
    let bare = |to| {
        let lines = text().with_level(false).with_target(false);
        lines.with_writer(to).finish()
    };
    let (text, ids) = written(bare, || {
        info!("{{a}}");
        info!("{{\"a\" is a key}}");
    });
    assert_eq!(text, format!("{{a}} {ids}\n{{\"a\" is a key}} {ids}\n"));
}

#[test]
fn json_objects_have_the_ids_as_members() {
    for (flat, span, list) in [
        (false, true, true),
        (true, true, true),
        (true, false, false),
        (false, false, true),
    ] {
        let json = |to| {
            let lines = lines::fmt().json().flatten_event(flat);
            let lines = lines.with_current_span(span).with_span_list(list);
            lines.with_writer(to).finish()
        };
        let (text, ids) = written(json, || {
            sold();
            info_span!("cart", trace_id = "of the cart", note = "}\"\\{").in_scope(sold);
            info!(target: "shop", note = "a \"quoted\" {brace}\n", "sold");
        });
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            assert_members(&object, &ids);
            let fields = if flat { &object } else { &object["fields"] };
            assert_eq!(fields["message"], "sold");
        }
        assert_eq!(text.contains("of the cart"), span || list);
    }
}

#[test]
fn an_application_s_own_fields_are_not_doubled() {
    let own = || info!(target: "shop", span_id = "own", "sold");
    let flat = |to| {
        let lines = lines::fmt().json().flatten_event(true);
        lines.with_writer(to).finish()
    };
    let (line, _) = written(flat, own);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["span_id"], "own");
    assert_eq!(object.get("trace_id"), None);
    assert_eq!(line.matches("span_id").count(), 1);

    let (line, ids) = written(|to| lines::fmt().json().with_writer(to).finish(), own);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_members(&object, &ids);
    assert_eq!(object["fields"]["span_id"], "own");

    let (line, _) = written(|to| text().with_writer(to).finish(), own);
    assert_eq!(line, " INFO shop: sold span_id=\"own\"\n");
}

/// A formatter of another crate.
#[test]
fn logfmt_lines_have_the_ids_as_fields() {
    let logfmt = |to| {
        let lines = tracing_logfmt::builder().with_timestamp(false).layer();
        registry().with(lines.with_writer(to))
    };
    let (text, ids) = written(logfmt, || {
        sold();
        info_span!("cart", id = 7).in_scope(sold);
    });
    let expected = format!(
        "level=info target=shop message=sold items=3 {ids}\nlevel=info target=shop span=cart span_path=cart message=sold items=3 id=7 {ids}\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn names_and_values_can_be_those_of_a_vendor() {
    let span = tracing().span("order").start();
    let ids = span.log_ids();
    let (trace_id, span_id) = (ids.trace_id().unwrap(), ids.span_id().unwrap());
    let line = |change: fn(WithLogIds<Kept>) -> WithLogIds<Kept>| {
        let kept = Kept::default();
        let lines = lines::fmt()
            .json()
            .with_writer(change(log_ids(kept.clone())));
        with_default(lines.finish(), || span.in_scope(sold));
        serde_json::from_str::<Value>(&kept.text()).unwrap()
    };
    let datadog = line(|to| to.keys("dd.trace_id", "dd.span_id").unwrap().decimal());
    assert_eq!(datadog["dd.trace_id"], (trace_id.get() as u64).to_string());
    assert_eq!(datadog["dd.span_id"], span_id.get().to_string());
    let google = line(|to| {
        let trace = "logging.googleapis.com/trace";
        let to = to.keys(trace, "logging.googleapis.com/spanId").unwrap();
        to.trace_prefix("projects/shop/traces/").unwrap()
    });
    let trace = format!("projects/shop/traces/{trace_id}");
    assert_eq!(google["logging.googleapis.com/trace"], trace);
    assert_eq!(google["logging.googleapis.com/spanId"], span_id.to_string());
    assert_eq!(google.get("trace_id"), None);
}

#[test]
fn names_that_do_not_fit_into_every_line_are_errors() {
    let long = "k".repeat(101);
    for wrong in [
        "", "trace id", "trace=id", "a\"b", "a\\b", "a\nb", "é", &long,
    ] {
        let set = |trace_id: &str, span_id: &str| {
            let (trace_id, span_id) = (trace_id.to_owned(), span_id.to_owned());
            log_ids(io::sink).keys(trace_id, span_id).map(drop)
        };
        for error in [set(wrong, "s"), set("t", wrong)] {
            assert_eq!(error.unwrap_err().option(), "keys", "{wrong:?}");
        }
        let prefix = log_ids(io::sink).trace_prefix(wrong.to_owned());
        assert_eq!(prefix.is_ok(), wrong.is_empty(), "{wrong:?}");
    }
    let same = log_ids(io::sink).keys("id", "id").unwrap_err();
    assert!(same.to_string().contains("two names"), "{same}");
}

#[test]
fn lines_outside_of_a_span_stay_as_they_are() {
    let kept = Kept::default();
    with_default(text().with_writer(log_ids(kept.clone())).finish(), || {
        sold();
        let here = dispatcher::get_default(Clone::clone);
        let span = tracing().span("order").start();
        span.in_scope(|| {
            thread::scope(|all| {
                all.spawn(|| dispatcher::with_default(&here, sold));
            });
        });
    });
    assert_eq!(kept.text(), " INFO shop: sold items=3\n".repeat(2));
}

#[test]
fn a_field_that_logs_or_panics_loses_no_other_line() {
    struct Noisy(bool);
    impl fmt::Display for Noisy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            sold();
            assert!(!self.0, "as asked for");
            f.write_str("noisy")
        }
    }
    let (text, ids) = written(
        |to| text().with_writer(to).finish(),
        || {
            // An event that is first reached within another one would never be written.
            sold();
            info!(target: "shop", "{}", Noisy(false));
            let caught = std::panic::catch_unwind(|| info!(target: "shop", "{}", Noisy(true)));
            assert!(caught.is_err());
            sold();
        },
    );
    let sold = format!(" INFO shop: sold items=3 {ids}\n");
    let noisy = format!(" INFO shop: noisy {ids}\n");
    // `tracing` ignores events within an event, and tracing-subscriber keeps the beginning of a line that panicked.
    assert_eq!(text, format!("{sold}{noisy} INFO shop: {sold}"));
}

#[test]
fn a_line_in_parts_is_written_at_once() {
    #[derive(Clone, Default)]
    struct Calls(Arc<Mutex<Vec<String>>>);
    impl Write for Calls {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let call = String::from_utf8(text.to_vec()).unwrap();
            self.0.lock().unwrap().push(call);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.lock().unwrap().push("flushed".into());
            Ok(())
        }
    }
    let calls = Calls::default();
    let span = tracing().span("order").start();
    let ids = span.log_ids();
    span.in_scope(|| {
        let make = log_ids(|| calls.clone());
        let mut writer = make.make_writer();
        writeln!(writer, "a {} and {}", 1, 2).unwrap();
        writer.write_all(b"\n").unwrap();
        writer.write_all(b"{}\r\n").unwrap();
        write!(writer, "not ").unwrap();
        writer.flush().unwrap();
        write!(writer, "yet").unwrap();
    });
    let (trace_id, span_id) = (ids.trace_id().unwrap(), ids.span_id().unwrap());
    let object = format!("{{\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"}}\r\n");
    let expected = [
        format!("a 1 and 2 {ids}\n"),
        "\n".into(),
        object,
        "not ".into(),
        "flushed".into(),
        "yet".into(),
    ];
    assert_eq!(*calls.0.lock().unwrap(), expected);
}

#[test]
fn nothing_is_allocated() {
    fn allocations<W: for<'w> MakeWriter<'w> + Send + Sync + 'static>(writer: W) -> u64 {
        let subscriber = lines::fmt().json().with_writer(writer).finish();
        with_default(subscriber, || {
            sold();
            measure(sold).count_total
        })
    }
    let span = tracing().span("order").start();
    let both = || (allocations(io::sink), allocations(log_ids(io::sink)));
    let (without, with) = span.in_scope(both);
    assert_eq!(with, without);
}

/// Returns the only line that contains this.
fn line<'a>(text: &'a str, part: &str) -> &'a str {
    let mut lines = text.lines().filter(|line| line.contains(part));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no line has {part:?}: {text}"));
    assert_eq!(lines.next(), None, "{part:?}: {text}");
    line
}

/// Two requests that are in the handler at once, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_of_a_server_has_its_own_ids() {
    let kept = Kept::default();
    let layer = lines::layer().with_ansi(false);
    let layer = layer.with_writer(log_ids(kept.clone()));
    // For the server's threads. Other tests of this file have subscribers of their own threads.
    tracing::subscriber::set_global_default(Registry::default().with(layer)).unwrap();

    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let meet = Arc::new(Barrier::new(2));
    // Both requests' spawned tasks, and this test.
    let (ended, done) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let (wait, then) = (ended.clone(), done.clone());
    let handler = async move |Path(name): Path<String>| {
        info!("{name} begins");
        meet.wait().await;
        info!("{name} goes on");
        let alone = name.clone();
        let spawned = tokio::spawn(async move { info!("{alone} is not inherited") });
        spawned.await.unwrap();
        let (later, wait, then) = (name.clone(), wait.clone(), then.clone());
        tokio::spawn(Span::current().scope(async move {
            wait.wait().await;
            info!("{later} after the request");
            then.wait().await;
        }));
        Body::from_stream(async_stream::stream! {
            yield Ok::<_, Infallible>(Bytes::from("one"));
            info!("{name} in the body");
            yield Ok(Bytes::from("two"));
        })
    };
    let app = Router::new()
        .route("/{name}", get(handler))
        .layer(TracingLayer::new(&tracing));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    let clients = ["ada", "bob"].map(|name| {
        tokio::task::spawn_blocking(move || {
            let mut connection = Connection::open(address);
            connection.request("GET", &format!("/{name}"), &[]);
            connection.response("GET").unwrap().text()
        })
    });
    for client in clients {
        assert_eq!(client.await.unwrap(), "onetwo");
    }
    while tracer.finished().len() < 2 {
        tokio::task::yield_now().await;
    }
    ended.wait().await;
    done.wait().await;
    info!("outside of both");
    server.abort();

    let text = kept.text();
    let reported = tracer.finished().into_iter().map(|span| {
        let context = span.context();
        format!(
            "trace_id={} span_id={}",
            context.trace_id(),
            context.span_id()
        )
    });
    let mut reported: Vec<_> = reported.collect();
    for name in ["ada", "bob"] {
        let begins = line(&text, &format!("{name} begins"));
        let (_, ids) = begins.split_once(" begins ").unwrap();
        let at = reported.iter().position(|reported| reported == ids);
        reported.remove(at.unwrap_or_else(|| panic!("{ids} was not reported: {text}")));
        for part in ["goes on", "in the body", "after the request"] {
            let part = format!("{name} {part}");
            assert!(
                line(&text, &part).ends_with(&format!("{part} {ids}")),
                "{text}"
            );
        }
        let part = format!("{name} is not inherited");
        assert!(line(&text, &part).ends_with(&part), "{text}");
    }
    assert!(line(&text, "outside of both").ends_with("outside of both"));
}
