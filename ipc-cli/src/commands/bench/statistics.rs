//! What rounds come to.

/// The middle of some values, and between which others it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let upper = values[values.len() / 2];
        let lower = values[(values.len() - 1) / 2];
        Some(Spread { median: f64::midpoint(lower, upper), least, most })
    }

    /// The spread of what is the smaller the larger these are.
    pub fn inverse(self, of: impl Fn(f64) -> f64) -> Spread {
        Spread { median: of(self.median), least: of(self.most), most: of(self.least) }
    }
}

/// That of which `share` of the sorted samples are not above; `None` where none is above: of so few, nobody knows it.
#[expect(clippy::cast_precision_loss, reason = "there are not as many samples")]
pub fn quantile(sorted: &[u32], share: f64) -> Option<u32> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().filter(|_| rank < sorted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 4.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_samples() {
        let samples: Vec<u32> = (1..=1000).collect();
        assert_eq!(quantile(&samples, 0.5), Some(500));
        assert_eq!(quantile(&samples, 0.999), Some(999));
        assert_eq!(quantile(&samples, 0.0001), Some(1));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_most_of_a_few_samples_is_no_quantile() {
        let samples: Vec<u32> = (1..=1000).collect();
        assert_eq!(quantile(&samples[..999], 0.999), None);
        assert_eq!(quantile(&samples, 1.0), None);
        assert_eq!(quantile(&samples[..2], 0.5), Some(1));
        assert_eq!(quantile(&samples[..1], 0.5), None);
    }
}
