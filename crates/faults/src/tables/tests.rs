//! What is said about devices, and what is said when all is well.

/// Lines of a message, and its title. Written after the formats in the kernel's source that the tables name.
const MESSAGES: &[(&str, &str)] = &[
    (
        "EXT4-fs error (device sda1): ext4_lookup:1706: inode #2: comm ls: deleted inode referenced: 123",
        "EXT4-fs error in ext4_lookup",
    ),
    (
        "EXT4-fs error (device dm-0) in ext4_reserve_inode_write:5823: IO failure",
        "EXT4-fs error in ext4_reserve_inode_write",
    ),
    (
        "EXT3-fs error (device hda1): ext3_free_blocks: Freeing blocks not in datazone - block = 1, count = 1",
        "EXT3-fs error in ext3_free_blocks",
    ),
    (
        "BTRFS error (device sda1): bad tree block start, mirror 1 want 30408704 have 0",
        "BTRFS error: bad tree block start",
    ),
    (
        "BTRFS: error (device sda1: state EA) in btrfs_run_delayed_refs:2149: errno=-5 IO failure",
        "BTRFS error in btrfs_run_delayed_refs",
    ),
    (
        "BTRFS critical (device sda1): corrupt leaf: root=2 block=30408704 slot=4",
        "BTRFS critical: corrupt leaf",
    ),
    (
        "BTRFS warning (device sda1): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror 1",
        "BTRFS: csum failed",
    ),
    ("Aborting journal on device sda1-8.", "JBD2: journal aborted"),
    (
        "JBD2: Error -5 detected when updating journal superblock for sda1-8.",
        "JBD2: error when updating the journal superblock",
    ),
    (
        "XFS (sda1): Metadata corruption detected at xfs_agi_verify+0x16d/0x180 [xfs], xfs_agi block 0x2",
        "XFS: metadata corruption in xfs_agi_verify",
    ),
    (
        "XFS (sda1): metadata I/O error in \"xfs_read_agi+0x95/0x140 [xfs]\" at daddr 0x2 len 1 error 117",
        "XFS: metadata I/O error in xfs_read_agi",
    ),
    (
        "XFS (dm-0): Corruption of in-memory data (0x8) detected at xfs_defer_finish+0x1/0x2 [xfs] (fs/xfs/x.c:1).  Shutting down filesystem.",
        "XFS: Corruption of in-memory data in xfs_defer_finish",
    ),
    (
        "XFS (sda1): Internal error i != 1 at line 2204 of file fs/xfs/libxfs/xfs_alloc.c.  Caller xfs_free_extent+0x1/0x2 [xfs]\nCPU: 1 PID: 77 Comm: sh Not tainted 6.1.0 #1\nCall Trace:\n dump_stack_lvl+0x1/0x2\n xfs_corruption_error+0x1/0x2 [xfs]\n xfs_free_ag_extent+0x1/0x2 [xfs]\n xfs_free_extent+0x1/0x2 [xfs]",
        "XFS: internal error in xfs_free_extent",
    ),
    (
        "FAT-fs (sdb1): error, fat_get_cluster: invalid cluster chain (i_pos 0)",
        "FAT-fs error in fat_get_cluster",
    ),
    (
        "F2FS-fs (sda1): Stopped filesystem due to reason: 2",
        "F2FS-fs: stopped",
    ),
    (
        "SQUASHFS error: Unable to read fragment cache entry [1234]",
        "SQUASHFS error: Unable to read fragment cache entry",
    ),
    (
        "blk_update_request: I/O error, dev sda, sector 1234 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0",
        "I/O error on sd",
    ),
    (
        "end_request: I/O error, dev xvda1, sector 1234",
        "I/O error on xvd",
    ),
    (
        "critical medium error, dev nvme0n1, sector 1234 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
        "critical medium error on nvme",
    ),
    (
        "Buffer I/O error on dev dm-3, logical block 1, async page read",
        "Buffer I/O error on dm",
    ),
    (
        "Buffer I/O error on device mmcblk0p1, logical block 1",
        "Buffer I/O error on mmcblk",
    ),
    (
        "nvme nvme0: I/O tag 5 (1005) opcode 0x2 (I/O Cmd) QID 4 timeout, aborting req_op:READ(0) size:4096",
        "nvme: I/O timeout, aborting",
    ),
    (
        "nvme nvme0: I/O 123 QID 4 timeout, reset controller",
        "nvme: I/O timeout, reset controller",
    ),
    (
        "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
        "nvme: controller is down",
    ),
    (
        "sd 2:0:0:0: rejecting I/O to offline device",
        "scsi: rejecting I/O to offline device",
    ),
    (
        "sd 0:0:0:0: [sda] tag#0 Sense Key : Medium Error [current] \nsd 0:0:0:0: [sda] tag#0 Add. Sense: Unrecovered read error",
        "scsi: Medium Error",
    ),
    (
        "ata1.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen\nata1.00: failed command: READ FPDMA QUEUED\nata1.00: cmd 60/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 in",
        "ata: failed command READ FPDMA QUEUED",
    ),
    ("ata1: COMRESET failed (errno=-16)", "ata: COMRESET failed"),
    (
        "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x1 offset:0x0 grain:32)",
        "EDAC: corrected memory error",
    ),
    (
        "EDAC MC0: UE page 0x0, offset 0x0, grain 0, row 1, labels \"\": i5000",
        "EDAC: uncorrected memory error",
    ),
    (
        "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 1\n{1}[Hardware Error]: event severity: corrected\n{1}[Hardware Error]:  Error 0, type: corrected\n{1}[Hardware Error]:   section_type: memory error",
        "firmware reported: memory error",
    ),
    (
        "BERT: Error records from previous boot:\n[Hardware Error]: event severity: fatal\n[Hardware Error]:  Error 0, type: fatal\n[Hardware Error]:   section_type: general processor error",
        "previous boot: general processor error",
    ),
    (
        "e1000e 0000:02:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)\ne1000e 0000:02:00.0:   device [8086:10d3] error status/mask=00004000/00000000\ne1000e 0000:02:00.0:    [14] CmpltTO                (First)",
        "PCIe bus error: uncorrected, Transaction Layer, CmpltTO",
    ),
    (
        "Memory failure: 0x12345: Sending SIGBUS to a.out:77 due to hardware memory corruption\nMemory failure: 0x12345: recovery action for dirty LRU page: Recovered",
        "memory failure: dirty LRU page: Recovered",
    ),
    (
        "MCE 0x12345: dirty LRU page recovery: Recovered",
        "memory failure: dirty LRU page: Recovered",
    ),
    (
        "mce: CPU3: Core temperature above threshold, cpu clock throttled (total events = 1)",
        "processor core too hot, throttled",
    ),
    (
        "thermal thermal_zone0: acpitz: critical temperature reached (110 C), shutting down",
        "critical temperature reached",
    ),
    (
        "irq 16: nobody cared (try booting with the \"irqpoll\" option)\nCPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0 #1\nCall Trace:\n <IRQ>\n dump_stack_lvl+0x1/0x2\n __report_bad_irq+0x1/0x2\n note_interrupt+0x1/0x2\nhandlers:\n[<00000000c9b5dfb3>] example_isr [example]\nDisabling IRQ #16",
        "irq: nobody cared",
    ),
];

