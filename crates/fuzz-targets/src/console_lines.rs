//! Pieces of kernel text of a few CPUs, joined into lines.
//!
//! Each begins with two bytes: its CPU and flags, and its length.

use probe_user::{Attach, Context};
use telemd::lines::{Lines, Piece};

pub(crate) fn run(bytes: &[u8]) {
    let (mut lines, mut whole, mut at_ns, mut pushed) = (Lines::default(), Vec::new(), 0, 0);
    let mut rest = bytes;
    while let [flags, length, tail @ ..] = rest {
        let (text, behind) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = behind;
        pushed += text.len();
        at_ns += u64::from(flags >> 4) * 100_000_000;
        let context = Context {
            hook: probe_user::hook::PRINTK_CONSOLE.into(),
            attach: Attach::TpBtf,
            cpu: u32::from(flags & 3),
            pid: 1,
            tgid: 1,
            comm: "a task".to_owned(),
            cgroup_id: 1,
            since_boot_ns: at_ns,
            sequence: 1,
            stack: Vec::new(),
        };
        let piece = Piece {
            text,
            continues: flags & 4 != 0,
            follows_loss: flags & 8 != 0,
        };
        lines.push(&context, piece, &mut whole);
        lines.expire(at_ns, &mut whole);
    }
    lines.flush(&mut whole);
    assert!(lines.is_empty());
    assert!(whole.iter().map(|line| line.text.len()).sum::<usize>() <= pushed);
}
