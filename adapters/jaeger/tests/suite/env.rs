//! The usual variables.

use opentracing_http::{HttpTracing, Tracer};
use opentracing_jaeger::JaegerTracer;

use crate::SOON;
use crate::agent::Agent;
use crate::thrift_batch::Value;

/// Looks variables up in a table.
fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(key, _)| *key == name)?;
        Some(found.1.to_owned())
    }
}

#[test]
fn everything_can_come_from_variables() {
    let agent = Agent::start();
    let port = agent.address().port().to_string();
    let tracer = JaegerTracer::from_env_with(table(&[
        ("JAEGER_SERVICE_NAME", "checkout"),
        ("JAEGER_AGENT_HOST", " localhost "),
        ("JAEGER_AGENT_PORT", &port),
        (
            "JAEGER_TAGS",
            "a=1, b = x=y ,c=${ZONE:nowhere},d=${REGION:north},e=${REGION},",
        ),
        ("ZONE", "eu-1"),
        ("JAEGER_REPORTER_MAX_QUEUE_SIZE", "10"),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "1ms"),
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLER_PARAM", "1"),
        ("JAEGER_DISABLED", "false"),
        ("JAEGER_PROPAGATION", "b3"),
        ("JAEGER_ENDPOINT", ""),
    ]));
    let tracing = HttpTracing::new(tracer.unwrap());
    tracing.span("x").start().finish();
    let batch = agent.batch();
    assert_eq!(batch.service, "checkout");
    for (key, value) in [
        ("a", "1"),
        ("b", "x=y"),
        ("c", "eu-1"),
        ("d", "north"),
        ("e", ""),
    ] {
        assert_eq!(batch.process_tag(key), Some(&Value::from(value)), "{key}");
    }
    assert_eq!(
        batch.spans[0].tag("sampler.type"),
        Some(&Value::from("const"))
    );
}

#[test]
fn variables_go_over_what_was_set_before_and_under_what_is_set_after() {
    let agent = Agent::start();
    let tracer = JaegerTracer::builder("in code")
        .agent("192.0.2.1:9")
        .env_with(table(&[
            ("JAEGER_SERVICE_NAME", "from the environment"),
            ("JAEGER_AGENT_HOST", "192.0.2.2"),
            ("JAEGER_AGENT_PORT", ""),
        ]))
        .agent(agent.address())
        .build();
    let tracing = HttpTracing::new(tracer.unwrap());
    tracing.span("x").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(agent.batch().service, "from the environment");
}

#[test]
fn no_variable_changes_nothing() {
    assert!(
        JaegerTracer::builder("checkout")
            .env_with(table(&[]))
            .build()
            .is_ok()
    );
}

#[test]
fn what_is_wrong_is_named_with_a_remedy() {
    for (name, value, remedy) in [
        (
            "JAEGER_AGENT_HOST",
            "http://agent",
            "give a name or an IP address",
        ),
        (
            "JAEGER_AGENT_HOST",
            "agent:6831",
            "give a name or an IP address",
        ),
        ("JAEGER_AGENT_PORT", "0", "give a number from 1 to 65535"),
        (
            "JAEGER_AGENT_PORT",
            "70000",
            "give a number from 1 to 65535",
        ),
        ("JAEGER_TAGS", "a", "write `key=value`"),
        ("JAEGER_TAGS", "=b", "write `key=value`"),
        (
            "JAEGER_REPORTER_MAX_QUEUE_SIZE",
            "0",
            "give a whole number above 0",
        ),
        (
            "JAEGER_REPORTER_MAX_QUEUE_SIZE",
            "many",
            "give a whole number above 0",
        ),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "0", "give milliseconds"),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "-1s", "give milliseconds"),
        (
            "JAEGER_REPORTER_FLUSH_INTERVAL",
            "99999999999999999999",
            "give milliseconds",
        ),
        (
            "JAEGER_SAMPLER_TYPE",
            "remote",
            "set `const`, `probabilistic` or `ratelimiting`",
        ),
        (
            "JAEGER_SAMPLER_TYPE",
            "sometimes",
            "set `const`, `probabilistic` or `ratelimiting`",
        ),
        ("JAEGER_SAMPLER_PARAM", "1", "set JAEGER_SAMPLER_TYPE"),
        ("JAEGER_DISABLED", "yes", "neither `true` nor `false`"),
        (
            "JAEGER_ENDPOINT",
            "http://jaeger:14268/api/traces",
            "set JAEGER_AGENT_HOST",
        ),
    ] {
        let error = JaegerTracer::builder("x")
            .env_with(table(&[(name, value)]))
            .build()
            .unwrap_err();
        assert_eq!(error.option(), name, "{value}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    for (kind, param) in [
        ("const", "0.5"),
        ("const", "true"),
        ("probabilistic", ""),
        ("probabilistic", "1.5"),
        ("probabilistic", "NaN"),
        ("ratelimiting", ""),
        ("ratelimiting", "-1"),
    ] {
        let variables = [
            ("JAEGER_SAMPLER_TYPE", kind),
            ("JAEGER_SAMPLER_PARAM", param),
        ];
        let error = JaegerTracer::builder("x")
            .env_with(table(&variables))
            .build()
            .unwrap_err();
        assert_eq!(error.option(), "JAEGER_SAMPLER_PARAM", "{kind} {param}");
    }
}

