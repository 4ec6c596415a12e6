//! Every format of the core passes the contract of propagation.

use opentracing_testkit::propagation::{b3_multi, b3_single, jaeger, w3c, w3c_trace_context};
use opentracing_testkit::propagation_contract;

mod w3c_format {
    use super::*;

    propagation_contract!(w3c());
}

mod w3c_trace_context_format {
    use super::*;

    propagation_contract!(w3c_trace_context());
}

mod jaeger_format {
    use super::*;

    propagation_contract!(jaeger());
}

mod b3_single_format {
    use super::*;

    propagation_contract!(b3_single());
}

mod b3_multi_format {
    use super::*;

    propagation_contract!(b3_multi());
}
