//! The machine code around the instruction pointer.

use crate::report::Code;

/// Values kept; x86 prints 64.
const CODE_MAX: usize = 128;
/// Lines of code that follow the first: powerpc prints 2, s390 up to 20.
const MORE_LINES: usize = 20;

/// How the lines after the first one go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Bare values (powerpc).
    Values,
    /// A line for each instruction: mark, address, bytes, mnemonic (s390).
    Instructions,
}

/// Collects the first code of the kernel's context.
#[derive(Debug, Default)]
pub(crate) struct CodeReader {
    pub(crate) code: Option<Code>,
    /// How more lines look, and how many there may be.
    rows: Option<(Rows, usize)>,
}

impl CodeReader {
    /// Reads a line without leading spaces; true when it shows code. A program's code is not kept.
    pub(crate) fn line(&mut self, line: &str, user: bool) -> bool {
        if let Some((rows, left)) = self.rows.take()
            && left > 0
            && self.more(rows, line)
        {
            self.rows = Some((rows, left - 1));
            return true;
        }
        let (text, rows) = if let Some(text) = line.strip_prefix("Code: ") {
            (text, None)
        } else if let Some(text) = line.strip_prefix("Krnl Code:") {
            (text, Some(Rows::Instructions))
        } else if let Some(text) = line
            .strip_prefix("Instruction dump:")
            .or_else(|| line.strip_prefix("Instruction DUMP:"))
        {
            (text, Some(Rows::Values))
        } else {
            return false;
        };
        if user || self.code.is_some() {
            return true;
        }
        self.code = Some(Code::default());
        if rows == Some(Rows::Instructions) {
            self.instruction(text.trim_start());
        } else if let Some(code) = &mut self.code {
            values(code, text);
            // Words, not code: `Bad RIP value.`, `Unable to access opcode bytes at 0x0.`, `bad PC value`.
            let is_said = code.values.is_empty() && rows.is_none();
            code.unreadable = is_said.then(|| text.trim().to_owned());
        }
        self.rows = rows.map(|rows| (rows, MORE_LINES));
        true
    }

    fn more(&mut self, rows: Rows, line: &str) -> bool {
        match (rows, &mut self.code) {
            (Rows::Instructions, _) => self.instruction(line),
            (Rows::Values, Some(code)) => values(code, line) > 0,
            (Rows::Values, None) => false,
        }
    }

    /// `#0000000000112b68: a7f40001   brc 15,0000000000112b6a`: instructions of s390 are one to three half words.
    fn instruction(&mut self, line: &str) -> bool {
        let is_marked = line.starts_with('>');
        let parts = line.trim_start_matches(['>', '#', '*']).split_once(": ");
        let Some((_, rest)) = parts.filter(|(address, _)| is_hexadecimal(address)) else {
            return false;
        };
        let bytes = rest
            .split_ascii_whitespace()
            .next()
            .filter(|bytes| is_hexadecimal(bytes));
        let (Some(bytes), Some(code)) = (bytes, &mut self.code) else {
            return false;
        };
        code.width = 2;
        if is_marked {
            code.marked = Some(code.values.len());
        }
        let halves = bytes
            .as_bytes()
            .chunks_exact(4)
            .filter_map(crate::bytes::hexadecimal);
        code.values
            .extend(halves.filter_map(|half| u32::try_from(half).ok()));
        code.values.truncate(CODE_MAX);
        true
    }
}

/// Appends values until the first word that is none; how many there were. The marked one is in `<>` or `()`.
fn values(code: &mut Code, text: &str) -> usize {
    let before = code.values.len();
    for word in text.split_ascii_whitespace() {
        let digits = word.trim_matches(['<', '>', '(', ')']);
        let width = match digits.len() {
            2 => 1,
            4 => 2,
            8 => 4,
            _ => break,
        };
        let value = crate::bytes::hexadecimal(digits.as_bytes()).and_then(|value| u32::try_from(value).ok());
        let Some(value) = value.filter(|_| code.values.len() < CODE_MAX) else {
            break;
        };
        // Riscv and thumb mix half words and words; the smaller one is the unit of what is marked.
        code.width = if code.width == 0 {
            width
        } else {
            code.width.min(width)
        };
        if digits.len() < word.len() {
            code.marked = Some(code.values.len());
        }
        code.values.push(value);
    }
    code.values.len() - before
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Code {
        let mut reader = CodeReader::default();
        for line in text.lines() {
            reader.line(line.trim_start(), false);
        }
        reader.code.unwrap()
    }

    fn shape(text: &str) -> (u8, usize, Option<usize>) {
        let code = read(text);
        (code.width, code.values.len(), code.marked)
    }

    #[test]
    fn code_of_all_machines_is_read() {
        assert_eq!(shape("Code: 0f 1f <48> 8b 07"), (1, 5, Some(2)));
        // Cut in the middle.
        assert_eq!(shape("Code: 0f 1f <0f"), (1, 3, Some(2)));
        // arch/arm64/kernel/traps.c, dump_kernel_instr (6.12).
        assert_eq!(shape("Code: d503201f d503201f (b9400001)"), (4, 3, Some(2)));
        // arch/riscv/kernel/traps.c, dump_kernel_instr (6.12).
        assert_eq!(shape("Code: 1141 e422 (4501) 6422"), (2, 4, Some(2)));
        // arch/mips/kernel/traps.c, show_code (6.12).
        assert_eq!(
            shape("Code: 00000000  27bdffe0 <8c820000> 00000000"),
            (4, 4, Some(2))
        );
        // arch/powerpc/kernel/process.c, show_instructions (6.12).
        let text = "Instruction dump:\n60000000 60000000\n<e9230008> 4e800020\n---[ end trace 0 ]---\n";
        assert_eq!(shape(text), (4, 4, Some(2)));
        // arch/s390/kernel/dis.c, show_code (6.12).
        let text = "Krnl Code: 0000000000112b5e: e3f0b0680024\tstg\t%r15,104(%r11)\n\
                    \x20         #0000000000112b64: a7f40001\t\tbrc\t15,0000000000112b66\n\
                    \x20         >0000000000112b68: 0707\t\tbcr\t0,%r7\nCall Trace:\n";
        assert_eq!(shape(text), (2, 6, Some(5)));
        assert_eq!(read(text).values[0], 0xe3f0);
    }

    #[test]
    fn code_that_cannot_be_read_says_why() {
        for text in [
            "Bad RIP value.",
            "Unable to access opcode bytes at RIP 0x47b776.",
            "bad PC value",
        ] {
            let code = read(&format!("Code: {text}"));
            assert_eq!((code.unreadable.as_deref(), code.values.len()), (Some(text), 0));
        }
    }
}
