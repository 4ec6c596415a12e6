//! The configuration of a Jaeger.

use crate::addresses::Addresses;

/// Returns the configuration file in YAML: traces in memory, received as OTLP over gRPC and HTTP and as compact Thrift
/// over UDP, and returned by the query API. It has no other ports.
///
/// Jaeger keeps the latest 100,000 traces. The queue and the buffer of the UDP port are larger than by default, because
/// packets that exceed them are lost without a notice.
#[must_use]
pub fn configuration(addresses: &Addresses) -> String {
    let Addresses {
        query,
        query_grpc,
        health,
        otlp_http,
        otlp_grpc,
        udp,
    } = addresses;
    // Without a level for metrics Jaeger opens port 8888.
    format!(
        "service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces:
      receivers: [otlp, jaeger]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics:
      level: none
    logs:
      level: info

extensions:
  jaeger_storage:
    backends:
      memory:
        memory:
          max_traces: 100000
  jaeger_query:
    storage:
      traces: memory
    enable_tracing: false
    http:
      endpoint: {query}
    grpc:
      endpoint: {query_grpc}
  healthcheckv2:
    use_v2: true
    http:
      endpoint: {health}

receivers:
  otlp:
    protocols:
      grpc:
        endpoint: {otlp_grpc}
      http:
        endpoint: {otlp_http}
  jaeger:
    protocols:
      thrift_compact:
        endpoint: {udp}
        queue_size: 10000
        socket_buffer_size: 4194304

exporters:
  jaeger_storage_exporter:
    trace_storage: memory
"
    )
}
