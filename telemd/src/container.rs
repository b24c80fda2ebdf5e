//! Which container a cgroup is of, told by its path.
//!
//! Runtimes name the cgroups that they make; the names are theirs alone, so this is a list of what they do:
//!
//! | who | cgroup |
//! |---|---|
//! | Docker | `/docker/ID`, `/system.slice/docker-ID.scope` |
//! | containerd under Kubernetes | `…/cri-containerd-ID.scope`, `…/podUID/ID`, `…:cri-containerd:ID` |
//! | CRI-O | `…/crio-ID.scope`, `…/podUID/crio-ID` |
//! | Podman | `…/libpod-ID.scope`, `…/libpod-ID`, both often with `/container` below |
//! | nerdctl | `/system.slice/nerdctl-ID.scope`, `/default/ID` |
//! | LXC | `/lxc/NAME`, `/lxc.payload/NAME`, `/lxc.payload.NAME` |
//! | systemd-nspawn | `/machine.slice/machine-NAME.scope`, `/machine.slice/systemd-nspawn@NAME.service` |
//!
//! ID is 64 lower-case hexadecimal digits. The innermost container counts: it is the one that the task sees itself in.

/// Hexadecimal digits of a container's id.
const ID_DIGITS: usize = 64;
/// Longest name of a container, bytes: `HOST_NAME_MAX` of Linux, which LXC and systemd-nspawn keep to.
const NAME_BYTES: usize = 64;
/// Machines of libvirt are in the same slice and are no containers: `machine-qemu\x2d1\x2dname.scope`.
const VIRTUAL_MACHINES: &str = "qemu-";

/// The id of the container, or its name where it has no id; `None` when the cgroup is of none that is known.
pub fn id(path: &str) -> Option<String> {
    let components: Vec<&str> = path
        .split('/')
        .filter(|component| !component.is_empty())
        .collect();
    (0..components.len()).rev().find_map(|index| {
        let component = components.get(index)?;
        let parent = index
            .checked_sub(1)
            .and_then(|parent| components.get(parent))
            .copied();
        with_id(component)
            .map(str::to_owned)
            .or_else(|| with_name(component, parent))
    })
}

/// `ID`, `docker-ID.scope`, `kubepods-pod1.slice:cri-containerd:ID`.
fn with_id(component: &str) -> Option<&str> {
    let unit = component.strip_suffix(".scope").unwrap_or(component);
    let (runtime, id) = unit.rsplit_once(['-', ':']).unwrap_or(("", unit));
    let is_id = id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // `conmon` of Podman and CRI-O watches a container from outside.
    (is_id && !runtime.ends_with("conmon")).then_some(id)
}

fn with_name(component: &str, parent: Option<&str>) -> Option<String> {
    if let Some(name) = component.strip_prefix("lxc.payload.") {
        return named(name);
    }
    match parent? {
        "lxc" | "lxc.payload" => named(component),
        "machine.slice" => {
            let machine = component
                .strip_prefix("machine-")
                .and_then(|unit| unit.strip_suffix(".scope"));
            let nspawn = || {
                component
                    .strip_prefix("systemd-nspawn@")?
                    .strip_suffix(".service")
            };
            let name = unescaped(machine.or_else(nspawn)?)?;
            named(&name).filter(|name| !name.starts_with(VIRTUAL_MACHINES))
        }
        _ => None,
    }
}

fn named(name: &str) -> Option<String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(known);
    is_name.then(|| name.to_owned())
}

/// Undoes `systemd-escape`, which writes `-` as `\x2d`.
fn unescaped(unit: &str) -> Option<String> {
    let mut parts = unit.split("\\x");
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        name.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "3f4b0c1de9a27a6b0c8d4f5e6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7";

    fn of(path: &str) -> Option<String> {
        id(&path.replace("ID", ID))
    }

    #[test]
    fn each_runtime_is_known_by_its_cgroups() {
        for path in [
            "/docker/ID",
            "/system.slice/docker-ID.scope",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_34.slice/cri-containerd-ID.scope",
            "/kubepods/burstable/pod12-34/ID",
            "/system.slice/containerd.service/kubepods-besteffort-pod12.slice:cri-containerd:ID",
            "/kubepods.slice/kubepods-pod12.slice/crio-ID.scope",
            "/kubepods/pod12/crio-ID",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "/libpod_parent/libpod-ID",
            "/system.slice/nerdctl-ID.scope",
            "/default/ID",
            "/docker/ID/system.slice/app.service",
        ] {
            assert_eq!(of(path).as_deref(), Some(ID), "{path}");
        }
        for (path, name) in [
            ("/lxc/web", "web"),
            ("/lxc/web/system.slice/app.service", "web"),
            ("/lxc.payload/web", "web"),
            ("/lxc.payload.web-1/init.scope", "web-1"),
            (r"/machine.slice/machine-web\x2d1.scope", "web-1"),
            ("/machine.slice/systemd-nspawn@web.service/payload", "web"),
        ] {
            assert_eq!(of(path).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn the_innermost_container_counts() {
        let inner = ID.replace('3', "4");
        assert_eq!(of(&format!("/kubepods/pod1/ID/docker/{inner}")), Some(inner));
    }

    #[test]
    fn what_is_no_container_has_no_id() {
        for path in [
            "",
            "/",
            "/system.slice/app.service",
            "/init.scope",
            "/user.slice/user-1000.slice/session-2.scope",
            "/system.slice/docker.service",
            "/machine.slice/libpod-conmon-ID.scope",
            "/crio-conmon-ID.scope",
            "/lxc",
            "/lxc.monitor.web",
            "/lxc.payload.",
            r"/machine.slice/machine-qemu\x2d1\x2dvm.scope",
            r"/machine.slice/machine-web\x2.scope",
            r"/machine.slice/machine-web\xzz.scope",
            "/docker/3f4b0c1de9a2",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(id(&format!("/docker/{}", ID.to_uppercase())), None);
    }

    proptest! {
        #[test]
        fn any_path_is_read_without_a_panic_and_ids_are_within_their_limit(
            path in r"(/(lxc|machine\.slice|machine-[a-zé\\x2d]{0,80}\.scope|lxc\.payload\.\PC{0,80}|\PC{0,80})){0,5}",
        ) {
            if let Some(id) = id(&path) {
                prop_assert!(!id.is_empty() && id.len() <= NAME_BYTES.max(ID_DIGITS));
            }
        }
    }
}
