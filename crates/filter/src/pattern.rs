//! Texts with `*` in them.

/// A text, or texts with anything between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What is between the stars; one part where there is none.
    parts: Vec<String>,
}

impl Pattern {
    /// `*` stands for anything.
    pub(crate) fn with_stars(text: &str) -> Self {
        let mut parts: Vec<String> = text.split('*').map(str::to_owned).collect();
        // Stars side by side are one.
        let last = parts.len() - 1;
        let mut place = 0;
        parts.retain(|part| {
            place += 1;
            !part.is_empty() || place == 1 || place == last + 1
        });
        Self { parts }
    }

    /// Exactly this text.
    pub fn literal(text: &str) -> Self {
        Self {
            parts: vec![text.to_owned()],
        }
    }

    /// The text, where it has no stars.
    pub fn exact(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// The beginning, where anything may follow it and nothing else is asked for.
    pub fn prefix(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [text, end] if end.is_empty() => Some(text),
            _ => None,
        }
    }

    /// As a pattern of SQL's `LIKE` with `\` as its escape.
    pub fn like(&self) -> String {
        let escaped: Vec<String> = self
            .parts
            .iter()
            .map(|part| part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
            .collect();
        escaped.join("%")
    }

    /// Whether a text is like it.
    pub fn matches(&self, text: &str) -> bool {
        // Invariant: there is at least one part.
        let Some((first, rest)) = self.parts.split_first() else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return text == first;
        };
        let Some(mut left) = text
            .strip_prefix(first.as_str())
            .and_then(|left| left.strip_suffix(last.as_str()))
        else {
            return false;
        };
        for part in middle {
            // The first place is as good as any later one.
            match left.split_once(part.as_str()) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        true
    }

    /// With its stars.
    pub(crate) fn text(&self) -> String {
        self.parts.join("*")
    }
}
