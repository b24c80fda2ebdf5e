//! What the firmware says of the machine: maker, kind, whose guest it is.
//!
//! The files are those of `/sys/class/dmi/id` that everyone may read (`drivers/firmware/dmi-id.c`).

use std::path::Path;

use proto::v1::Host;

use super::{FACT_BYTES, line, said};
use crate::text::cut;

/// Names of the types of a chassis, from 1 on: SMBIOS 3.7, 7.4.1.
const CHASSIS: [&str; 36] = [
    "",
    "",
    "desktop",
    "low profile desktop",
    "pizza box",
    "mini tower",
    "tower",
    "portable",
    "laptop",
    "notebook",
    "hand held",
    "docking station",
    "all in one",
    "sub notebook",
    "space-saving",
    "lunch box",
    "main server",
    "expansion",
    "sub-chassis",
    "bus expansion",
    "peripheral",
    "RAID",
    "rack mount",
    "sealed-case PC",
    "multi-system",
    "compact PCI",
    "advanced TCA",
    "blade",
    "blade enclosure",
    "tablet",
    "convertible",
    "detachable",
    "IoT gateway",
    "embedded PC",
    "mini PC",
    "stick PC",
];

/// What makers of virtual machines call theirs, by the beginning of a file's line: `src/basic/virt.c` of systemd 257.
const HYPERVISORS: [(&str, &str, &str); 14] = [
    ("product_name", "KVM", "kvm"),
    ("product_name", "OpenStack", "kvm"),
    ("product_name", "KubeVirt", "kvm"),
    ("product_name", "VirtualBox", "virtualbox"),
    ("product_name", "Virtual Machine", "hyper-v"),
    ("product_name", "Google Compute Engine", "google"),
    ("product_name", "Apple Virtualization", "apple"),
    ("sys_vendor", "QEMU", "qemu"),
    ("sys_vendor", "VMware", "vmware"),
    ("sys_vendor", "VMW", "vmware"),
    ("sys_vendor", "innotek GmbH", "virtualbox"),
    ("sys_vendor", "Xen", "xen"),
    ("sys_vendor", "Parallels", "parallels"),
    ("bios_vendor", "BHYVE", "bhyve"),
];

/// What clouds call their machines: `tools/ds-identify` of cloud-init 24.4. No network is asked.
const CLOUDS: [(&str, &str, &str); 15] = [
    ("sys_vendor", "Amazon EC2", "aws"),
    ("bios_vendor", "Amazon EC2", "aws"),
    ("product_name", "Google Compute Engine", "gcp"),
    ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"),
    ("chassis_asset_tag", "OracleCloud.com", "oracle"),
    ("product_name", "Alibaba Cloud ECS", "alibaba"),
    ("sys_vendor", "Tencent Cloud", "tencent"),
    ("chassis_asset_tag", "HUAWEICLOUD", "huawei"),
    ("sys_vendor", "DigitalOcean", "digitalocean"),
    ("sys_vendor", "Hetzner", "hetzner"),
    ("sys_vendor", "Vultr", "vultr"),
    ("sys_vendor", "Scaleway", "scaleway"),
    ("sys_vendor", "UpCloud", "upcloud"),
    ("sys_vendor", "Akamai", "akamai"),
    ("product_name", "OpenStack", "openstack"),
];

