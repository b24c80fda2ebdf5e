//! Hexadecimal digits, as people and dump programs write bytes.

/// Why text is not bytes in hexadecimal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HexError {
    #[error("line {line}: {word:?} is not a number of bytes in hexadecimal")]
    Word { line: usize, word: String },
    #[error("line {line}: repeated lines were left out of the dump; dump with `xxd` or `hexdump -vC`")]
    Elided { line: usize },
}

/// Reads plain digits in groups of whole bytes (`xxd -p`, `0x12, 0x34`), `xxd` and `hexdump -C`.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, HexError> {
    let mut bytes = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        if line.trim() == "*" {
            return Err(HexError::Elided { line: line_number });
        }
        for word in digits_of(line)
            .split([' ', '\t', ','])
            .filter(|word| !word.is_empty())
        {
            word_bytes(word, &mut bytes).ok_or_else(|| HexError::Word {
                line: line_number,
                word: word.to_owned(),
            })?;
        }
    }
    Ok(bytes)
}

/// A line of a dump without offset and text.
fn digits_of(line: &str) -> &str {
    let line = line.trim();
    let is_offset = |word: &str| word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some((offset, rest)) = line.split_once(':')
        && is_offset(offset)
    {
        // xxd: two spaces before the text.
        let rest = rest.trim_start();
        return rest.split_once("  ").map_or(rest, |(digits, _)| digits);
    }
    if let Some((offset, rest)) = line.split_once("  ")
        && is_offset(offset)
        && let Some((digits, _)) = rest.split_once('|')
    {
        return digits;
    }
    // The last line of `hexdump -C` is the offset of the end, which looks like four bytes.
    line
}

fn word_bytes(word: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let digits = word
        .strip_prefix("0x")
        .or_else(|| word.strip_prefix("0X"))
        .unwrap_or(word);
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    for pair in digits.as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).ok()?;
        if !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_dumps_are_read() {
        let wanted = vec![0x21, 0, 0x41, 0x42, 0x7c, 0x20];
        for text in [
            "210041427c20",
            "2100 4142\n7C20\n",
            "0x21, 0x00, 0x41, 0x42, 0x7c, 0x20",
            "00000000: 2100 4142 7c20                           !.AB| ",
            "00000000  21 00 41 42 7c 20                                 |!.AB| |",
        ] {
            assert_eq!(parse(text).as_ref(), Ok(&wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_dump_is_told() {
        assert_eq!(parse("").unwrap(), Vec::<u8>::new());
        for (text, word) in [("12 3", "3"), ("12\n+1", "+1"), ("é1", "é1"), ("0x", "0x")] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        assert_eq!(parse("00\n*\n"), Err(HexError::Elided { line: 2 }));
    }
}
