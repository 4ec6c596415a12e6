//! The middle of many samples, and their spread.

/// The middle of samples and the range of their middle half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Returns the median and the quartiles, or `None` without samples.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.into_iter().filter(|s| s.is_finite()).collect();
        samples.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&samples, 0.5)?,
            low: quantile(&samples, 0.25)?,
            high: quantile(&samples, 0.75)?,
        })
    }

    /// Returns the spread of the ratios of samples that were taken in the same round.
    pub(crate) fn of_ratios(samples: &[f64], base: &[f64]) -> Option<Self> {
        Self::of(samples.iter().zip(base).map(|(sample, base)| sample / base))
    }
}

/// Returns the value below which this share of the sorted samples lies, between two samples in proportion.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(position.floor() as usize)?;
    let above = *sorted.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn spread_is_the_median_and_the_quartiles() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]).expect("samples");
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
        let spread = Spread::of([1.0, 2.0]).expect("samples");
        assert_eq!((spread.low, spread.median, spread.high), (1.25, 1.5, 1.75));
    }

    #[test]
    fn no_samples_have_no_spread() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let spread = Spread::of_ratios(&[2.0, 40.0, 6.0], &[1.0, 20.0, 3.0]).expect("samples");
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 2.0, 2.0));
    }
}
