//! What the issues of a made-up fleet are called: faults as kernels of many machines have them.

/// Class and title of each issue, from number 1 on.
pub(super) const ISSUES: [(&str, &str); 40] = [
    (
        "kernel.oops",
        "BUG: unable to handle kernel NULL pointer dereference in iwl_pcie_irq_handler",
    ),
    (
        "kernel.sanitizer",
        "KASAN: use-after-free Read in btusb_mtk_wmt_recv",
    ),
    ("kernel.hung_task", "INFO: task hung in nvme_wait_ready"),
    ("kernel.warning", "WARNING in drm_atomic_helper_wait_for_vblanks"),
    ("kernel.oops", "general protection fault in xhci_urb_enqueue"),
    (
        "kernel.lockup",
        "BUG: soft lockup in native_queued_spin_lock_slowpath",
    ),
    ("kernel.rcu_stall", "INFO: rcu detected stall in ext4_writepages"),
    ("kernel.warning", "WARNING in cfg80211_connect"),
    (
        "kernel.oops",
        "BUG: unable to handle kernel paging request in i915_gem_object_unbind",
    ),
    ("kernel.hung_task", "INFO: task hung in btrfs_commit_transaction"),
    ("kernel.warning", "WARNING in amdgpu_dm_commit_planes"),
    (
        "memory.alloc_failure",
        "page allocation failure in rtl8169_rx_fill",
    ),
    (
        "kernel.oops",
        "BUG: unable to handle kernel NULL pointer dereference in snd_hda_codec_setup_stream",
    ),
    ("kernel.warning", "WARNING in usb_submit_urb"),
    ("kernel.hung_task", "INFO: task hung in nfs4_wait_clnt_recover"),
    ("kernel.lockdep", "possible deadlock in ovl_copy_up_start"),
    ("kernel.oops", "general protection fault in mlx5e_napi_poll"),
    ("kernel.warning", "WARNING in intel_pmu_handle_irq"),
    (
        "kernel.sanitizer",
        "UBSAN: array-index-out-of-bounds in ath11k_dp_process_rx",
    ),
    ("kernel.bug", "kernel BUG in ext4_writepages"),
    ("kernel.rcu_stall", "INFO: rcu detected stall in net_rx_action"),
    ("kernel.warning", "WARNING in thermal_zone_device_update"),
    ("kernel.sanitizer", "KFENCE: use-after-free in io_poll_wake"),
    ("kernel.hung_task", "INFO: task hung in blk_mq_freeze_queue_wait"),
    (
        "kernel.oops",
        "BUG: unable to handle kernel paging request in virtio_gpu_dequeue_ctrl_func",
    ),
    ("kernel.warning", "WARNING in dev_watchdog"),
    ("kernel.lockup", "BUG: soft lockup in zap_pte_range"),
    ("kernel.warning", "WARNING in tcp_recvmsg_locked"),
    ("kernel.oops", "general protection fault in nouveau_fence_wait"),
    (
        "kernel.sanitizer",
        "KASAN: slab-out-of-bounds Write in squashfs_readahead",
    ),
    ("kernel.hung_task", "INFO: task hung in md_write_start"),
    ("kernel.warning", "WARNING in __alloc_pages"),
    ("kernel.bug", "kernel BUG in xfs_buf_item_unpin"),
    ("kernel.rcu_stall", "INFO: rcu detected stall in kvm_vcpu_ioctl"),
    ("kernel.warning", "WARNING in tpm_tis_status"),
    (
        "kernel.oops",
        "BUG: unable to handle kernel NULL pointer dereference in ucsi_acpi_notify",
    ),
    (
        "memory.alloc_failure",
        "page allocation failure in zram_bvec_write",
    ),
    ("kernel.warning", "WARNING in e1000_watchdog_task"),
    ("kernel.hung_task", "INFO: task hung in cifs_reconnect"),
    ("kernel.oops", "general protection fault in fuse_dev_do_write"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn titles_are_distinct_and_classes_known() {
        let titles: BTreeSet<&str> = ISSUES.iter().map(|(_, title)| *title).collect();
        assert_eq!(titles.len(), ISSUES.len());
        for (class, title) in ISSUES {
            assert!(class.parse::<faults::Class>().is_ok(), "{class} of {title}");
        }
    }
}
