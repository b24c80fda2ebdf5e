//! The kernel's type information.

use probe_user::btf::Btf;

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(btf) = Btf::parse(bytes) {
        for path in ["a", "a.b", "sa.sa_handler"] {
            let _absent = btf.member("s", path);
        }
    }
}
