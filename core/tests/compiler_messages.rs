//! The compiler's messages for code that cannot compile name the remedy.
//!
//! Each sample is compiled alone against the library that this test is linked with. Only the words of the remedy are looked
//! for, which are ours: the compiler's own change from one release to the next.

#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Compiles a function's body. Returns the compiler's errors, or [`None`] if there are none.
fn compile(library: &Path, name: &str, body: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiler_messages");
    fs::create_dir_all(&folder).unwrap();
    let (source, output) = (
        folder.join(name).with_extension("rs"),
        folder.join(name).with_extension("rmeta"),
    );
    let code = format!(
        "use opentracing_http::{{HttpTracing, InMemoryTracer, OwnedSpan, Span, Tag, Value}};\n\
         struct Plain;\n\
         pub fn sample(span: &Span, tracing: &HttpTracing) {{\n{body}\n}}\n"
    );
    fs::write(&source, code).unwrap();
    let mut external = OsString::from("opentracing_http=");
    external.push(library);
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled = Command::new(compiler)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .args(["--cap-lints=allow", "--color=never"])
        .arg("--extern")
        .arg(external)
        .arg("-L")
        .arg(format!("dependency={}", dependencies().display()))
        .arg("-o")
        .arg(output)
        .arg(source)
        .output()
        .expect("the compiler that built this test");
    let message = String::from_utf8_lossy(&compiled.stderr).into_owned();
    (!compiled.status.success()).then_some(message)
}

/// Returns the folder of this test, which contains the libraries that it was built with.
fn dependencies() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// The library as it was built last. Others that an earlier compiler has left may be beside it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let entries = fs::read_dir(dependencies()).unwrap();
        let built = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let is_it = name.starts_with("libopentracing_http-") && name.ends_with(".rlib");
            let built = path.metadata().ok()?.modified().ok()?;
            is_it.then_some((built, path))
        });
        let mut built: Vec<(SystemTime, PathBuf)> = built.collect();
        built.sort();
        let usable = |path: &PathBuf| compile(path, "library", "span.log(\"found\");").is_none();
        let newest_first = built.into_iter().rev().map(|(_, path)| path);
        newest_first
            .into_iter()
            .find(usable)
            .expect("the library that this test was built with")
    })
}

fn assert_compiles(name: &str, body: &str) {
    let message = compile(library(), name, body);
    assert_eq!(message, None, "{body}");
}

/// Asserts that `wrong` is refused with each of these texts in the message, and that `right`, which they advise, compiles.
fn assert_advised(name: &str, wrong: &str, advice: &[&str], right: &str) {
    let message = compile(library(), name, wrong).unwrap_or_else(|| panic!("compiles: {wrong}"));
    for advice in advice {
        assert!(message.contains(advice), "{advice:?} is not in\n{message}");
    }
    assert_compiles(&format!("{name}_as_advised"), right);
}

#[test]
fn type_that_is_no_value_is_displayed() {
    assert_advised(
        "value",
        r#"span.set_tag("path", std::path::Path::new("/tmp").display());"#,
        &["Value::display(&x)", "format_args!", "implement `TagValue`"],
        r#"span.set_tag("path", Value::display(std::path::Path::new("/tmp").display()));
           span.set_tag("path", format_args!("{:?}", std::path::Path::new("/tmp")));"#,
    );
    assert_advised(
        "value_of_a_builder",
        r#"let _ = tracing.span("work").tag("plain", Plain);"#,
        &["`Plain` cannot be the value of a tag", "Value::display(&x)"],
        r#"let _ = tracing.span("work").tag("path", Value::display(&"x"));"#,
    );
    assert_advised(
        "optional_value",
        r#"span.set_tag("plain", Some(Plain));"#,
        &["Value::display(&x)"],
        r#"span.set_tag("plain", Some(1));"#,
    );
}

#[test]
fn value_within_pairs_is_advised_as_well() {
    assert_advised(
        "value_in_a_log",
        r#"span.log([("plain", Plain)]);"#,
        &["`Plain` cannot be the value of a tag", "Value::display(&x)"],
        r#"span.log([("plain", Value::display("x"))]);"#,
    );
    assert_advised(
        "value_in_tags",
        r#"span.set_tags((("a", 1), ("plain", Plain)));"#,
        &["`Plain` cannot be the value of a tag", "Value::display(&x)"],
        r#"span.set_tags((("a", 1), ("plain", Value::display("x"))));"#,
    );
}

