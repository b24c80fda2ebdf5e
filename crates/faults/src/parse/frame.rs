//! One line of a stack.

use super::pattern::symbol_length;
use crate::Frame;

/// A frame that still borrows from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RawFrame<'t> {
    pub(crate) function: &'t str,
    pub(crate) offset: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) module: Option<&'t str>,
    pub(crate) build_id: Option<&'t str>,
    pub(crate) reliable: bool,
    pub(crate) inlined: bool,
    pub(crate) location: Option<&'t str>,
}

impl RawFrame<'_> {
    pub(crate) fn to_frame(self) -> Frame {
        Frame {
            function: self.function.to_owned(),
            offset: self.offset,
            size: self.size,
            module: self.module.map(str::to_owned),
            build_id: self.build_id.map(str::to_owned),
            reliable: self.reliable,
            pointer: false,
            inlined: self.inlined,
            location: self.location.map(str::to_owned),
            context: None,
        }
    }
}

/// The frame that a whole line is, in any architecture's form, and the caller when the line names it too:
///
/// ` func+0x1f/0x40 [module]`, ` ? func+0x1f/0x40`, ` [<ffffffff81234567>] func+0x1f/0x40 file.c:12`,
/// `[<c0123456>] (func) from [<c0123457>] (caller+0x8/0x10)`, ` func from caller+0x8/0x10`,
/// ` [<ffffffff81234567>] :module:func+0x1/0x2`, ` func [module] from caller+0x8/0x10`,
/// `[c0000000] [c0000001] func+0x1/0x2 (unreliable)`, ` func file.c:12 [inline]`.
pub(crate) fn line(text: &str) -> Option<(RawFrame<'_>, Option<RawFrame<'_>>)> {
    let mut rest = text.trim_start();
    for marker in ["<IRQ>", "<EOI>", "<NMI>", "<TASK>"] {
        rest = rest.strip_prefix(marker).map_or(rest, str::trim_start);
    }
    let (after, addressed) = addresses(rest);
    rest = after;
    let mut reliable = true;
    if let Some(after) = rest.strip_prefix("? ") {
        reliable = false;
        rest = after.trim_start();
    }
    let module = rest.strip_prefix(':').and_then(|rest| rest.split_once(':'));
    if let Some((_, after)) = module {
        rest = after;
    }
    let (mut frame, after) = symbol(rest)?;
    frame.reliable = reliable;
    frame.module = module.map(|(name, _)| name);
    let mut tail = after.trim_start_matches(')').trim();
    if let Some((inside, after)) = tail.strip_prefix('[').and_then(|tail| tail.split_once("] from ")) {
        frame.module = Some(inside);
        tail = tail
            .get(tail.len() - after.len() - "from ".len()..)
            .unwrap_or_default();
    }
    if let Some(caller) = tail
        .strip_prefix("from ")
        .filter(|_| addressed || frame.offset.is_none())
    {
        let (mut caller, _) = symbol(addresses(caller).0)?;
        // A return to a function's first byte is the trace of a call that does not return, in the function before it.
        caller.reliable =
            caller.offset.is_some_and(|offset| offset > 0) || caller.function.starts_with("ret_");
        return Some((
            RawFrame {
                offset: None,
                size: None,
                ..frame
            },
            Some(caller),
        ));
    }
    trailer(tail, &mut frame)?;
    let located = frame.location.is_some_and(|_| addressed || frame.inlined);
    (frame.offset.is_some() || located).then_some((frame, None))
}

