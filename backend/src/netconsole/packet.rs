//! One datagram of netconsole.
//!
//! | form | looks like | from |
//! | --- | --- | --- |
//! | basic | `[   12.345678] text`, in pieces of 1000 bytes | Linux 2.6 on |
//! | extended | `[release,]prefix,sequence,microseconds,flags[,key=value...];text` and lines ` KEY=value` | 4.4 on |
//! | fragment | the same with `,ncfrag=offset/length` before the `;`, of at most 1000 bytes in all | 4.4 on |
//!
//! Documentation/networking/netconsole.rst and `drivers/net/netconsole.c` of Linux 5.10 to 6.18. `ncfrag` counts the text
//! and the lines behind it, without the header. The release before the header is there since 6.6, lines of user data
//! (` telemetrics=TOKEN`) since 6.9.

/// The longest text of a record that is taken, user data included, bytes: more than the kernel's longest
/// (`PRINTK_MESSAGE_MAX`, 2 KiB; 8 KiB as `CONSOLE_EXT_LOG_MAX` before 6.3; then up to 4 KiB of user data).
pub const RECORD_BYTES: usize = 8 << 10;

/// A word that a boot puts into the user data of its lines: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 32]);

impl Token {
    /// The token in `text`; `None` when it is not one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; 32] = text.try_into().ok()?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_digit).then_some(Self(digits))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        // Invariant: hexadecimal digits are UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What a datagram holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A record, or a part of one.
    Extended(Record<'a>),
    /// Text as a console shows it.
    Basic(&'a [u8]),
}

/// A record of the kernel's log, as the extended form has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// `uname -r` of the sender, when it says so.
    pub release: Option<&'a str>,
    /// Syslog facility and level.
    pub prefix: u64,
    /// Number of the record in the sender's log.
    pub sequence: u64,
    /// Microseconds since boot.
    pub at_us: u64,
    /// The record continues the line before it.
    pub continues: bool,
    /// `T77` or `C1`, where the kernel was built to tell; otherwise empty.
    pub caller: &'a [u8],
    /// Where `body` belongs when the record did not fit into one datagram.
    pub fragment: Option<Fragment>,
    /// The text, bytes escaped as in `/dev/kmsg`, and the lines ` KEY=value`.
    pub body: &'a [u8],
}

/// The place of a part, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Where it begins.
    pub offset: usize,
    /// The length of the whole, at most [`RECORD_BYTES`].
    pub length: usize,
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Whatever is not in the extended form is text.
    pub fn parse(datagram: &'a [u8]) -> Self {
        extended(datagram).map_or(Self::Basic(datagram), Self::Extended)
    }
}

fn extended(datagram: &[u8]) -> Option<Record<'_>> {
    let end = datagram.iter().position(|byte| *byte == b';')?;
    let (head, body) = (&datagram[..end], &datagram[end + 1..]);
    let mut fields = head.split(|byte| *byte == b',').peekable();
    let release = fields.next_if(|field| is_release(field));
    let prefix = number(fields.next()?)?;
    let sequence = number(fields.next()?)?;
    let at_us = number(fields.next()?)?;
    // `c`, and `+` on kernels before 4.10.
    let continues = matches!(fields.next()?, b"c" | b"+");
    let mut record = Record {
        release: release.and_then(|release| std::str::from_utf8(release).ok()),
        prefix,
        sequence,
        at_us,
        continues,
        caller: b"",
        fragment: None,
        body,
    };
    for field in fields {
        if let Some(caller) = field.strip_prefix(b"caller=") {
            record.caller = caller;
        } else if let Some(place) = field.strip_prefix(b"ncfrag=") {
            record.fragment = Some(fragment(place, body.len())?);
        }
    }
    Some(record)
}

/// `offset/length`; `None` when a part of `part` bytes does not fit there.
fn fragment(place: &[u8], part: usize) -> Option<Fragment> {
    let slash = place.iter().position(|byte| *byte == b'/')?;
    let offset = usize::try_from(number(&place[..slash])?).ok()?;
    let length = usize::try_from(number(&place[slash + 1..])?).ok()?;
    let fits = length <= RECORD_BYTES && offset.checked_add(part)? <= length;
    fits.then_some(Fragment { offset, length })
}