#[test]
fn what_cannot_be_logged_is_written_as_a_tuple() {
    assert_advised(
        "log",
        "span.log(7);",
        &[
            "span.log(\"retry\")",
            r#"(("event", "retry"), ("attempt", 2))"#,
        ],
        r#"span.log("retry"); span.log((("event", "retry"), ("attempt", 2)));"#,
    );
    assert_advised(
        "log_of_an_iterator",
        r#"span.log(["a", "b"].iter().map(|key| (*key, 1)));"#,
        &["an iterator is collected into a `Vec`"],
        r#"span.log(Vec::from_iter(["a", "b"].map(|key| (key, 1))));"#,
    );
    assert_advised(
        "log_of_one_pair",
        r#"span.log(("event", "retry"));"#,
        &[r#"one pair alone is written `[("key", value)]`"#],
        r#"span.log([("event", "retry")]);"#,
    );
}

#[test]
fn what_is_no_set_of_tags_is_written_as_pairs() {
    assert_advised(
        "tags",
        r#"span.set_tags("user");"#,
        &[r#"(("items", 3), ("user", name))"#],
        r#"let name = String::new(); span.set_tags((("items", 3), ("user", &*name)));"#,
    );
    assert_advised(
        "tags_of_one_pair",
        r#"span.set_tags(("user", "ada"));"#,
        &[r#"one pair alone is written `[("key", value)]`"#],
        r#"span.set_tags([("user", "ada")]);"#,
    );
}

#[test]
fn pointer_to_an_error_is_dereferenced() {
    let error = "let error: std::rc::Rc<dyn std::error::Error> = std::rc::Rc::from(Box::<dyn std::error::Error>::from(\"e\"));";
    assert_advised(
        "error",
        &format!("{error} span.record_error(&error);"),
        &["write `&*error`"],
        &format!("{error} span.record_error(&*error);"),
    );
    assert_advised(
        "no_error",
        r#"span.record_error("no luck");"#,
        &[
            "`str` is not an error that a span can record",
            r#"span.log((("event", "error"), ("message", text)))"#,
        ],
        r#"let text = "no luck"; span.log((("event", "error"), ("message", text)));"#,
    );
}

#[test]
fn what_is_no_carrier_is_wrapped_in_a_closure() {
    assert_advised(
        "carrier",
        "span.inject(&mut Plain);",
        &[
            "`Plain`",
            "request.headers_mut()",
            "&mut |name: &str, value: &str|",
        ],
        "span.inject(&mut |name: &str, value: &str| drop((name, value)));",
    );
    assert_advised(
        "headers",
        "let _ = opentracing_http::propagation::Propagation::default().extract(&Plain);",
        &["`Plain`", "implement `HeaderView`"],
        r#"let _ = opentracing_http::propagation::Propagation::default().extract(&[("b3", "0")]);"#,
    );
}

#[test]
fn span_that_was_given_to_a_future_is_gone() {
    let wrong = r#"let span = tracing.span("work").start();
        let future = span.scope(async {});
        span.set_tag("after", 1);
        drop(future);"#;
    let message = compile(library(), "scope", wrong).expect("the span was moved");
    assert!(message.contains("E0382"), "{message}");
    assert_compiles(
        "scope_as_advised",
        r#"let span = tracing.span("work").start();
        let future = (*span).scope(async {});
        span.set_tag("after", 1);
        drop(future);"#,
    );
}

#[test]
fn guards_belong_to_their_thread() {
    for guard in [
        "span.enter()",
        "span.clone().entered()",
        "span.child(\"c\").entered()",
    ] {
        let body = format!("fn send(_: impl Send) {{}} send({guard});");
        let message = compile(library(), "guard", &body).expect("a guard is not `Send`");
        assert!(
            message.contains("cannot be sent between threads"),
            "{message}"
        );
    }
}

/// Code that a user is likely to write first.
#[test]
fn everyday_code_compiles() {
    assert_compiles(
        "everyday",
        r#"
        let (items, name, peer) = (vec![1, 2], String::from("ada"), std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
        span.set_tag("n", items.len());
        span.set_tag("id", u64::MAX);
        span.set_tag("user", &name);
        span.set_tag("user", name.as_str());
        span.set_tag("first", items.first());
        span.set_tag("peer", peer);
        span.set_tag("ip", peer.ip());
        span.log((("event", "retry"), ("attempt", 2)));
        span.set_tags((("a", "text"), ("b", 1.5), ("c", None::<bool>)));
        // A closure may end with a method of a temporary.
        let end = || Span::current().log("done");
        end();
        [1, 2].iter().for_each(|n| span.set_tag("n", n));

        let boxed: Box<dyn std::error::Error> = "e".into();
        span.record_error(&boxed);
        span.record_error(&*boxed);
        let boxed: Box<dyn std::error::Error + Send + Sync> = "e".into();
        span.record_error(&boxed);
        let io = std::io::Error::other("e");
        span.record_error(&io);
        span.record_error(&io as &dyn std::error::Error);
        span.record_error(&Box::new(io));
        fn generic<E: std::error::Error + ?Sized>(span: &Span, error: &E) { span.record_error(error); }
        generic(span, &std::fmt::Error);

        fn spawn(_: impl Future<Output = ()> + Send + 'static) {}
        async fn work() {}
        spawn(Span::current().child("x").scope(work()));
        spawn(Span::current().scope(work()));
        "#,
    );
}
