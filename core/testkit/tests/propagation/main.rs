//! The contract of propagation for formats of a user's own: how it is done, and that it finds what is wrong with one.

mod datadog;
mod defects;
mod own;
mod x_ray;

use opentracing_testkit::propagation_contract;

mod datadog_format {
    use super::*;

    propagation_contract!(datadog::datadog());
}

mod own_format {
    use super::*;

    propagation_contract!(own::own());
}

mod x_ray_format {
    use super::*;

    propagation_contract!(x_ray::x_ray());
}
