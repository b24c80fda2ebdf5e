//! The seam between the kernel's log and the console hook.
//!
//! The log is read up to its end, then the hooks are attached, then it is read up to its end again. What was printed in
//! between may have been seen by the hook or not; the hook tells no sequences. So the events that it has brought by then
//! are held against the records of this window: a record whose first piece the hook brought is the hook's, any other is
//! the log's. Both are timed by one clock here: an event that is younger than the end of the window belongs to what was
//! printed behind it.

use probe_user::Event;
use probe_user::kmsg::KmsgRecord;

/// The records of a window that are held against events: its last ones, more than the kernel prints while hooks are attached.
const COMPARED: usize = 4096;

/// The records of the window that the hook did not bring, in their order. `until_ns` is when the log was read to the
/// window's end, nanoseconds since boot.
pub(crate) fn unseen(window: Vec<KmsgRecord>, events: &[Event], until_ns: u64) -> Vec<KmsgRecord> {
    let mut pieces: Vec<&[u8]> = events
        .iter()
        .filter_map(|event| first_piece(event, until_ns))
        .collect();
    let mut unseen = window;
    let compared = unseen.split_off(unseen.len().saturating_sub(COMPARED));
    let at = unseen.len();
    unseen.extend(
        compared
            .into_iter()
            .rev()
            // The hook saw what was printed last: of two records with the same text it is the later one that it brought.
            .filter(
                |record| match pieces.iter().rposition(|piece| begins(&record.text, piece)) {
                    Some(at) => {
                        pieces.remove(at);
                        false
                    }
                    None => true,
                },
            ),
    );
    if let Some(compared) = unseen.get_mut(at..) {
        compared.reverse();
    }
    unseen
}

/// The text of an event that begins a record.
fn first_piece(event: &Event, until_ns: u64) -> Option<&[u8]> {
    match event {
        Event::KernelText {
            context,
            text,
            continues: false,
        } if context.since_boot_ns <= until_ns => Some(text.trim_ascii_end()),
        _ => None,
    }
}

/// Whether a record begins with a piece.
fn begins(record: &[u8], piece: &[u8]) -> bool {
    let record = record.trim_ascii_end();
    if piece.is_empty() {
        return record.is_empty();
    }
    record.starts_with(piece)
}

#[cfg(test)]
mod tests {
    use probe_user::{Attach, Context};
    use proptest::prelude::*;

    use super::*;

    fn record(sequence: u64, text: &str) -> KmsgRecord {
        KmsgRecord {
            sequence,
            at_us: sequence,
            level: 4,
            facility: 0,
            continues: false,
            caller: None,
            text: text.into(),
        }
    }

    fn event(at: u64, text: &str, continues: bool) -> Event {
        Event::KernelText {
            context: Context {
                hook: probe_user::hook::PRINTK_CONSOLE.into(),
                attach: Attach::TpBtf,
                cpu: 0,
                pid: 1,
                tgid: 1,
                comm: "x".into(),
                cgroup_id: 1,
                since_boot_ns: at,
                sequence: at,
                stack: Vec::new(),
            },
            text: text.into(),
            continues,
        }
    }

    fn sequences(records: &[KmsgRecord]) -> Vec<u64> {
        records.iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn what_the_hook_brought_is_its_own_and_the_rest_the_logs() {
        let window = vec![
            record(1, "same"),
            record(2, "Modules linked in: a b"),
            record(3, ""),
            record(4, "same"),
        ];
        let events = [
            event(1, "Modules linked in:", false),
            event(2, " a b", true),
            event(3, "same\n", false),
            event(9, "", false),
        ];
        assert_eq!(sequences(&unseen(window.clone(), &events, 5)), [1, 3]);
        assert_eq!(sequences(&unseen(window, &events, 9)), [1]);
    }

    proptest! {
        /// Whatever is printed and whenever the hook is attached: each record comes once.
        #[test]
        fn every_record_comes_once(
            texts in prop::collection::vec("[ab]{1,2}", 0..30),
            attached in 0usize..30,
            read in 0usize..30,
        ) {
            let end = read.min(texts.len());
            let attached = attached.min(end);
            let window: Vec<_> = (0u64..).zip(&texts[..end]).map(|(at, text)| record(at, &format!("{text}."))).collect();
            let events: Vec<_> = (0u64..)
                .zip(&texts)
                .skip(attached)
                .map(|(at, text)| event(at + 1, &format!("{text}."), false))
                .collect();
            let left = unseen(window, &events, end as u64);
            prop_assert_eq!(sequences(&left), (0..attached as u64).collect::<Vec<_>>());
        }
    }
}
