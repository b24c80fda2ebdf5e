//! The ways in which a guest boots: what the machine has, what the kernel is told, and what the agent has to do without.

use std::path::Path;

use anyhow::Result;

use super::{
    firmware,
    initramfs::{RESERVED_ADDRESS, RESERVED_BYTES},
    kernels::Series,
};

/// A kind of boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Boot {
    /// Nothing is missing.
    Plain,
    /// Nothing keeps the kernel's log over a reboot; the network console is told it. A watchdog ends what hangs.
    Netconsole,
    /// The firmware tells of errors in the boot before; the agent remembers what strains the machine.
    Bert,
    /// The kernel's type information cannot be read.
    NoBtf,
    /// There is no tracefs, and the agent may not mount it.
    NoTracefs,
    /// The kernel is locked down for confidentiality.
    Lockdown,
}

impl Boot {
    /// Every kind, the longest first.
    pub(super) const ALL: [Self; 6] = [
        Self::Plain,
        Self::Netconsole,
        Self::Bert,
        Self::NoBtf,
        Self::NoTracefs,
        Self::Lockdown,
    ];

    /// Its name in the guest.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Netconsole => "netconsole",
            Self::Bert => "bert",
            Self::NoBtf => "no-btf",
            Self::NoTracefs => "no-tracefs",
            Self::Lockdown => "lockdown",
        }
    }

    /// The kernel's command line. The kernel hands `guest_boot` to the first program in its environment.
    pub(super) fn kernel_parameters(self, series: Series) -> String {
        let lockdown = match self {
            Self::Lockdown => " lsm=lockdown lockdown=confidentiality",
            _ => "",
        };
        // A kernel whose network console has a thread of its own writes the end of a panic to it when it stays, and not
        // when it reboots (`vpanic` and `nbcon_atomic_flush_unsafe`, seen in 7.2): a watchdog ends it.
        let reboot_s = u32::from(self != Self::Netconsole || series != Series::Sid);
        format!(
            "console=ttyS0,115200 panic={reboot_s} loglevel=7 memmap={RESERVED_BYTES:#x}${RESERVED_ADDRESS:#x} \
             guest_boot={}{lockdown}",
            self.name()
        )
    }

    /// What the agent's configuration says beside where records go.
    pub(super) const fn configuration(self) -> &'static str {
        match self {
            Self::Bert => "\n[probes.hindsight]\nenabled = true\n",
            _ => "",
        }
    }

    /// QEMU's arguments for what the machine has beside a disk and a network. Files that they need go to `dir`.
    pub(super) fn devices(self, dir: &Path) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        match self {
            Self::Plain => {
                arguments.extend(PLAIN_DEVICES.map(str::to_owned));
                arguments.extend(firmware::thermal_zone(dir)?);
            }
            Self::Netconsole => arguments.extend(["-device", "i6300esb"].map(str::to_owned)),
            Self::Bert => arguments.extend(firmware::bert(dir)?),
            _ => {}
        }
        Ok(arguments)
    }
}

/// A card whose cable ends in a hub with nothing else, and a port of PCI Express, which can report errors.
const PLAIN_DEVICES: [&str; 6] = [
    "-netdev",
    "hubport,id=net1,hubid=1",
    "-device",
    "pcnet,netdev=net1,romfile=",
    "-device",
    "pcie-root-port,id=port1,chassis=1",
];
