//! What the kernel was started with, and what has come into it since.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use faults::scrub::Scrubber;
use faults::symbols::BuildId;
use proto::limits::{COMMAND_LINE_BYTES, LIVEPATCHES, MODULES};
use proto::v1::{Host, Module};

use super::{line, names, read};
use crate::text::cut;

/// Longest name or version of a module, bytes: `MODULE_NAME_LEN` of Linux is 56 on 64 bit (`include/linux/moduleparam.h`, 6.12).
const NAME_BYTES: usize = 64;
/// Longest checksum of a module's source, bytes; modpost makes 24 digits (`scripts/mod/sumversion.c`).
const SOURCE_BYTES: usize = 32;
/// Letters of taint; there are 19 (`include/linux/panic.h`, 6.12), few of which a module can have.
const TAINT_BYTES: usize = 16;
/// In the names of parameters whose values are secrets, in lower case.
const SECRETS: [&str; 10] = [
    "pass",
    "secret",
    "token",
    "key",
    "credential",
    "psk",
    "chap",
    "auth",
    "user",
    "pwd",
];
/// What stands for a value that is not told.
const NOT_TOLD: &str = "<cmdline>";

/// Most that is read of the kernel's notes, which have some hundred bytes.
const NOTES_BYTES: u64 = 64 << 10;

/// Adds build id, command line, taint, live patches and modules.
pub(super) fn add(root: &Path, host: &mut Host) {
    host.kernel_build_id = build_id(&root.join("sys/kernel/notes")).unwrap_or_default();
    let command_line = read(&root.join("proc/cmdline"));
    cut(command_line.trim(), COMMAND_LINE_BYTES).clone_into(&mut host.command_line);
    host.taint = line(&root.join("proc/sys/kernel/tainted")).parse().ok();
    let patches = root.join("sys/kernel/livepatch");
    host.livepatches = names(&patches)
        .into_iter()
        .filter(|name| line(&patches.join(name).join("enabled")) == "1")
        .map(|name| cut(&name, NAME_BYTES).to_owned())
        .take(LIVEPATCHES)
        .collect();
    host.modules = modules(root);
}

fn build_id(notes: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(notes).ok()?;
    file.take(NOTES_BYTES).read_to_end(&mut bytes).ok()?;
    Some(BuildId::from_notes(&bytes)?.to_string())
}

/// The loaded modules, by name.
fn modules(root: &Path) -> Vec<Module> {
    let loaded = read(&root.join("proc/modules"));
    let mut names: Vec<&str> = loaded
        .lines()
        .filter_map(|line| line.split(' ').next())
        // A name is that of a folder too.
        .filter(|name| !name.is_empty() && !name.contains(['/', '.']))
        .collect();
    names.sort_unstable();
    names.truncate(MODULES);
    let told = |name: &str, what: &str, bytes: usize| {
        cut(&line(&root.join("sys/module").join(name).join(what)), bytes).to_owned()
    };
    names
        .into_iter()
        .map(|name| Module {
            name: cut(name, NAME_BYTES).to_owned(),
            version: told(name, "version", NAME_BYTES),
            source_version: told(name, "srcversion", SOURCE_BYTES),
            taint: told(name, "taint", TAINT_BYTES),
        })
        .collect()
}

/// A command line without what is private: values of parameters whose names speak of secrets, and of those that hold an address with
/// a user in it, are left out; of the rest what `scrubber` takes out of texts. The kernel's own parameters, by which hosts are
/// compared, stay.
pub fn public_command_line(command_line: &str, scrubber: &Scrubber) -> String {
    let words: Vec<String> = command_line.split_whitespace().map(public_word).collect();
    let scrubbed = scrubber.text(&words.join(" "));
    cut(&scrubbed.text, COMMAND_LINE_BYTES).to_owned()
}

fn public_word(word: &str) -> String {
    let Some((name, value)) = word.split_once('=') else {
        return word.to_owned();
    };
    let lower = name.to_lowercase();
    let is_secret = SECRETS.iter().any(|secret| lower.contains(secret)) || value.contains('@');
    if is_secret {
        format!("{name}={NOT_TOLD}")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use faults::scrub::{Action, Policy};

    use super::*;

    #[test]
    fn secrets_of_the_command_line_stay_on_the_host() {
        let scrubber = Scrubber::new(&Policy::all(Action::Replace)).unwrap();
        let line = "BOOT_IMAGE=/vmlinuz-6.1 quiet mitigations=off rd.luks.key=/k:LABEL=x iscsi_password=hunter2 \
                    ip=10.1.2.3::10.1.2.1:255.255.255.0 netroot=iscsi:me:hunter3@10.1.2.9::3260 pcie_aspm=off";
        let public = public_command_line(line, &scrubber);
        for private in ["hunter2", "hunter3", "/k:LABEL", "10.1.2."] {
            assert!(!public.contains(private), "{private} is in {public}");
        }
        for told in [
            "mitigations=off",
            "pcie_aspm=off",
            "quiet",
            "iscsi_password=<cmdline>",
        ] {
            assert!(public.contains(told), "{told} is not in {public}");
        }
        let long = "a=b ".repeat(COMMAND_LINE_BYTES);
        assert!(public_command_line(&long, &scrubber).len() <= COMMAND_LINE_BYTES);
    }

    #[test]
    fn modules_and_live_patches_are_told_with_their_versions() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "proc/modules",
            "nvidia 1 0 - Live 0x0 (OE)\next4 2 1 - Live 0x0\n../x 1 0 - Live 0x0\n",
        );
        put("sys/module/nvidia/version", "550.54.14\n");
        put("sys/module/nvidia/srcversion", "0123456789ABCDEF01234567\n");
        put("sys/module/nvidia/taint", "OE\n");
        put("proc/sys/kernel/tainted", "12288\n");
        // Name and value of 4 bytes each, type 3.
        put(
            "sys/kernel/notes",
            "\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\x5b\x0d\x2f\x7a",
        );
        put("sys/kernel/livepatch/kpatch_1/enabled", "1\n");
        put("sys/kernel/livepatch/kpatch_0/enabled", "0\n");
        let mut host = Host::default();
        add(dir.path(), &mut host);
        assert_eq!(host.kernel_build_id, "5b0d2f7a");
        let names: Vec<&str> = host.modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["ext4", "nvidia"]);
        let nvidia = &host.modules[1];
        assert_eq!(
            (nvidia.version.as_str(), nvidia.taint.as_str()),
            ("550.54.14", "OE")
        );
        assert_eq!(host.taint, Some(12_288));
        assert_eq!(host.livepatches, ["kpatch_1"]);
    }

    #[test]
    fn no_more_modules_are_told_than_fit() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("proc")).unwrap();
        let many: Vec<String> = (0..2 * MODULES)
            .map(|number| format!("m{number} 1 0 - Live 0x0"))
            .collect();
        fs::write(dir.path().join("proc/modules"), many.join("\n")).unwrap();
        assert_eq!(modules(dir.path()).len(), MODULES);
    }
}
