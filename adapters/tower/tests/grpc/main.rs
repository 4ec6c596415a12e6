//! gRPC calls to a server of tonic, by a client of tonic.

#![allow(clippy::unwrap_used)]

mod service;
mod web;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use opentracing_tower::{
    FinishedSpan, Framework, HttpTracing, InMemoryTracer, Outcome, SemanticConvention,
    TracingLayer, Value,
};
use tokio::net::TcpListener;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};

use self::service::{Text, Texts, Traces};

const METHOD: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The names of all statuses, in the order of their numbers, and whether they are failures of a server.
const STATUSES: [(&str, bool); 17] = [
    ("OK", false),
    ("CANCELLED", false),
    ("UNKNOWN", true),
    ("INVALID_ARGUMENT", false),
    ("DEADLINE_EXCEEDED", true),
    ("NOT_FOUND", false),
    ("ALREADY_EXISTS", false),
    ("PERMISSION_DENIED", false),
    ("RESOURCE_EXHAUSTED", false),
    ("FAILED_PRECONDITION", false),
    ("ABORTED", false),
    ("OUT_OF_RANGE", false),
    ("UNIMPLEMENTED", true),
    ("INTERNAL", true),
    ("UNAVAILABLE", true),
    ("DATA_LOSS", true),
    ("UNAUTHENTICATED", false),
];

/// Runs a server, and returns a channel to it.
async fn serve<F>(server: impl FnOnce(TcpIncoming) -> F) -> Channel
where
    F: Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(server(TcpIncoming::from(listener)));
    let endpoint = Channel::from_shared(format!("http://{addr}")).unwrap();
    endpoint.connect().await.unwrap()
}

struct Traced {
    tracer: InMemoryTracer,
    channel: Channel,
    traces: Traces,
}

/// Runs both services behind a tracing layer.
async fn traced() -> Traced {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .convention(SemanticConvention::OpenTelemetry)
        .build()
        .unwrap();
    let traces = Traces::default();
    let service = TraceServiceServer::new(traces.clone());
    let channel = serve(move |incoming| {
        Server::builder()
            .layer(TracingLayer::new(&tracing))
            .add_service(service)
            .add_service(Texts)
            .serve_with_incoming(incoming)
    });
    let channel = channel.await;
    Traced {
        tracer,
        channel,
        traces,
    }
}

impl Traced {
    /// Calls the generated service.
    async fn export(&self, ask: &str) -> Result<tonic::metadata::MetadataMap, Status> {
        export(&self.channel, ask).await
    }

    async fn watch(
        &self,
        path: &'static str,
        ask: &str,
    ) -> Result<tonic::Streaming<String>, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let streaming = client.server_streaming(Request::new(ask.to_owned()), path, Text);
        Ok(streaming.await?.into_inner())
    }

    async fn span(&self) -> FinishedSpan {
        only(&self.tracer).await
    }
}

async fn export(channel: &Channel, ask: &str) -> Result<tonic::metadata::MetadataMap, Status> {
    let mut request = Request::new(ExportTraceServiceRequest::default());
    request.metadata_mut().insert("ask", ask.parse().unwrap());
    request
        .metadata_mut()
        .insert("traceparent", TRACEPARENT.parse().unwrap());
    let response = TraceServiceClient::new(channel.clone())
        .export(request)
        .await?;
    Ok(response.metadata().clone())
}

