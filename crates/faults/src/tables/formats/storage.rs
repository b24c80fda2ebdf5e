//! What file systems, the block layer and the drivers of disks say when something is wrong.
//!
//! Devices are left out of titles except for their sort (`sd`, `nvme`): which letter a disk has says nothing about the
//! fault. Warnings and what is said at every mount are no faults.

use super::{NONE, POINTER};

heads! {
    // fs/ext4/super.c `__ext4_error`, `__ext4_std_error`; fs/ext3, fs/ext2; fs/btrfs/messages.c; fs/reiserfs/prints.c;
    // fs/udf/super.c; fs/nilfs2/super.c; fs/ntfs/debug.c; fs/affs/amigaffs.c.
    "error (device " {
        FilesystemError: "EXT4-fs error (device {d}{*}): {i}:" => "EXT4-fs error in {F}", NONE;
        FilesystemError: "EXT4-fs error (device {d}{*}) in {i}:" => "EXT4-fs error in {F}", NONE;
        FilesystemError: "EXT3-fs error (device {d}): {i}:" => "EXT3-fs error in {F}", NONE;
        FilesystemError: "EXT3-fs error (device {d}) in {i}:" => "EXT3-fs error in {F}", NONE;
        FilesystemError: "EXT2-fs error (device {d}): {i}:" => "EXT2-fs error in {F}", NONE;
        FilesystemError: "BTRFS: error (device {d}{*}) in {i}:" => "BTRFS error in {F}", NONE;
        FilesystemError: "{w} error (device {d}{*}): {i}: " => "{0} error in {F}", NONE;
        FilesystemError: "{w} error (device {d}{*}): {i}(): " => "{0} error in {F}", NONE;
        FilesystemError: "{w} error (device {d}{*}): {m}" => "{0} error: {3}", NONE;
    }
    // fs/btrfs/messages.c, level critical.
    "BTRFS critical (device " {
        FilesystemError: "BTRFS critical (device {d}{*}): {m}" => "BTRFS critical: {2}", NONE;
    }
    // fs/btrfs/inode.c: a warning, but the data is wrong.
    "BTRFS warning (device " {
        FilesystemError: "BTRFS warning (device {d}{*}): csum failed" => "BTRFS: csum failed", NONE;
    }
    // fs/jfs/super.c `jfs_handle_error`.
    "ERROR: (device " {
        FilesystemError: "ERROR: (device {d}): {i}: " => "JFS error in {F}", NONE;
    }
    // fs/ocfs2/super.c `__ocfs2_error`.
    "OCFS2: ERROR (device " {
        FilesystemError: "OCFS2: ERROR (device {d}): {i}: " => "OCFS2 error in {F}", NONE;
    }
    // fs/ext4/inode.c `mpage_map_and_submit_extent`, fs/ext4/page-io.c `ext4_end_io_end`.
    "Delayed block allocation failed for inode" {
        FilesystemError: "EXT4-fs ({d}): Delayed block allocation failed" => "EXT4-fs: Delayed block allocation failed", NONE;
    }
    "failed to convert unwritten extents" {
        FilesystemError: "EXT4-fs ({d}): failed to convert unwritten extents" => "EXT4-fs: failed to convert unwritten extents", NONE;
    }
    // fs/jbd2/journal.c, fs/jbd2/commit.c.
    "Aborting journal on device " {
        FilesystemError: "Aborting journal on device {d}" => "JBD2: journal aborted", NONE;
    }
    "detected when updating journal superblock for " {
        FilesystemError: "detected when updating journal superblock for {d}" => "JBD2: error when updating the journal superblock", NONE;
    }
    "Detected IO errors while flushing file data on " {
        FilesystemError: "Detected IO errors while flushing file data on {d}" => "JBD2: I/O errors while flushing file data", NONE;
    }
    // fs/xfs/xfs_error.c: `xfs_error_report` prints a stack, the verifiers do not.
    "Internal error " {
        FilesystemError: "XFS ({d}): Internal error {*}Caller {f}" => "XFS: internal error in {F}", POINTER;
        FilesystemError: "XFS internal error {*}Caller {f}" => "XFS: internal error in {F}", POINTER;
    }
    "Metadata corruption detected at " {
        FilesystemError: "XFS ({d}): Metadata corruption detected at {f}" => "XFS: metadata corruption in {F}", NONE;
    }
    "Metadata CRC error detected at " {
        FilesystemError: "XFS ({d}): Metadata CRC error detected at {f}" => "XFS: metadata CRC error in {F}", NONE;
    }
    // fs/xfs/xfs_buf.c `xfs_buf_ioerror_alert`.
    "metadata I/O error" {
        FilesystemError: "XFS ({d}): metadata I/O error in \"{i}" => "XFS: metadata I/O error in {F}", NONE;
        FilesystemError: "XFS ({d}): metadata I/O error" => "XFS: metadata I/O error", NONE;
    }
    // fs/xfs/xfs_fsops.c `xfs_do_force_shutdown`.
    "Shutting down filesystem" {
        FilesystemError: "XFS ({d}): {m} (0x{x}) detected at {f}" => "XFS: {1} in {F}", NONE;
        FilesystemError: "XFS ({d}): {m}etected." => "XFS: shut down, {1}", NONE;
        FilesystemError: "XFS ({d}): {m}" => "XFS: shut down, {1}", NONE;
        FilesystemError: "Filesystem \"{d}\": {m}" => "XFS: shut down, {1}", NONE;
    }
    "xfs_do_force_shutdown(0x" {
        FilesystemError: "XFS ({d}): xfs_do_force_shutdown(0x" => "XFS: shut down", NONE;
    }
    // fs/fat/misc.c `__fat_fs_error`, fs/exfat/misc.c `__exfat_fs_error`.
    "): error, " {
        FilesystemError: "{w} ({d}): error, {i}: " => "{0} error in {F}", NONE;
        FilesystemError: "{w} ({d}): error, {m}" => "{0} error: {2}", NONE;
    }
    "FAT: Filesystem error (dev " {
        FilesystemError: "FAT: Filesystem error (dev {d}" => "FAT-fs error", NONE;
    }
    // fs/f2fs/super.c `f2fs_handle_critical_error`, fs/f2fs/node.c `__get_node_folio`.
    "Stopped filesystem due to reason: " {
        FilesystemError: "F2FS-fs ({d}): Stopped filesystem" => "F2FS-fs: stopped", NONE;
    }
    "inconsistent node block" {
        FilesystemError: "F2FS-fs ({d}): inconsistent node block" => "F2FS-fs: inconsistent node block", NONE;
    }
    // fs/squashfs.
    "SQUASHFS error: " {
        FilesystemError: "SQUASHFS error: {m}" => "SQUASHFS error: {0}", NONE;
    }
    // fs/gfs2/util.c, fs/gfs2/super.h `fs_err`.
    "GFS2: fsid=" {
        FilesystemError: "GFS2: fsid={w} fatal: {m}" => "GFS2: fatal: {1}", NONE;
    }
    // fs/ubifs/misc.c `ubifs_err`.
    "UBIFS error (" {
        FilesystemError: "UBIFS error (ubi{*} pid {n}): {i}: " => "UBIFS error in {F}", NONE;
    }
    // block/blk-core.c `blk_errors` (5.10 and later have `blk_status_to_str`), drivers/md. A floppy drive without a floppy
    // fails at every boot of many virtual machines.
    " error, dev " unless ["dev fd"] {
        BlockError: "I/O error, dev {d}," => "I/O error on {d0}", NONE;
        BlockError: "critical medium error, dev {d}," => "critical medium error on {d0}", NONE;
        BlockError: "critical target error, dev {d}," => "critical target error on {d0}", NONE;
        BlockError: "critical space allocation error, dev {d}," => "critical space allocation error on {d0}", NONE;
        BlockError: "recoverable transport error, dev {d}," => "recoverable transport error on {d0}", NONE;
        BlockError: "protection error, dev {d}," => "protection error on {d0}", NONE;
        BlockError: "timeout error, dev {d}," => "timeout error on {d0}", NONE;
        BlockError: "device offline error, dev {d}," => "device offline error on {d0}", NONE;
    }
    // fs/buffer.c `buffer_io_error`.
    "Buffer I/O error on dev" unless ["dev fd", "device fd"] {
        BlockError: "Buffer I/O error on dev {d}," => "Buffer I/O error on {d0}", NONE;
        BlockError: "Buffer I/O error on device {d}," => "Buffer I/O error on {d0}", NONE;
    }
    // fs/buffer.c before 4.x, `end_buffer_async_write`.
    "page write due to I/O error on " {
        BlockError: "page write due to I/O error on {d}" => "lost page write on {d0}", NONE;
    }
    // drivers/md/raid1.c and others, drivers/md/dm-mpath.c.
    "Disk failure on " {
        BlockError: "Disk failure on {d}," => "md: disk failure", NONE;
    }
    "Failing path " {
        BlockError: "Failing path {w}" => "multipath: path failed", NONE;
    }
    // drivers/nvme/host/pci.c `nvme_timeout`, `nvme_warn_reset`; core.c `nvme_log_error`, `nvme_wait_ready`.
    "timeout, aborting" {
        BlockError: "nvme {w} I/O {*}timeout, aborting" => "nvme: I/O timeout, aborting", NONE;
    }
    "timeout, completion polled" {
        BlockError(Medium): "nvme {w} I/O {*}timeout, completion polled" => "nvme: I/O timeout, completion polled", NONE;
    }
    "timeout, reset controller" {
        BlockError: "nvme {w} I/O {*}timeout, reset controller" => "nvme: I/O timeout, reset controller", NONE;
    }
    "timeout, disable controller" {
        BlockError: "nvme {w} I/O {*}timeout, disable controller" => "nvme: I/O timeout, disable controller", NONE;
    }
    "controller is down; will reset" {
        BlockError: "nvme {w} controller is down" => "nvme: controller is down", NONE;
    }
    "Device not ready; aborting " {
        BlockError: "nvme {w} Device not ready; aborting {m}" => "nvme: device not ready, aborting {1}", NONE;
    }
    "Removing after probe failure" {
        BlockError: "nvme {w} Removing after probe failure" => "nvme: removed after probe failure", NONE;
    }
    " (sct 0x" {
        BlockError: "nvme{w} {*} blocks, {*} (sct 0x" => "nvme: {2}", NONE;
    }
    // drivers/scsi/scsi_lib.c `scsi_device_state_check`, scsi_error.c, constants.c.
    "rejecting I/O to " {
        BlockError: "rejecting I/O to {m}" => "scsi: rejecting I/O to {0}", NONE;
    }
    "Device offlined - " {
        BlockError: "Device offlined - {m}" => "scsi: device offlined, {0}", NONE;
    }
    "Sense Key : " {
        BlockError: "Sense Key : Medium Error" => "scsi: Medium Error", NONE;
        BlockError: "Sense Key : Hardware Error" => "scsi: Hardware Error", NONE;
        BlockError: "Sense Key : Aborted Command" => "scsi: Aborted Command", NONE;
    }
    // drivers/ata/libata-eh.c `ata_eh_link_report`, libata-sata.c.
    "exception Emask 0x" {
        BlockError: "ata{w} exception Emask" + "failed command: {m}" => "ata: failed command {1}", NONE;
        BlockError: "ata{w} exception Emask" => "ata: exception", NONE;
    }
    "COMRESET failed" {
        BlockError: "ata{w} COMRESET failed" => "ata: COMRESET failed", NONE;
    }
}
