pub trait Sampler: std::fmt::Debug+Send+Sync { fn sample(&self, r:&crate::SampleRequest<'_>)->crate::Sampling; }
