//! Tracers that send nothing: for tests, and for several tracers at once.

mod fan_out;
mod in_memory;
mod noop;

pub use self::fan_out::FanOut;
pub use self::in_memory::InMemoryTracer;
pub use self::noop::NoopTracer;
