//! Which measurements are run.

/// Texts, one of which has to match. Without a text everything runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter(pub(crate) Vec<String>);

impl Filter {
    /// Returns `true` if every word of one text is in the name, in any order. Case does not count.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let fits = |text: &String| {
            text.to_lowercase()
                .split_whitespace()
                .all(|word| name.contains(word))
        };
        self.0.is_empty() || self.0.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    fn filter(texts: &[&str]) -> Filter {
        Filter(texts.iter().map(|&text| text.to_owned()).collect())
    }

    #[test]
    fn no_text_matches_everything() {
        assert!(filter(&[]).matches("time axum bare"));
    }

    #[test]
    fn every_word_of_a_text_has_to_be_in_the_name() {
        let filter = filter(&["axum Instructions"]);
        assert!(filter.matches("instructions axum unsampled"));
        assert!(!filter.matches("time axum unsampled"));
        assert!(!filter.matches("instructions warp layer unsampled"));
    }

    #[test]
    fn one_of_several_texts_is_enough() {
        let filter = filter(&["core", "tower time"]);
        assert!(filter.matches("allocations core recorded"));
        assert!(filter.matches("time tower recorded"));
        assert!(!filter.matches("sockets tower recorded"));
    }
}
