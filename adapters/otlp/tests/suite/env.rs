//! The variables of OpenTelemetry's specification, and options that cannot work.

use std::time::Duration;

use opentracing_http::{ConfigError, HttpTracing, SpanContext, TraceFlags};
use opentracing_otlp::{Compression, OtlpTracer, OtlpTracerBuilder, Protocol};

use crate::SOON;
use crate::receiver::{Receiver, WIRES, Wire};

/// Looks variables up in a table.
fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(key, _)| *key == name)?;
        Some(found.1.to_owned())
    }
}

/// The value of an attribute of the resource.
fn resource(call: &crate::receiver::Call, key: &str) -> Option<String> {
    let resource = call.request.resource_spans[0].resource.as_ref().unwrap();
    let found = resource
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    match found.value.as_ref().unwrap().value.as_ref().unwrap() {
        opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text) => {
            Some(text.clone())
        }
        other => panic!("{other:?}"),
    }
}

fn deliver(tracer: OtlpTracer) {
    let tracing = HttpTracing::new(tracer);
    tracing.span("x").start().finish();
    assert!(tracing.flush(SOON).is_complete());
}

const fn protocol(wire: Wire) -> &'static str {
    match wire {
        Wire::Http => "http/protobuf",
        #[cfg(feature = "grpc")]
        Wire::Grpc => "grpc",
    }
}

#[test]
fn everything_can_come_from_variables() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let url = receiver.url();
        let tracer = OtlpTracer::from_env_with(table(&[
            ("OTEL_SERVICE_NAME", " checkout "),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=hidden, a=1,b = x%2Cy=z ,,deployment.environment.name=bl%C3%BCe",
            ),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol(*wire)),
            ("OTEL_EXPORTER_OTLP_HEADERS", "X-Key=a%20b==,x-tenant=blue"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "false"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ""),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
            ("OTEL_SDK_DISABLED", "false"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ]));
        deliver(tracer.unwrap());
        let call = receiver.call();
        assert_eq!(resource(&call, "service.name").as_deref(), Some("checkout"));
        assert_eq!(resource(&call, "a").as_deref(), Some("1"));
        assert_eq!(resource(&call, "b").as_deref(), Some("x,y=z"));
        let environment = resource(&call, "deployment.environment.name");
        assert_eq!(environment.as_deref(), Some("blüe"));
        assert_eq!(call.header("x-key"), Some("a b=="));
        assert_eq!(call.header("x-tenant"), Some("blue"));
        #[cfg(feature = "grpc")]
        if *wire == Wire::Grpc {
            assert_eq!(call.header("grpc-timeout"), Some("9000000u"));
        }
    }
}

#[test]
fn name_of_the_service_may_be_an_attribute() {
    let receiver = Receiver::start(Wire::Http);
    let tracer = OtlpTracer::from_env_with(table(&[
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=checkout"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
    ]));
    deliver(tracer.unwrap());
    let call = receiver.call();
    assert_eq!(resource(&call, "service.name").as_deref(), Some("checkout"));
}

#[test]
fn forms_for_traces_win() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracer = OtlpTracer::from_env_with(table(&[
            ("OTEL_SERVICE_NAME", "checkout"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "no URL"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &receiver.url()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol(*wire)),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=all,x-other=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=traces"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "never"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "5000"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "nowhere.pem"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                env!("CARGO_MANIFEST_PATH"),
            ),
            ("OTEL_EXPORTER_OTLP_INSECURE", "perhaps"),
            ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
        ]));
        deliver(tracer.unwrap());
        let call = receiver.call();
        assert_eq!(
            (call.header("x-key"), call.header("x-other")),
            (Some("traces"), None)
        );
        if *wire == Wire::Http {
            assert_eq!(call.path, "/", "nothing is added to the whole address");
        }
    }
}

#[test]
fn path_follows_the_rules_of_the_two_variables() {
    const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const WHOLE: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    for (variable, end, path) in [
        (BASE, "", "/v1/traces"),
        (BASE, "/", "/v1/traces"),
        (BASE, "/otlp", "/otlp/v1/traces"),
        (BASE, "/otlp/", "/otlp/v1/traces"),
        (BASE, "/otlp?key=1", "/otlp/v1/traces?key=1"),
        (WHOLE, "", "/"),
        (WHOLE, "/", "/"),
        (WHOLE, "/v1/traces", "/v1/traces"),
        (WHOLE, "/spans/?key=1", "/spans/?key=1"),
    ] {
        let receiver = Receiver::start(Wire::Http);
        let url = format!("{}{end}", receiver.url());
        let tracer = OtlpTracer::builder("suite").env_with(table(&[(variable, &url)]));
        deliver(tracer.build().unwrap());
        assert_eq!(receiver.call().path, path, "{variable} {end}");
    }
}

