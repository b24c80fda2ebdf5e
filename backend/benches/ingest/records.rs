//! What the agents send: kernel warnings of 1.5 KB, as different from each other as those of a fleet with a few faults.

use std::{fmt::Write as _, sync::LazyLock};

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{
    CallTrace, Context, Fingerprint, Frame, Hook, KernelReport, Record, Severity, record::Payload,
};

/// Different faults.
const FAULTS: u64 = 200;
/// Records that are told apart; then they come again.
const DIFFERENT: u64 = 4096;
/// What an encoded record is filled up to. Bytes.
const BYTES: usize = 1500;

static RECORDS: LazyLock<Vec<Bytes>> = LazyLock::new(|| (0..DIFFERENT).map(record).collect());

/// Encoded records from some number on.
pub(crate) fn from(number: u64) -> impl Iterator<Item = Bytes> {
    RECORDS
        .iter()
        .cycle()
        .skip(usize::try_from(number % DIFFERENT).unwrap_or(0))
        .cloned()
}

pub(crate) fn mean_bytes() -> usize {
    RECORDS.iter().map(Bytes::len).sum::<usize>() / RECORDS.len()
}

fn record(number: u64) -> Bytes {
    let mut dice = fastrand::Rng::with_seed(number);
    let fault = number % FAULTS;
    let function = format!("driver_{fault}_transmit");
    let frames = (0..6).map(|depth| Frame {
        function: format!("{function}_{depth}"),
        offset: dice.u32(..0x1000),
        size: 0x1000,
        ..Frame::default()
    });
    let report = KernelReport {
        function: function.clone(),
        comm: "kworker/u8:3".to_owned(),
        traces: vec![CallTrace {
            heading: "Call Trace".to_owned(),
            frames: frames.collect(),
        }],
        ..KernelReport::default()
    };
    let mut record = Record {
        occurred_at_unix_ns: 1_750_000_000_000_000_000 + number * 1_000_000,
        class: ["kernel.warning", "kernel.oops", "kernel.bug", "kernel.rcu_stall"]
            [usize::try_from(fault % 4).unwrap_or(0)]
        .to_owned(),
        severity: Severity::High.into(),
        title: format!("WARNING in {function}"),
        boot_id: "6a3f0d9c-7c1e-4f7a-9a59-0d4a4f1f2b11".to_owned(),
        kernel_release: format!("6.12.{}-amd64", fault % 3),
        fingerprints: (1..=3)
            .map(|level| Fingerprint {
                version: 1,
                level,
                value: format!(
                    "{:032x}",
                    u128::from(fault) << 64 | u128::from(level.unsigned_abs()) << 8 | 1
                ),
            })
            .collect(),
        hook: Some(Hook {
            name: "printk_console".to_owned(),
            attach: "tp_btf".to_owned(),
        }),
        context: Some(Context {
            comm: "kworker/u8:3".to_owned(),
            ..Context::default()
        }),
        payload: Some(Payload::KernelReport(report)),
        ..Record::default()
    };
    let mut text = String::new();
    while record.encoded_len() + text.len() < BYTES {
        // Writing into a String does not fail.
        writeln!(text, "RAX: {:016x} RBX: {:016x}", dice.u64(..), dice.u64(..)).ok();
    }
    if let Some(Payload::KernelReport(report)) = &mut record.payload {
        report.text = text;
    }
    record.encode_to_vec().into()
}
