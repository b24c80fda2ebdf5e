//! Text within limits.

/// The longest start of `text` that has at most `bytes` bytes and ends between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The longest end of `text` that has at most `bytes` bytes and starts between characters.
pub fn cut_front(text: &str, bytes: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..]
}

/// One line without control characters, at most `bytes` bytes.
pub fn title(text: &str, bytes: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cut(line.trim(), bytes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_never_split_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut_front("éa", 2), "a");
        assert_eq!(cut_front("ab", 9), "ab");
        assert_eq!(title(" a\nb\u{7} ", 9), "a b");
    }
}
