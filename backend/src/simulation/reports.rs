//! What hosts of a made-up fleet report: logs as kernels print them, about functions in which kernels of many machines have faults.

use faults::parse;
use proto::v1::{Context, Record};

use super::{ISSUES, of_issue};

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    NullPointer,
    PagingRequest,
    Protection,
    Bug,
    Warning,
    UseAfterFree,
    OutOfBounds,
    ElectricFence,
    ArrayIndex,
    Hung,
    SoftLockup,
    RcuStall,
    Allocation,
    Deadlock,
}

/// Each issue, from number 1 on.
const OF_ISSUES: [(Form, &str); ISSUES as usize] = [
    (Form::NullPointer, "iwl_pcie_irq_handler"),
    (Form::UseAfterFree, "btusb_mtk_wmt_recv"),
    (Form::Hung, "nvme_passthru_start"),
    (Form::Warning, "drm_atomic_helper_wait_for_vblanks"),
    (Form::Protection, "xhci_urb_enqueue"),
    (Form::SoftLockup, "shrink_lruvec"),
    (Form::RcuStall, "ext4_writepages"),
    (Form::Warning, "cfg80211_connect"),
    (Form::PagingRequest, "i915_gem_object_unbind"),
    (Form::Hung, "btrfs_commit_transaction"),
    (Form::Warning, "amdgpu_dm_commit_planes"),
    (Form::Allocation, "rtl8169_rx_fill"),
    (Form::NullPointer, "snd_hda_codec_setup_stream"),
    (Form::Warning, "btusb_submit_intr_urb"),
    (Form::Hung, "nfs4_run_state_manager"),
    (Form::Deadlock, "ovl_copy_up_start"),
    (Form::Protection, "mlx5e_napi_poll"),
    (Form::Warning, "intel_pmu_handle_irq"),
    (Form::ArrayIndex, "ath11k_dp_process_rx"),
    (Form::Bug, "ext4_writepages"),
    (Form::RcuStall, "net_rx_action"),
    (Form::Warning, "thermal_zone_device_update"),
    (Form::ElectricFence, "io_poll_wake"),
    (Form::Hung, "dm_suspend"),
    (Form::PagingRequest, "virtio_gpu_dequeue_ctrl_func"),
    (Form::Warning, "dev_watchdog"),
    (Form::SoftLockup, "zap_pte_range"),
    (Form::Warning, "tcp_recvmsg_locked"),
    (Form::Protection, "nouveau_fence_wait"),
    (Form::OutOfBounds, "squashfs_readahead"),
    (Form::Hung, "md_write_start"),
    (Form::Warning, "ieee80211_tx_dequeue"),
    (Form::Bug, "xfs_buf_item_unpin"),
    (Form::RcuStall, "kvm_vcpu_ioctl"),
    (Form::Warning, "tpm_tis_status"),
    (Form::NullPointer, "ucsi_acpi_notify"),
    (Form::Allocation, "zram_bvec_write"),
    (Form::Warning, "e1000_watchdog_task"),
    (Form::Hung, "cifs_reconnect"),
    (Form::Protection, "fuse_dev_do_write"),
];

/// The record of each issue by a kernel, grouped by its number. When it happened is a host's to say.
pub(super) fn records(kernel: &str) -> Vec<Record> {
    let numbered = (1..).zip(OF_ISSUES);
    let record = |(number, (form, function)): (i32, (Form, &str))| {
        let text = text(form, function, kernel);
        let report = parse(&text)?;
        let record = Record {
            context: Some(Context {
                cpu: 3,
                pid: 1187,
                tgid: 1187,
                comm: "kworker/3:1".to_owned(),
                ..Context::default()
            }),
            kernel_release: kernel.to_owned(),
            ..wire::kernel_report(&report, &text, false)
        };
        Some(of_issue(number, record))
    };
    numbered.filter_map(record).collect()
}

fn text(form: Form, function: &str, kernel: &str) -> String {
    template(form)
        .replace("{registers}", include_str!("reports/registers.txt"))
        .replace("{callers}", include_str!("reports/callers.txt"))
        .replace("{at}", &format!("{function}+0x5c/0x1f0"))
        .replace("{function}", function)
        .replace("{kernel}", kernel)
}

/// A log with the words in braces to be replaced.
fn template(form: Form) -> &'static str {
    match form {
        Form::NullPointer => include_str!("reports/null_pointer.txt"),
        Form::PagingRequest => include_str!("reports/paging_request.txt"),
        Form::Protection => include_str!("reports/protection.txt"),
        Form::Bug => include_str!("reports/bug.txt"),
        Form::Warning => include_str!("reports/warning.txt"),
        Form::UseAfterFree => include_str!("reports/use_after_free.txt"),
        Form::OutOfBounds => include_str!("reports/out_of_bounds.txt"),
        Form::ElectricFence => include_str!("reports/electric_fence.txt"),
        Form::ArrayIndex => include_str!("reports/array_index.txt"),
        Form::Hung => include_str!("reports/hung.txt"),
        Form::SoftLockup => include_str!("reports/soft_lockup.txt"),
        Form::RcuStall => include_str!("reports/rcu_stall.txt"),
        Form::Allocation => include_str!("reports/allocation.txt"),
        Form::Deadlock => include_str!("reports/deadlock.txt"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_report_names_its_function_in_a_title_of_its_own() {
        let records = records("6.1.0-simulated");
        assert_eq!(records.len(), OF_ISSUES.len(), "all are read");
        for (record, (form, function)) in records.iter().zip(OF_ISSUES) {
            assert!(
                record.title.ends_with(function),
                "{form:?} {function}: {}",
                record.title
            );
        }
        let titles: BTreeSet<&str> = records.iter().map(|record| record.title.as_str()).collect();
        assert_eq!(titles.len(), records.len(), "{titles:#?}");
    }
}