#[test]
fn a_service_without_a_name_is_an_error() {
    let error = JaegerTracer::from_env_with(table(&[])).unwrap_err();
    assert_eq!(error.option(), "JAEGER_SERVICE_NAME");
    assert!(
        error.to_string().contains("or OTEL_SERVICE_NAME"),
        "{error}"
    );
    assert_eq!(JaegerTracer::new(" ").unwrap_err().option(), "service_name");
}

#[test]
fn options_that_cannot_work_are_errors() {
    let option = |error: opentracing_http::ConfigError| error.option().to_owned();
    let builder = || JaegerTracer::builder("x");
    assert_eq!(
        builder().agent("a b").build().map_err(option).unwrap_err(),
        "agent"
    );
    assert_eq!(
        builder().agent("a:0").build().map_err(option).unwrap_err(),
        "agent"
    );
    assert_eq!(
        builder()
            .packet_bytes(65_508)
            .build()
            .map_err(option)
            .unwrap_err(),
        "packet_bytes"
    );
    assert_eq!(
        builder()
            .packet_bytes(1_000)
            .build()
            .map_err(option)
            .unwrap_err(),
        "packet_bytes"
    );
    assert_eq!(
        builder()
            .bytes_per_second(0)
            .build()
            .map_err(option)
            .unwrap_err(),
        "bytes_per_second"
    );
    assert_eq!(
        builder()
            .queue_spans(0)
            .build()
            .map_err(option)
            .unwrap_err(),
        "queue_spans"
    );
}

#[test]
fn tags_that_leave_no_room_in_a_packet_are_an_error_whose_remedy_works() {
    let tagged = |bytes: usize| JaegerTracer::builder("x").tag(("fat", "x".repeat(bytes)));
    // A bigger packet helps, as long as receivers take it.
    let least = |bytes: usize| {
        let error = tagged(bytes).packet_bytes(5_000).build().unwrap_err();
        assert_eq!(error.option(), "packet_bytes");
        let text = error.to_string();
        let number = text.rsplit("at least ").next().unwrap().parse::<usize>();
        number.unwrap_or_else(|_| panic!("{text}"))
    };
    for bytes in [4_000, 62_000] {
        let least = least(bytes);
        assert!(least <= 65_000, "{least}");
        assert!(tagged(bytes).packet_bytes(least).build().is_ok());
        assert!(tagged(bytes).packet_bytes(least - 1).build().is_err());
    }
    // Else only shorter tags do.
    for (bytes, limit) in [(64_000, 65_000), (64_000, 65_507), (70_000, 65_507)] {
        let error = tagged(bytes).packet_bytes(limit).build().unwrap_err();
        assert_eq!(error.option(), "tag");
        let text = error.to_string();
        let shorter = text.rsplit("by at least ").next().unwrap();
        let shorter = shorter.trim_end_matches(" bytes").parse::<usize>();
        let shorter = shorter.unwrap_or_else(|_| panic!("{text}"));
        let fits = |bytes| tagged(bytes).packet_bytes(65_000).build().is_ok();
        assert!(fits(bytes - shorter), "{text}");
        assert!(!fits(bytes - shorter + 100), "{text}");
    }
    let variables = [("JAEGER_TAGS", format!("fat={}", "x".repeat(64_000)))];
    let source = |name: &str| (name == variables[0].0).then(|| variables[0].1.clone());
    let error = JaegerTracer::builder("x")
        .env_with(source)
        .build()
        .unwrap_err();
    assert_eq!(error.option(), "JAEGER_TAGS");
}

fn keeps(kind: &str, param: &str) -> usize {
    let agent = Agent::start();
    let tracer = JaegerTracer::builder("suite").agent(agent.address());
    let tracer = tracer.env_with(table(&[
        ("JAEGER_SAMPLER_TYPE", kind),
        ("JAEGER_SAMPLER_PARAM", param),
    ]));
    let tracing = HttpTracing::new(tracer.build().unwrap());
    (0..100)
        .filter(|_| tracing.span("x").start().is_recording())
        .count()
}