#[test]
fn variables_go_over_what_was_set_before_and_under_what_is_set_after() {
    let receiver = Receiver::start(Wire::Http);
    let tracer = OtlpTracer::builder("in code")
        .endpoint("http://192.0.2.1:9")
        .env_with(table(&[
            ("OTEL_SERVICE_NAME", "from the environment"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://192.0.2.2:9"),
        ]))
        .endpoint(receiver.url());
    deliver(tracer.build().unwrap());
    let call = receiver.call();
    let name = resource(&call, "service.name");
    assert_eq!(name.as_deref(), Some("from the environment"));
}

#[test]
fn no_variable_changes_nothing() {
    let builder = OtlpTracer::builder("checkout").env_with(table(&[]));
    assert!(builder.build().is_ok());
}

#[test]
fn disabled_sdk_records_nothing_and_passes_callers_on() {
    // The rest is not even looked at.
    let tracer = OtlpTracer::from_env_with(table(&[
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "no URL"),
    ]));
    let tracing = HttpTracing::new(tracer.unwrap());
    let caller = SpanContext::new(
        "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap(),
        "00f067aa0ba902b7".parse().unwrap(),
        TraceFlags::SAMPLED,
    );
    let span = tracing.span("x").child_of(caller.clone()).start();
    assert!(!span.is_recording());
    assert_eq!(span.context(), Some(caller));
}

#[test]
fn what_is_wrong_is_named_with_a_remedy() {
    for (name, value, remedy) in [
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "a",
            "pair 1 has no `=`; write `key=value`",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,=b", "pair 2 has no key"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "percent-encoded"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "percent-encoded"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%2", "percent-encoded"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4318",
            "write it like `http://localhost:4318`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://",
            "give one like `http://localhost:4318`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://a b",
            "give one like `http://localhost:4318`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://a:0",
            "not a number from 1 to 65535",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://a:70000",
            "not a number from 1 to 65535",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:x", "give"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "unix://a/b",
            "neither `http` nor `https`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://me:secret@a",
            "set the header `authorization`",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://a/v1/traces",
            "set the address of traces instead",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "a:4318/v1/traces",
            "write it like",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "set `http/protobuf` or `grpc`",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "udp",
            "set `http/protobuf` or `grpc`",
        ),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "zstd",
            "set `gzip` or `none`",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "give milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "give milliseconds"),
        (
            "OTEL_EXPORTER_OTLP_INSECURE",
            "1",
            "neither `true` nor `false`",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "pair 1 has no `=`"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=1", "not a header's name"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=x%0Ay",
            "no header can have",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "content-type=x",
            "leave it out",
        ),
        (
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "nowhere.pem",
            "cannot be read",
        ),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "nowhere.pem",
            "cannot be read",
        ),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "nowhere.pem",
            "cannot be read",
        ),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "give milliseconds"),
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "0",
            "give a whole number above 0",
        ),
        (
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "many",
            "give a whole number above 0",
        ),
        ("OTEL_SDK_DISABLED", "yes", "neither `true` nor `false`"),
    ] {
        let error = OtlpTracer::builder("x")
            .env_with(table(&[(name, value)]))
            .build()
            .unwrap_err();
        assert_eq!(error.option(), name, "{value}");
        let text = error.to_string();
        assert!(text.contains(remedy), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    let variables = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "11"),
    ];
    let builder = OtlpTracer::builder("x").env_with(table(&variables));
    let error = builder.build().unwrap_err();
    assert_eq!(error.option(), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
}

#[test]
fn service_without_a_name_is_an_error() {
    let error = OtlpTracer::from_env_with(table(&[])).unwrap_err();
    assert_eq!(error.option(), "OTEL_SERVICE_NAME");
    assert_eq!(OtlpTracer::new(" ").unwrap_err().option(), "service_name");
}

