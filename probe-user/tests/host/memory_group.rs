//! A control group that has little memory.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// A control group with little memory; removed when dropped.
pub(crate) struct MemoryGroup {
    pub(crate) path: PathBuf,
}

impl MemoryGroup {
    pub(crate) fn create(limit_bytes: u64) -> Result<Self, String> {
        // Version 1, version 2 beside version 1, version 2 alone.
        let roots = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup/unified", "memory.max"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        let mut reasons = Vec::new();
        for (root, limit) in roots {
            let path = Path::new(root).join(format!("telemetrics-test-{}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let group = Self { path };
                    match fs::write(group.path.join(limit), limit_bytes.to_string()) {
                        Ok(()) => return Ok(group),
                        Err(error) => reasons.push(format!("{root}: set {limit}: {error}")),
                    }
                }
                Err(error) => reasons.push(format!("{root}: {error}")),
            }
        }
        Err(format!(
            "no small memory control group can be made: {}",
            reasons.join("; ")
        ))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        for _attempt in 0..50 {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}