#[test]
fn samplers_decide_about_roots() {
    assert_eq!(keeps("const", ""), 100);
    assert_eq!(keeps("const", "0"), 0);
    assert_eq!(keeps("probabilistic", "1"), 100);
    assert_eq!(keeps("probabilistic", "0"), 0);
    assert_eq!(keeps("ratelimiting", "0.001"), 1);
}

#[test]
fn samplers_from_the_environment_follow_the_caller() {
    let variables = [
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLER_PARAM", "0"),
    ];
    let tracer = JaegerTracer::builder("suite")
        .env_with(table(&variables))
        .build()
        .unwrap();
    let tracing = HttpTracing::new(tracer);
    let headers = [(
        "uber-trace-id",
        "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1",
    )];
    let caller = tracing.extract(&headers).unwrap();
    assert!(
        tracing
            .span("below")
            .child_of(caller)
            .start()
            .is_recording()
    );
    assert!(!tracing.span("root").start().is_recording());
}

#[test]
fn a_disabled_tracer_passes_contexts_through_and_starts_no_thread() {
    let agent = Agent::start();
    let tracer = JaegerTracer::builder("suite").agent(agent.address());
    // Not even a name is needed then.
    let tracer = tracer
        .env_with(table(&[("JAEGER_DISABLED", "TRUE")]))
        .build()
        .unwrap();
    assert!(JaegerTracer::from_env_with(table(&[("JAEGER_DISABLED", "1")])).is_ok());
    let tracing = HttpTracing::new(tracer.clone());
    let headers = [(
        "uber-trace-id",
        "4bf92f3577b34da6a3ce929d0e0e4736:f067aa0ba902b7:0:1",
    )];
    let caller = tracing.extract(&headers).unwrap();
    let span = tracing.span("below").child_of(caller.clone()).start();
    assert!(!span.is_recording());
    assert_eq!(span.context(), Some(caller));
    assert!(tracer.flush(SOON).is_complete());
    assert_eq!(tracer.dropped(), 0);
}

#[test]
fn what_jaegers_variables_leave_open_comes_from_open_telemetrys() {
    let agent = Agent::start();
    let tracer = JaegerTracer::builder("in code")
        .agent(agent.address())
        .tag(("a", "in code"))
        .batch_interval(std::time::Duration::from_secs(3600))
        .env_with(table(&[
            ("OTEL_SERVICE_NAME", "checkout"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,a=1,b=2%2C3"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ]));
    let tracing = HttpTracing::new(tracer.build().unwrap());
    tracing.span("x").start().finish();
    let batch = agent.batch();
    assert_eq!(batch.service, "checkout");
    for (key, value) in [("a", "1"), ("b", "2,3")] {
        assert_eq!(batch.process_tag(key), Some(&Value::from(value)), "{key}");
    }
    assert_eq!(batch.process_tag("service.name"), None);
}

#[test]
fn jaegers_variables_go_over_open_telemetrys() {
    let agent = Agent::start();
    let both = [
        ("JAEGER_SERVICE_NAME", "jaeger"),
        ("OTEL_SERVICE_NAME", "checkout"),
        ("JAEGER_TAGS", "a=jaeger"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=2"),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("JAEGER_DISABLED", "false"),
        ("OTEL_SDK_DISABLED", "true"),
    ];
    let tracer = JaegerTracer::builder("").env_with(table(&both));
    let tracing = HttpTracing::new(tracer.agent(agent.address()).build().unwrap());
    tracing.span("x").start().finish();
    let batch = agent.batch();
    assert_eq!(batch.service, "jaeger");
    for (key, value) in [("a", "jaeger"), ("b", "2")] {
        assert_eq!(batch.process_tag(key), Some(&Value::from(value)), "{key}");
    }
}

#[test]
fn what_is_wrong_with_open_telemetrys_variables_is_named() {
    let fat = format!("fat={}", "x".repeat(70_000));
    for (name, value) in [
        ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ("OTEL_RESOURCE_ATTRIBUTES", &fat),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
    ] {
        let builder = JaegerTracer::builder("x").env_with(table(&[(name, value)]));
        assert_eq!(builder.build().unwrap_err().option(), name);
    }
}

#[test]
fn a_service_that_is_disabled_for_open_telemetry_needs_no_name() {
    let tracer = JaegerTracer::from_env_with(table(&[("OTEL_SDK_DISABLED", "true")])).unwrap();
    assert!(!HttpTracing::new(tracer).span("x").start().is_recording());
}