/// Lines of machines that work.
const ORDINARY: &[&str] = &[
    "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
    "EXT4-fs warning (device sda1): ext4_dirblock_csum_verify:404: inode #2: comm ls: No space for directory leaf checksum",
    "EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro",
    "BTRFS info (device sda1): using crc32c (crc32c-intel) checksum algorithm",
    "XFS (sda1): Mounting V5 Filesystem",
    "XFS (sda1): Ending clean mount",
    "F2FS-fs (sda1): Mounted with checkpoint version = 1",
    "blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0",
    "Buffer I/O error on dev fd0, logical block 0, async page read",
    "nvme nvme0: 8/0/0 default/read/poll queues",
    "sd 0:0:0:0: [sda] Attached SCSI disk",
    "sr 1:0:0:0: [sr0] tag#0 Sense Key : Not Ready [current] ",
    "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
    "EDAC MC: Ver: 3.0.0",
    "EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:3a:0a.0 (INTERRUPT)",
    "GHES: APEI firmware first mode is enabled by APEI bit and WHEA _OSC.",
    "pcieport 0000:00:1c.0: AER: enabled with IRQ 24",
    "mce: CPU0: Thermal monitoring enabled (TM1)",
    "mce: [Hardware Error]: Machine check events logged",
    "mce: CPU3: Core temperature/speed normal",
    "ERST: Error Record Serialization Table (ERST) support is initialized.",
    "thermal_sys: Registered thermal governor 'step_wise'",
    "pstore: Registered erst as persistent store backend",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!",
    "rcu: \tRCU restricting CPUs from NR_CPUS=8192 to nr_cpu_ids=2.",
    "watchdog: Delayed init of the lockup detector failed: -19",
    "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "Kernel panic timeout: 30 seconds",
    "random: crng init done",
    "usb 1-1: timeout, reset controller later",
];

#[test]
fn messages_have_titles_without_numbers() {
    for (text, title) in MESSAGES {
        let found = crate::reports(text.as_bytes());
        let titles: Vec<&str> = found.iter().map(|found| found.report.title.as_str()).collect();
        assert_eq!(titles, [*title], "{text}");
        assert_eq!(found[0].text.lines().count(), text.lines().count(), "{text}");
        assert!(!found[0].report.corrupted, "{text}");
    }
}

#[test]
fn machines_that_work_have_no_reports() {
    for text in ORDINARY {
        let found = crate::reports(text.as_bytes());
        assert!(found.is_empty(), "{text}: {}", found[0].report.title);
    }
}
