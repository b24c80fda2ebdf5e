//! Names of block devices.

use std::fs;
use std::path::Path;

/// Bits of the minor number in a tracepoint's device number (`include/linux/kdev_t.h`, `MINORBITS`).
const MINOR_BITS: u32 = 20;

/// The name of a block device, such as `sda1`, by the number that tracepoints give it. `None`: it is gone, or no disk is
/// behind it, as with network file systems. `sys` is where sysfs is mounted.
pub fn name(sys: &Path, number: u32) -> Option<String> {
    let (major, minor) = (number >> MINOR_BITS, number & ((1 << MINOR_BITS) - 1));
    let link = fs::read_link(sys.join(format!("dev/block/{major}:{minor}"))).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_as_its_folder_in_sysfs_is() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("dev/block");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("../../devices/pci0/block/sda/sda1", folder.join("8:1")).unwrap();
        assert_eq!(name(dir.path(), 8 << 20 | 1).as_deref(), Some("sda1"));
        assert_eq!(name(dir.path(), 8 << 20 | 2), None);
    }
}