/// Waits for the only span.
async fn only(tracer: &InMemoryTracer) -> FinishedSpan {
    let waiting = tracer.clone();
    let spans = tokio::task::spawn_blocking(move || waiting.wait_for(1, Duration::from_secs(20)));
    let mut spans = spans.await.unwrap();
    tracer.assert_nothing_unfinished();
    drop(tracer.take());
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

fn tag(span: &FinishedSpan, key: &str) -> Option<String> {
    span.tag(key).map(|value| value.to_string())
}

fn outcome(span: &FinishedSpan) -> Outcome {
    span.http().unwrap().outcome()
}

/// Asserts that the method was not recognized.
fn assert_other(span: &FinishedSpan, original: &str) {
    assert_eq!(span.name(), "grpc");
    assert_eq!(tag(span, "rpc.method").as_deref(), Some("_OTHER"));
    assert_eq!(tag(span, "rpc.method_original").as_deref(), Some(original));
}

#[tokio::test]
async fn unary_call_is_named_after_its_method_and_continues_the_trace() {
    let server = traced().await;
    let sent = server.export("nothing").await.unwrap();
    let span = server.span().await;
    assert_eq!(
        (span.name(), outcome(&span), span.is_error()),
        (METHOD, Outcome::Completed, false)
    );
    let expected = [
        ("rpc.system.name", "grpc"),
        ("rpc.method", METHOD),
        ("rpc.status_code", "OK"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "2"),
        ("server.address", "127.0.0.1"),
    ];
    for (key, value) in expected {
        assert_eq!(tag(&span, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(tag(&span, "error.type"), None);
    assert_eq!(tag(&span, "rpc.method_original"), None);
    // The span was current in the handler.
    assert_eq!(span.tag("handled"), Some(Value::Bool(true)));
    let context = span.context();
    assert_eq!(
        context.trace_id().to_string(),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(span.parent_id().unwrap().to_string(), "00f067aa0ba902b7");
    let sent = sent.get("sent-on").unwrap().to_str().unwrap();
    assert!(sent.contains(&context.span_id().to_string()), "{sent}");
}

#[tokio::test]
async fn unary_call_fails_by_its_status_in_the_head() {
    let server = traced().await;
    for (code, (name, is_failure)) in STATUSES.into_iter().enumerate().skip(1) {
        let error = server.export(&format!("status {code}")).await.unwrap_err();
        assert_eq!(error.code() as usize, code);
        let span = server.span().await;
        if name == "UNIMPLEMENTED" {
            assert_other(&span, METHOD);
        } else {
            assert_eq!(span.name(), METHOD);
        }
        assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some(name));
        assert_eq!(
            (outcome(&span), span.is_error()),
            (Outcome::Completed, is_failure),
            "{name}"
        );
        assert_eq!(
            tag(&span, "error.type").as_deref(),
            is_failure.then_some(name)
        );
        assert_eq!(span.http().unwrap().rpc_status(), Some(name));
        let message = |log: opentracing_tower::Log| {
            log.fields.into_iter().find(|field| field.key == "message")
        };
        let message = span
            .logs()
            .pop()
            .and_then(message)
            .map(|field| field.value.to_string());
        assert_eq!(
            message.as_deref(),
            is_failure.then_some("not this time, or 100 %")
        );
    }
}

#[tokio::test]
async fn stream_ends_with_its_last_message_and_fails_by_its_status_in_the_trailers() {
    let server = traced().await;
    for (code, (name, is_failure)) in STATUSES.into_iter().enumerate() {
        let mut stream = server
            .watch("/test.v1.Texts/Watch", &format!("status {code}"))
            .await
            .unwrap();
        assert_eq!(stream.message().await.unwrap().as_deref(), Some("one"));
        assert_eq!(stream.message().await.unwrap().as_deref(), Some("two"));
        match stream.message().await {
            Err(error) => assert_eq!(error.code() as usize, code),
            Ok(end) => assert_eq!((code, end), (Code::Ok as usize, None)),
        }
        let span = server.span().await;
        if name == "UNIMPLEMENTED" {
            assert_other(&span, "test.v1.Texts/Watch");
        } else {
            assert_eq!(span.name(), "test.v1.Texts/Watch");
        }
        assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some(name));
        assert_eq!(
            (outcome(&span), span.is_error()),
            (Outcome::Completed, is_failure),
            "{name}"
        );
        assert_eq!(
            tag(&span, "error.type").as_deref(),
            is_failure.then_some(name)
        );
        assert!(span.http().unwrap().body_bytes() > 0);
    }
}

#[tokio::test]
async fn unknown_methods_and_services_are_no_names() {
    let server = traced().await;
    for (path, original) in [
        ("/test.v1.Texts/Nothing", "test.v1.Texts/Nothing"),
        ("/test.v1.Nobody/Watch", "test.v1.Nobody/Watch"),
        ("/wp-login.php", "wp-login.php"),
    ] {
        let error = server.watch(path, "").await.unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented);
        let span = server.span().await;
        assert_other(&span, original);
        assert_eq!(
            tag(&span, "rpc.status_code").as_deref(),
            Some("UNIMPLEMENTED")
        );
        assert!(span.is_error());
    }
}

#[tokio::test]
async fn call_that_the_client_cancels_or_whose_deadline_passes_is_cancelled() {
    let server = traced().await;
    let channel = server.channel.clone();
    let call = tokio::spawn(async move { export(&channel, "hang").await });
    server.traces.begun.notified().await;
    call.abort();
    let cancelled = server.span().await;

    let mut request = Request::new(ExportTraceServiceRequest::default());
    request
        .metadata_mut()
        .insert("ask", "hang".parse().unwrap());
    request.set_timeout(Duration::from_millis(50));
    let mut client = TraceServiceClient::new(server.channel.clone());
    assert!(client.export(request).await.is_err());
    let late = server.span().await;

    for span in [cancelled, late] {
        // There was no head, so nothing proves that the service has the method.
        assert_other(&span, METHOD);
        assert_eq!(
            (outcome(&span), span.is_error()),
            (Outcome::Cancelled, true)
        );
        assert_eq!(tag(&span, "rpc.status_code"), None);
        assert_eq!(tag(&span, "error.type").as_deref(), Some("cancelled"));
    }
}

#[tokio::test]
async fn stream_that_the_client_cancels_is_an_abandoned_body() {
    let server = traced().await;
    let mut stream = server.watch("/test.v1.Texts/Watch", "hang").await.unwrap();
    assert_eq!(stream.message().await.unwrap().as_deref(), Some("one"));
    drop(stream);
    let span = server.span().await;
    assert_eq!(
        (span.name(), outcome(&span)),
        ("test.v1.Texts/Watch", Outcome::BodyAbandoned)
    );
    assert_eq!(tag(&span, "rpc.status_code"), None);
    assert_eq!(tag(&span, "error.type").as_deref(), Some("body_abandoned"));
}

#[tokio::test]
async fn call_that_panics_is_not_recognized() {
    let server = traced().await;
    assert!(server.export("panic").await.is_err());
    let span = server.span().await;
    assert_other(&span, METHOD);
    assert_eq!(outcome(&span), Outcome::Panicked);
}

/// tonic stores the peer's address in a type of its own.
#[derive(Debug, Clone)]
enum Tonic {}

impl Framework for Tonic {
    const COMPONENT: &'static str = "tonic";

    fn peer(extensions: &http::Extensions) -> Option<SocketAddr> {
        extensions.get::<TcpConnectInfo>()?.remote_addr()
    }
}

#[tokio::test]
async fn peer_is_read_from_the_connect_info_of_tonic() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let channel = serve(move |incoming| {
        Server::builder()
            .layer(TracingLayer::<Tonic>::for_framework(&tracing))
            .add_service(TraceServiceServer::new(Traces::default()))
            .serve_with_incoming(incoming)
    });
    export(&channel.await, "nothing").await.unwrap();
    let span = only(&tracer).await;
    assert_eq!(tag(&span, "peer.ipv4").as_deref(), Some("127.0.0.1"));
    assert_eq!(tag(&span, "component").as_deref(), Some("tonic"));
}
