//! Which cells and cases run.

/// Selects names that contain a text; without a text, all names.
#[derive(Debug)]
pub(crate) struct Filter {
    text: Option<String>,
}

impl Filter {
    /// Creates a filter; `->` in it stands for the arrow in names.
    pub(crate) fn new(text: Option<&str>) -> Self {
        Self {
            text: text.map(|text| text.replace("->", "→")),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(crate) fn takes(&self, name: &str) -> bool {
        self.text().is_none_or(|text| name.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_that_have_the_text() {
        let filter = Filter::new(Some("axum -> rocket"));
        assert!(filter.takes("jaeger/default continues axum → rocket"));
        assert!(!filter.takes("jaeger/default continues rocket → axum"));
        assert!(Filter::new(None).takes("anything"));
    }
}
