//! Faults for tests, as a collector would have stored them.

mod told;

use proto::v1::{
    CallTrace, Context, Fault, Fingerprint, FingerprintLevel, Frame, Hook, Host, KernelReport, MachineCheck,
    OomConstraint, OomKill, Precursor, ProgramCrash, Record, Register, Severity, UserFrame, record::Payload,
};

pub(super) use told::{custom, hardware_error, heartbeat, kernel_event, loss, obituary, undecodable};

/// 2026-11-24 21:53:30 UTC.
pub(super) const THEN_NS: u64 = 1_795_557_210_000_000_000;

const OOPS_TEXT: &str = "\
CPU 2 is about to have a bad day
BUG: kernel NULL pointer dereference, address: 0000000000000008
#PF: supervisor read access in kernel mode
#PF: error_code(0x0000) - not-present page
PGD 0 P4D 0
Oops: 0000 [#1] PREEMPT SMP NOPTI
CPU: 2 PID: 1234 Comm: kworker/u8:3 Tainted: G        W  OE      6.1.0-35-amd64 #1  Debian 6.1.137-1
Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014
Workqueue: events_unbound example_work [example]
RIP: 0010:example_read+0x1d/0x40 [example]
RAX: 0000000000000000 RBX: ffff888003e4f000 RCX: 0000000000000000
Call Trace:
 <TASK>
 ? __die_body.cold+0x1a/0x1f
 example_work+0x33/0x60 [example]
 process_one_work+0x1c7/0x380
 worker_thread+0x4d/0x380
 kthread+0xda/0x100
 ret_from_fork+0x22/0x30
 </TASK>
Modules linked in: example(OE) virtio_net net_failover
---[ end trace 0000000000000000 ]---
";

/// A fault with everything but a payload.
fn fault(number: u8, class: &str, severity: Severity, title: &str, payload: Payload) -> Fault {
    Fault {
        id: format!("019ab7f2-1c00-7000-8000-0000000000{number:02x}"),
        agent_id: vec![0xa1; 16].into(),
        epoch: vec![0xe0; 16].into(),
        seq: number.into(),
        received_at_unix_ns: THEN_NS + 1_500_000_000,
        host: Some(host()),
        record: Some(Record {
            occurred_at_unix_ns: THEN_NS,
            since_boot_ns: 93_784_000_000_000,
            boot_id: "3c6e1f0a-9d5b-4a53-8f55-0e7a4dcb1b11".into(),
            class: class.into(),
            severity: severity.into(),
            title: title.into(),
            fingerprints: vec![fingerprint(FingerprintLevel::Title, number)],
            hook: Some(Hook {
                name: "printk_console".into(),
                attach: "tp_btf".into(),
            }),
            context: Some(Context {
                cpu: 2,
                pid: 1234,
                tgid: 1234,
                comm: "kworker/u8:3".into(),
                cgroup_id: 1,
                ..Context::default()
            }),
            kernel_release: "6.1.0-35-amd64".into(),
            payload: Some(payload),
            ..Record::default()
        }),
        issue: fingerprint(FingerprintLevel::Title, number).value,
    }
}

fn host() -> Host {
    Host {
        hostname: "web-07".into(),
        os_id: "debian".into(),
        os_build: "12".into(),
        kernel_release: "6.1.0-35-amd64".into(),
        kernel_version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.137-1 (2025-05-07)".into(),
        arch: "x86_64".into(),
        cpu_model: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz".into(),
        cpus: 64,
        memory_bytes: 270_000_000_000,
        product: "Dell Inc. PowerEdge R650".into(),
        board: "Dell Inc. 0PYXKY".into(),
        bios: "1.10.2".into(),
        boot_id: "3c6e1f0a-9d5b-4a53-8f55-0e7a4dcb1b11".into(),
        ..Host::default()
    }
}

fn fingerprint(level: FingerprintLevel, number: u8) -> Fingerprint {
    Fingerprint {
        version: 1,
        level: level.into(),
        value: format!("{number:02x}").repeat(16),
    }
}

fn frame(function: &str, offset: u32, size: u32, module: &str, reliable: bool) -> Frame {
    Frame {
        function: function.into(),
        offset,
        size,
        module: module.into(),
        reliable,
        ..Frame::default()
    }
}

/// An oops in a module, with all that a report can have.
pub(super) fn oops() -> Fault {
    let report = KernelReport {
        text: OOPS_TEXT.into(),
        function: "example_read".into(),
        module: "example".into(),
        traces: vec![CallTrace {
            heading: "Call Trace".into(),
            frames: vec![
                frame("__die_body.cold", 0x1a, 0x1f, "", false),
                frame("example_read", 0x1d, 0x40, "example", true),
                Frame {
                    inlined: true,
                    ..frame("example_lock", 0, 0, "example", true)
                },
                frame("example_work", 0x33, 0x60, "example", true),
                frame("process_one_work", 0x1c7, 0x380, "", true),
                frame("worker_thread", 0x4d, 0x380, "", true),
                frame("kthread", 0xda, 0x100, "", true),
                frame("ret_from_fork", 0x22, 0x30, "", true),
            ],
        }],
        cpu: Some(2),
        pid: Some(1234),
        comm: "kworker/u8:3".into(),
        taint: "G        W  OE".into(),
        hardware: "QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014".into(),
        modules: vec!["example(OE)".into(), "virtio_net".into(), "net_failover".into()],
        registers: [
            ("RAX", "0000000000000000"),
            ("RBX", "ffff888003e4f000"),
            ("CR2", "0000000000000008"),
        ]
        .map(|(name, value)| Register {
            name: name.into(),
            value: value.into(),
        })
        .into(),
        truncated: true,
        corrupted: false,
        alt_titles: vec!["bad-access in example_read".into()],
    };
    let title = "BUG: unable to handle kernel NULL pointer dereference in example_read";
    let mut fault = fault(
        1,
        "kernel.oops",
        Severity::High,
        title,
        Payload::KernelReport(report),
    );
    if let Some(record) = &mut fault.record {
        let before = |ms: u64, text: &str| Precursor {
            since_boot_ns: record.since_boot_ns - ms * 1_000_000,
            cpu: 2,
            text: text.into(),
        };
        record.precursors = vec![
            before(12_500, "scheduling stall 1.2 s of kworker/0:1"),
            before(250, "block error on 8:0, sector 12345"),
        ];
        if let Some(context) = &mut record.context {
            context.cgroup = "/system.slice/docker-0123456789ab.scope".into();
            context.container_id = "0123456789ab".into();
            context.stack = vec![frame("vprintk_emit", 0x1a0, 0x2c0, "", true)];
        }
        record
            .fingerprints
            .push(fingerprint(FingerprintLevel::TopFrames, 0x71));
        record
            .fingerprints
            .push(fingerprint(FingerprintLevel::Stack, 0x72));
    }
    fault
}

/// A fatal machine check.
pub(super) fn machine_check() -> Fault {
    let mce = MachineCheck {
        status: 0xbe00_0000_0080_0400,
        addr: 0x0000_0001_2345_6780,
        misc: 0x86,
        mcg_status: 0x5,
        mcg_cap: 0xf00_0c14,
        ip: 0xffff_ffff_8123_4567,
        tsc: 0x1234_5678_9abc,
        time: 1_795_557_210,
        cpu: 3,
        cpuid: 0x0005_0654,
        apic_id: 6,
        socket_id: 0,
        bank: 4,
        vendor: 0,
        microcode: 0x0200_005e,
        what: "internal timer error".into(),
        outcome: "fatal".into(),
        ..MachineCheck::default()
    };
    let title = "machine check: internal timer error";
    fault(
        2,
        "hardware.machine_check",
        Severity::Critical,
        title,
        Payload::MachineCheck(mce),
    )
}

/// An out-of-memory kill.
pub(super) fn oom_kill() -> Fault {
    let kill = OomKill {
        victim_pid: 4321,
        victim_comm: "postgres".into(),
        total_vm_kib: Some(8_388_608),
        anon_rss_kib: Some(1_572_864),
        file_rss_kib: Some(1024),
        shmem_rss_kib: None,
        pgtables_kib: Some(9000),
        uid: Some(0),
        oom_score_adj: Some(-500),
        constraint: OomConstraint::Memcg.into(),
        limit_cgroup: "/system.slice/postgresql.service".into(),
        victim_cgroup: "/system.slice/postgresql.service/worker".into(),
        order: Some(0),
        gfp_mask: Some(0xcc0),
        total_pages: Some(393_216),
        points: Some(1_580_000),
    };
    fault(
        3,
        "memory.oom_kill",
        Severity::High,
        "out of memory: killed postgres",
        Payload::OomKill(kill),
    )
}

/// A crashed program.
pub(super) fn program_crash() -> Fault {
    let crash = ProgramCrash {
        signal: 11,
        code: 1,
        errno: 0,
        executable: "/usr/bin/demo-crash".into(),
        address: Some(0x18),
        build_id: "6f1d".repeat(10),
        frames: vec![
            UserFrame {
                build_id: "6f1d".repeat(10),
                offset: 0x1149,
                file: "/usr/bin/demo-crash".into(),
                function: "demo::read".into(),
            },
            UserFrame {
                build_id: "0a2b".repeat(10),
                offset: 0x2_724a,
                ..UserFrame::default()
            },
        ],
        core_dumped: Some(true),
        ..ProgramCrash::default()
    };
    fault(
        4,
        "program.crash",
        Severity::Medium,
        "SIGSEGV in demo-crash",
        Payload::ProgramCrash(crash),
    )
}

/// A fault whose every text tries to break out of the page.
pub(super) fn hostile() -> Fault {
    let evil = r#""><script>alert('x')</script>&<img src=x onerror=alert(1)>"#;
    let mut fault = oops();
    fault.host = Some(Host {
        hostname: evil.into(),
        os_id: evil.into(),
        bios: evil.into(),
        ..host()
    });
    if let Some(record) = &mut fault.record {
        record.title = evil.into();
        record.class = evil.into();
        record.kernel_release = evil.into();
        if let Some(Payload::KernelReport(report)) = &mut record.payload {
            report.text = format!("{evil}\r\n</pre>{evil}");
            report.function = evil.into();
            report.comm = evil.into();
            report.modules = vec![evil.into()];
            report.alt_titles = vec![evil.into()];
            report.traces[0].heading = evil.into();
            report.traces[0].frames[0].function = evil.into();
            report.traces[0].frames[0].location = evil.into();
            report.registers[0].value = evil.into();
        }
    }
    fault
}

/// One of each.
pub(super) fn all() -> Vec<Fault> {
    vec![
        oops(),
        machine_check(),
        oom_kill(),
        program_crash(),
        loss(),
        heartbeat(),
        custom(),
        undecodable(),
        kernel_event(),
        hardware_error(),
        obituary(),
    ]
}
