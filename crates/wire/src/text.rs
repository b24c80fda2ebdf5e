//! Text within limits, and errors as text.

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

/// An error with all its causes, none said twice, for a log or a sender.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn cuts_never_split_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut_front("éa", 2), "a");
        assert_eq!(cut_front("ab", 9), "ab");
        assert_eq!(title(" a\nb\u{7} ", 9), "a b");
    }

    #[test]
    fn a_chain_says_nothing_twice() {
        let inner = std::io::Error::other("disk full");
        let middle = std::io::Error::other(inner);
        assert_eq!(chain(&std::io::Error::other(middle)), "disk full");
        let inner = std::net::IpAddr::from_str("x").unwrap_err();
        let outer = Outer(inner.clone());
        assert_eq!(chain(&outer), format!("read the address: {inner}"));
    }

    #[derive(Debug)]
    struct Outer(std::net::AddrParseError);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("read the address")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
}
