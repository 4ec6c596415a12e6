//! Checks an example that is configured only by variables.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::app::App;
use crate::collector::{Collector, Protocol};

const TRACE_ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

const CALLER: u64 = 0x00f0_67aa_0ba9_02b7;

/// Starts a program with only variables of OpenTelemetry's specification, once for each of OTLP's protocols, and checks
/// that its spans arrive at a collector; then once more with a sampler that records nothing.
///
/// # Panics
///
/// Panics if other spans arrive.
pub fn reaches_a_collector_by_variables_alone(program: &str) {
    for (protocol, name) in [(Protocol::Http, "http/protobuf"), (Protocol::Grpc, "grpc")] {
        let collector = Collector::start().expect("a collector");
        run(
            program,
            &collector,
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", name)],
        );
        let mut spans = Vec::new();
        for (received, request) in collector.received() {
            assert_eq!(received, protocol);
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.expect("a resource");
                let attribute = |key| text(&resource.attributes, key);
                assert_eq!(attribute("service.name"), Some("shop"));
                assert_eq!(attribute("deployment.environment.name"), Some("blue,green"));
                let of_scopes = of_resource.scope_spans.into_iter();
                spans.extend(of_scopes.flat_map(|of_scope| of_scope.spans));
            }
        }
        assert_spans(&spans);
    }
    let collector = Collector::start().expect("a collector");
    run(
        program,
        &collector,
        &[("OTEL_TRACES_SAMPLER", "always_off")],
    );
    assert_eq!(collector.received(), []);
}

/// Starts the program, sends it one request, and stops it.
fn run(program: &str, collector: &Collector, variables: &[(&str, &str)]) {
    let url = collector.url();
    let mut all = vec![
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_SERVICE_NAME", "shop"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=blue%2Cgreen",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
    ];
    all.extend(variables);
    let app = App::start(program, &all);
    get_child(app.addr());
    assert!(app.stop().is_empty(), "spans are printed");
}

fn get_child(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "GET /child HTTP/1.1\r\nhost: {address}\r\ntraceparent: 00-{TRACE_ID:032x}-{CALLER:016x}-01\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it responds");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

/// Checks the request's span, a child of the caller's, and its child.
fn assert_spans(spans: &[Span]) {
    let of_kind = |kind| {
        let mut found = spans.iter().filter(move |span| span.kind() == kind);
        let first = found
            .next()
            .unwrap_or_else(|| panic!("none is {kind:?}: {spans:?}"));
        assert!(found.next().is_none(), "several are {kind:?}: {spans:?}");
        first
    };
    let (server, child) = (of_kind(SpanKind::Server), of_kind(SpanKind::Internal));
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_eq!((&*server.name, &*child.name), ("GET /child", "compute"));
    for span in spans {
        assert_eq!(span.trace_id, TRACE_ID.to_be_bytes());
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    assert_eq!(server.parent_span_id, CALLER.to_be_bytes());
    assert_eq!(child.parent_span_id, server.span_id);
    assert_eq!(text(&server.attributes, "http.method"), Some("GET"));
}

/// Returns the text of an attribute.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}