/// The module in `:module:`, as x86-64 printed it before 2.6.20 in front of a function.
pub(crate) fn module_before(text: &str) -> Option<&str> {
    let name = text.strip_suffix(':')?.rsplit_once(':')?.1;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && !name.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

/// Takes addresses and what is around them off the front; true when there was one.
fn addresses(text: &str) -> (&str, bool) {
    let mut rest = text;
    let mut found = false;
    loop {
        rest = rest.trim_start_matches([' ', '(', '|']);
        match address(rest) {
            Some(after) => (rest, found) = (after, true),
            None => return (rest, found),
        }
    }
}

/// `func+0x1f/0x40` and what follows it.
pub(crate) fn symbol(text: &str) -> Option<(RawFrame<'_>, &str)> {
    // The entry point of a function in the first ABI of 64-bit PowerPC.
    let text = text.strip_prefix('.').unwrap_or(text);
    let length = symbol_length(text)?;
    let (function, mut rest) = text.split_at(length);
    let mut frame = RawFrame {
        function,
        reliable: true,
        ..RawFrame::default()
    };
    if let Some(after) = rest.strip_prefix("+0x") {
        let (offset, after) = hex(after)?;
        frame.offset = Some(offset);
        rest = after;
        if let Some(after) = rest.strip_prefix("/0x") {
            let (size, after) = hex(after)?;
            frame.size = Some(size);
            rest = after;
        }
    }
    Some((frame, rest))
}

/// `[module]`, `[module build-id]`, `[inline]`, `(unreliable)`, `file.c:12`, in any order; `None` for other text.
pub(crate) fn trailer<'t>(mut tail: &'t str, frame: &mut RawFrame<'t>) -> Option<()> {
    while !tail.is_empty() {
        if let Some(inside) = tail.strip_prefix('[') {
            let (inside, after) = inside.split_once(']')?;
            if inside == "inline" {
                frame.inlined = true;
            } else {
                let mut words = inside.split(' ');
                frame.module = words.next().filter(|name| !name.is_empty());
                frame.build_id = words
                    .next()
                    .filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit()));
            }
            tail = after.trim_start();
            continue;
        }
        let (word, after) = tail.split_once(' ').unwrap_or((tail, ""));
        let location = word
            .rsplit_once(':')
            .is_some_and(|(_, line)| line.bytes().all(|b| b.is_ascii_digit()));
        if location {
            frame.location = Some(word);
        } else if word == "(unreliable)" {
            frame.reliable = false;
        } else if !matches!(
            word,
            "(discriminator" | "(P)" | "(L)" | "(C)" | "(F)" | "(U)" | "(K)" | "(T)" | "(R)"
        ) && frame.offset.is_none()
        {
            return None;
        }
        tail = after.trim_start();
    }
    Some(())
}

/// `[<ffffffff81234567>]`, `[<0>]`, `[c000000001234567]`, `[ffffffff81234567]` at the front.
fn address(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('[')?;
    let (value, after) = inside.split_once(']')?;
    let digits = value.trim_start_matches('<').trim_end_matches('>');
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let hexadecimal =
        !digits.is_empty() && digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let enough = value.starts_with('<') || digits.len() >= 8;
    (hexadecimal && enough).then_some(after)
}

fn hex(text: &str) -> Option<(u64, &str)> {
    let length = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(length);
    Some((crate::bytes::hexadecimal(digits.as_bytes())?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_all_architectures_are_read() {
        let cases = [
            (" og_w+0x2b5/0x430 [oopsgen]", "og_w", true),
            ("  ? vfs_read+0xeb/0x370", "vfs_read", false),
            (" [<ffffffff81c2a3a2>] ? foo+0x12/0x20 [mod]", "foo", false),
            (
                "[<c0a8b0>] (unwind_backtrace) from [<c0a8>] (show_stack+0x10/0x20)",
                "unwind_backtrace",
                true,
            ),
            (" show_stack from dump_stack+0x10/0x20", "show_stack", true),
            (
                "[c000000002] [c000000001234567] die+0x1/0x2 (unreliable)",
                "die",
                false,
            ),
            ("  sock_sendmsg net/socket.c:646 [inline]", "sock_sendmsg", true),
            (" do_x+0x1/0x2 net/socket.c:646", "do_x", true),
            (" a+0x1/0x2 [ext4 0123456789abcdef]", "a", true),
        ];
        for (text, function, reliable) in cases {
            let (frame, _) = line(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((frame.function, frame.reliable), (function, reliable), "{text}");
        }
        for text in [
            "Call Trace:",
            " <TASK>",
            "raw: 00fff00000000200",
            "Code: 00 11",
            "x",
            "",
            "INFO: y z.c:12",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }
}