/// `6.12.41-amd64`: begins with a digit and has a dot, which no number of the header has.
fn is_release(field: &[u8]) -> bool {
    field.first().is_some_and(u8::is_ascii_digit)
        && field.len() <= 64
        && field.contains(&b'.')
        && field.iter().all(u8::is_ascii_graphic)
}

fn number(digits: &[u8]) -> Option<u64> {
    // `parse` would take a sign.
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The first line of a whole body: the text.
pub fn text(body: &[u8]) -> &[u8] {
    body.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// The token in the user data of a whole body.
pub fn token(body: &[u8]) -> Option<Token> {
    let mut lines = body.split(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| Token::parse(line.strip_prefix(b" telemetrics=")?))
}

/// The token in the line that `telemctl netconsole setup` writes into the log of a kernel that has no user data.
pub fn announced(text: &[u8]) -> Option<Token> {
    Token::parse(
        text.trim_ascii_end()
            .strip_prefix(b"telemetrics: netconsole token ")?,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn an_extended_record_with_everything() {
        let datagram = format!(
            "6.12.41,4,1234,5140900,-,caller=T77;line one\\x0aline two\n SUBSYSTEM=pci\n telemetrics={TOKEN}\n"
        );
        let Packet::Extended(record) = Packet::parse(datagram.as_bytes()) else {
            panic!("not extended");
        };
        assert_eq!(record.release, Some("6.12.41"));
        assert_eq!(
            (record.prefix, record.sequence, record.at_us),
            (4, 1234, 5_140_900)
        );
        assert_eq!((record.caller, record.continues), (&b"T77"[..], false));
        assert_eq!(text(record.body), br"line one\x0aline two");
        assert_eq!(token(record.body).unwrap().as_str(), TOKEN);
    }

    #[test]
    fn a_fragment_knows_its_place() {
        let Packet::Extended(record) = Packet::parse(b"4,7,100,c,ncfrag=16/33;the 2nd chunk.") else {
            panic!("not extended");
        };
        assert_eq!(
            record.fragment,
            Some(Fragment {
                offset: 16,
                length: 33
            })
        );
        assert!(record.continues);
        for outside in ["ncfrag=30/33", "ncfrag=0/99999", "ncfrag=x", "ncfrag=-1/33"] {
            let datagram = format!("4,7,100,-,{outside};the 2nd chunk.");
            assert!(
                matches!(Packet::parse(datagram.as_bytes()), Packet::Basic(_)),
                "{outside}"
            );
        }
    }

    #[test]
    fn what_is_not_extended_is_text() {
        for text in [
            "",
            "[   12.500000] Oops: 0000 [#1]; what now\n",
            "+4,1,1,-;signed",
            "4,1,99999999999999999999,-;too large",
            "4,1,1;short",
        ] {
            assert_eq!(Packet::parse(text.as_bytes()), Packet::Basic(text.as_bytes()));
        }
    }

    #[test]
    fn a_token_is_32_digits_in_a_line_of_its_own() {
        let body = |line: &str| format!("telemetrics={TOKEN}\n{line}\n").into_bytes();
        assert!(token(&body(&format!(" telemetrics={TOKEN}"))).is_some());
        for line in [
            String::new(),
            format!("telemetrics={TOKEN}"),
            format!(" telemetrics={TOKEN}0"),
            format!(" telemetrics={}", TOKEN.to_uppercase()),
        ] {
            assert_eq!(token(&body(&line)), None, "{line:?}");
        }
        let line = format!("telemetrics: netconsole token {TOKEN}\n");
        assert!(announced(line.as_bytes()).is_some());
        assert_eq!(announced(format!("x{line}").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet(datagram: Vec<u8>) {
            Packet::parse(&datagram);
        }

        #[test]
        fn any_header_is_a_packet(head in r"(6\.1,)?[0-9,]{0,30}[-c+]?(,(caller|ncfrag)=[0-9T/]{0,9}){0,3};[a-z\n =]{0,20}") {
            if let Packet::Extended(Record { fragment: Some(at), body, .. }) = Packet::parse(head.as_bytes()) {
                prop_assert!(at.offset + body.len() <= at.length && at.length <= RECORD_BYTES);
            }
        }
    }
}
