//! The kernel's type information.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_user::btf::Btf;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(btf) = Btf::parse(bytes) {
        for path in ["a", "a.b", "sa.sa_handler"] {
            let _absent = btf.member("s", path);
        }
    }
});
