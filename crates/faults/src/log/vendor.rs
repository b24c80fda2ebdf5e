//! What kernels of phones put between the time and the text.

use super::prefix::Prefix;
use crate::bytes::Cursor;

/// Such a prefix ends within so many bytes.
const PREFIX_MAX: usize = 48;

/// `(0)[77:comm]`, `-(0)[77:comm]` with interrupts off, `[2:  kworker/2:1: 1608]`.
pub(super) fn caller(prefix: &mut Prefix<'_>) -> bool {
    let text = prefix.text.trim_ascii_start();
    let found = with_brackets(text).or_else(|| with_colons(text));
    let Some((cpu, task, rest)) = found else {
        return false;
    };
    (prefix.cpu, prefix.task) = (Some(cpu), Some(task));
    prefix.text = rest;
    true
}

fn with_brackets(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut cursor = Cursor::new(text);
    cursor.eat(b"-");
    let cpu = cursor.eat(b"(").then(|| cursor.number())??;
    let task = cursor.eat(b")[").then(|| cursor.number())??;
    let comm = cursor
        .eat(b":")
        .then(|| cursor.take_while(|byte| *byte != b']'))?;
    if comm.len() > PREFIX_MAX || !cursor.eat(b"]") {
        return None;
    }
    Some((u32::try_from(cpu).ok()?, u32::try_from(task).ok()?, cursor.rest()))
}

fn with_colons(text: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut cursor = Cursor::new(text);
    let cpu = cursor.eat(b"[").then(|| cursor.number())??;
    let inside = cursor.eat(b":").then_some(cursor.rest())?;
    let end = memchr::memchr(b']', inside.get(..PREFIX_MAX.min(inside.len()))?)?;
    let (inside, rest) = inside.split_at(end);
    let colon = memchr::memrchr(b':', inside)?;
    let mut task = Cursor::new(inside.get(colon + 1..)?.trim_ascii_start());
    let task = task.number().filter(|_| task.rest().is_empty())?;
    Some((
        u32::try_from(cpu).ok()?,
        u32::try_from(task).ok()?,
        rest.get(1..)?,
    ))
}