/// Adds what the firmware says. `is_guest`: the CPU says that this is a virtual machine.
pub(super) fn add(root: &Path, is_guest: bool, host: &mut Host) {
    let id = |name: &str| line(&root.join("sys/class/dmi/id").join(name));
    let joined = |names: &[&str]| {
        let values: Vec<String> = names.iter().map(|name| said(&id(name)).to_owned()).collect();
        let said: Vec<&str> = values
            .iter()
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect();
        cut(&said.join(" "), FACT_BYTES).to_owned()
    };
    let named = |table: &[(&str, &str, &str)]| {
        let fits = |(file, begins, _): &&(&str, &str, &str)| id(file).starts_with(begins);
        table.iter().find(fits).map(|(_, _, name)| (*name).to_owned())
    };
    host.product = joined(&["sys_vendor", "product_name"]);
    host.product_version = joined(&["product_version"]);
    host.board = joined(&["board_vendor", "board_name"]);
    host.bios = joined(&["bios_version"]);
    host.bios_vendor = joined(&["bios_vendor"]);
    host.bios_date = joined(&["bios_date"]);
    let chassis = id("chassis_type")
        .parse::<usize>()
        .ok()
        .and_then(|kind| kind.checked_sub(1));
    let chassis = chassis.and_then(|kind| CHASSIS.get(kind));
    chassis.map_or("", |name| name).clone_into(&mut host.chassis);
    host.cloud = named(&CLOUDS).unwrap_or_default();
    // A machine of a cloud without a hypervisor says the same of itself as one with.
    let hypervisor = line(&root.join("sys/hypervisor/type"));
    host.hypervisor = if !hypervisor.is_empty() {
        hypervisor
    } else if is_guest || host.cpu_vendor.starts_with("0x") {
        named(&HYPERVISORS).unwrap_or_else(|| {
            if is_guest {
                "unknown".to_owned()
            } else {
                String::new()
            }
        })
    } else {
        String::new()
    };
    host.container = container(root);
}

/// What the agent is in: systemd's word (`CONTAINER_INTERFACE`), else the marks that Docker and Podman leave.
fn container(root: &Path) -> String {
    let said = line(&root.join("run/systemd/container"));
    if !said.is_empty() {
        return said;
    }
    let marks = [(".dockerenv", "docker"), ("run/.containerenv", "podman")];
    let mark = marks.iter().find(|(mark, _)| root.join(mark).exists());
    mark.map_or("", |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)], is_guest: bool) -> Host {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut host = Host::default();
        add(dir.path(), is_guest, &mut host);
        host
    }

    #[test]
    fn a_server_says_what_it_is_and_what_its_maker_left_out_is_not_told() {
        let host = host(
            &[
                ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
                ("sys/class/dmi/id/product_name", "PowerEdge R650\n"),
                ("sys/class/dmi/id/product_version", "Not Specified\n"),
                ("sys/class/dmi/id/chassis_type", "23\n"),
                ("sys/class/dmi/id/bios_vendor", "Dell Inc.\n"),
                ("sys/class/dmi/id/bios_version", "1.10.2\n"),
                ("sys/class/dmi/id/bios_date", "03/27/2023\n"),
            ],
            false,
        );
        assert_eq!(host.product, "Dell Inc. PowerEdge R650");
        assert_eq!(
            (host.product_version.as_str(), host.chassis.as_str()),
            ("", "rack mount")
        );
        assert_eq!(
            (host.bios.as_str(), host.bios_date.as_str()),
            ("1.10.2", "03/27/2023")
        );
        assert_eq!(
            (
                host.hypervisor.as_str(),
                host.cloud.as_str(),
                host.container.as_str()
            ),
            ("", "", "")
        );
    }

    #[test]
    fn a_guest_says_whose_it_is_without_a_network() {
        let azure = [
            ("sys/class/dmi/id/product_name", "Virtual Machine\n"),
            (
                "sys/class/dmi/id/chassis_asset_tag",
                "7783-7084-3265-9085-8269-3286-77\n",
            ),
            ("run/.containerenv", ""),
        ];
        let azure = host(&azure, true);
        assert_eq!(
            (azure.hypervisor.as_str(), azure.cloud.as_str()),
            ("hyper-v", "azure")
        );
        assert_eq!(azure.container, "podman");
        let metal = host(&[("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")], false);
        assert_eq!((metal.hypervisor.as_str(), metal.cloud.as_str()), ("", "aws"));
        assert_eq!(host(&[], true).hypervisor, "unknown");
        assert_eq!(host(&[("sys/hypervisor/type", "xen\n")], false).hypervisor, "xen");
    }

    #[test]
    fn a_chassis_of_no_known_type_is_none() {
        for kind in ["0", "1", "2", "37", "255", "x", "-1"] {
            assert_eq!(
                host(&[("sys/class/dmi/id/chassis_type", kind)], false).chassis,
                ""
            );
        }
        assert_eq!(
            host(&[("sys/class/dmi/id/chassis_type", "36")], false).chassis,
            "stick PC"
        );
    }
}