#[track_caller]
fn assert_wrong(
    option: &str,
    remedy: &str,
    change: impl FnOnce(OtlpTracerBuilder) -> OtlpTracerBuilder,
) {
    let built = change(OtlpTracer::builder("x")).build();
    let error: ConfigError = built.unwrap_err();
    assert_eq!(error.option(), option, "{error}");
    assert!(error.to_string().contains(remedy), "{error}");
}

#[test]
fn options_that_cannot_work_are_errors() {
    assert_wrong("endpoint", "write it like", |x| x.endpoint("collector"));
    assert_wrong("traces_endpoint", "write it like", |x| {
        x.traces_endpoint("a:1")
    });
    assert_wrong("header", "not a header's name", |x| x.header("a b", ""));
    assert_wrong("header", "set by the protocol", |x| x.header("Host", "x"));
    assert_wrong("timeout", "give a longer time", |x| {
        x.timeout(Duration::ZERO)
    });
    assert_wrong("request_bytes", "give at least", |x| x.request_bytes(1_000));
    assert_wrong("queue_spans", "0 drops every span", |x| x.queue_spans(0));
    assert_wrong("batch_spans", "exceeds a queue", |x| {
        x.queue_spans(10).batch_spans(11)
    });
    assert_wrong("backoff", "give a short pause", |x| {
        x.backoff(Duration::ZERO, Duration::ZERO)
    });
}

#[test]
fn resource_that_fills_a_request_is_an_error_whose_remedy_works() {
    let tagged = || OtlpTracer::builder("x").tag(("fat", "x".repeat(100_000)));
    let error = tagged().request_bytes(100_000).build().unwrap_err();
    let text = error.to_string();
    let least = text.rsplit("at least ").next().unwrap().parse::<usize>();
    let least = least.unwrap_or_else(|_| panic!("{text}"));
    assert!(tagged().request_bytes(least).build().is_ok());
    assert!(tagged().request_bytes(least - 1).build().is_err());
}

#[test]
fn secrets_are_not_shown() {
    let builder = OtlpTracer::builder("x")
        .header("authorization", "Bearer secret")
        .client_certificate("secret", "secret");
    let shown = format!("{builder:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("authorization"), "{shown}");
}

#[test]
#[cfg(feature = "grpc")]
fn addresses_for_grpc_need_no_scheme_and_have_no_path() {
    let grpc = |builder: OtlpTracerBuilder| builder.protocol(Protocol::Grpc);
    for path in ["/v1/traces", "/?a=1"] {
        assert_wrong("endpoint", "gRPC has a path of its own", |x| {
            grpc(x).endpoint(format!("http://collector:4317{path}"))
        });
    }
    let receiver = Receiver::start(Wire::Grpc);
    let address = receiver.address().to_string();
    for url in [address.clone(), format!("http://{address}/")] {
        let tracer = grpc(OtlpTracer::builder("suite")).env_with(table(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ]));
        deliver(tracer.build().unwrap());
        assert_eq!(receiver.span().name, "x");
    }
}

#[test]
#[cfg(all(feature = "grpc", not(feature = "tls")))]
fn address_for_grpc_without_a_scheme_means_https() {
    assert_wrong("endpoint", "its feature `tls`", |x| {
        x.protocol(Protocol::Grpc).endpoint("collector:4317")
    });
}

#[test]
fn option_whose_feature_is_off_is_an_error() {
    let wrong = |option: &str, feature: &str, is_on: bool, builder: OtlpTracerBuilder| match is_on {
        true => assert!(builder.build().is_ok(), "{feature}"),
        false => assert_wrong(option, &format!("its feature `{feature}`"), |_| builder),
    };
    let builder = || OtlpTracer::builder("x");
    let tls = cfg!(feature = "tls");
    let ca = crate::receiver::Authority::new().pem();
    let https = || {
        builder()
            .certificate(ca.clone())
            .endpoint("https://collector")
    };
    wrong("endpoint", "tls", tls, https());
    let named = builder().certificate(ca.clone()).env_with(table(&[(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "https://collector/v1/traces",
    )]));
    wrong("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "tls", tls, named);
    let grpc = cfg!(feature = "grpc");
    wrong("protocol", "grpc", grpc, builder().protocol(Protocol::Grpc));
    let named = builder().env_with(table(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]));
    wrong("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", grpc, named);
    let gzip = cfg!(feature = "gzip");
    wrong(
        "compression",
        "gzip",
        gzip,
        builder().compression(Compression::Gzip),
    );
    let named = builder().env_with(table(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]));
    wrong("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", gzip, named);
}
