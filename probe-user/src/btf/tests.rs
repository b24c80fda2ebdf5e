use proptest::prelude::*;

use super::*;

/// Builds type information, as a compiler would.
#[derive(Default)]
struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Builder {
    fn new() -> Self {
        Self {
            strings: vec![0],
            ..Self::default()
        }
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn ty(&mut self, name: &str, kind: u32, count: u32, extent: u32, tail: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, kind << 24 | count, extent].iter().chain(tail) {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    fn structure(&mut self, name: &str, kind: u32, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let mut tail = Vec::new();
        for (name, ty, bits) in members {
            let name = self.string(name);
            tail.extend([name, *ty, *bits]);
        }
        let count = u32::try_from(members.len()).unwrap();
        self.ty(name, kind, count, size, &tail)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let (types, strings) = (length(&self.types), length(&self.strings));
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// `struct outer { int first; struct { int code; union { long both; char name[16]; }; }; int flag : 3; inner_t in; }`
fn sample() -> Vec<u8> {
    let mut b = Builder::new();
    let int = b.ty("int", kind::INT, 0, 4, &[32]);
    let long = b.ty("long", kind::INT, 0, 8, &[64]);
    let char = b.ty("char", kind::INT, 0, 1, &[8]);
    let name = b.ty("", kind::ARRAY, 0, 0, &[char, int, 16]);
    let pointer = b.ty("", kind::PTR, 0, long, &[]);
    let constant = b.ty("", kind::CONST, 0, pointer, &[]);
    let both = b.structure("", kind::UNION, 16, &[("both", long, 0), ("name", name, 0)]);
    let middle = b.structure("", kind::STRUCT, 24, &[("code", int, 0), ("", both, 64)]);
    let inner = b.structure(
        "inner",
        kind::STRUCT,
        16,
        &[("pad", long, 0), ("handler", constant, 64)],
    );
    let alias = b.ty("inner_t", kind::TYPEDEF, 0, inner, &[]);
    b.ty("inner", kind::FUNC, 0, int, &[]);
    let members = [
        ("first", int, 0),
        ("", middle, 64),
        ("flag", int, 3 << 24 | 256),
        ("in", alias, 320),
    ];
    // The top bit of the information says that offsets hold sizes of bit fields.
    let at = b.types.len() + 4;
    b.structure("outer", kind::STRUCT, 64, &members);
    let info = word(&b.types, at).unwrap() | 1 << 31;
    b.types[at..at + 4].copy_from_slice(&info.to_ne_bytes());
    b.bytes()
}

#[test]
fn members_are_found_through_what_has_no_name_and_through_names() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    let member = |path| {
        btf.member("outer", path)
            .map(|member| (member.offset, member.size))
    };
    assert_eq!(member("first"), Some((0, 4)));
    assert_eq!(member("code"), Some((8, 4)));
    assert_eq!(member("both"), Some((16, 8)));
    assert_eq!(member("name"), Some((16, 16)));
    assert_eq!(member("in"), Some((40, 16)));
    assert_eq!(member("in.handler"), Some((48, POINTER_BYTES)));
    for absent in ["flag", "in.nothing", "first.code", "nothing", "", "inner"] {
        assert_eq!(member(absent), None, "{absent}");
    }
    assert_eq!(btf.member("inner_t", "pad"), None);
    assert_eq!(btf.member("inner", "pad"), Some(Member { offset: 0, size: 8 }));
}

#[test]
fn what_is_no_type_information_is_an_error() {
    let whole = sample();
    assert_eq!(Btf::parse(b"").unwrap_err(), BtfError::Header);
    assert_eq!(Btf::parse(&[0; 64]).unwrap_err(), BtfError::Header);
    assert_eq!(
        Btf::parse(&whole[..whole.len() - 1]).unwrap_err(),
        BtfError::Outside("strings")
    );
    let mut unknown = Builder::new();
    unknown.ty("x", 30, 0, 0, &[]);
    assert_eq!(
        Btf::parse(&unknown.bytes()).unwrap_err(),
        BtfError::Kind {
            id: 1,
            at: 0,
            kind: 30
        }
    );
    let mut cut = Builder::new();
    cut.ty("x", kind::STRUCT, 3, 0, &[]);
    assert!(matches!(
        Btf::parse(&cut.bytes()).unwrap_err(),
        BtfError::Cut { id: 1, .. }
    ));
}

#[test]
fn types_that_refer_to_themselves_end() {
    let mut b = Builder::new();
    b.ty("t", kind::TYPEDEF, 0, 1, &[]);
    b.structure("s", kind::STRUCT, 8, &[("a", 1, 0), ("", 2, 0)]);
    let bytes = b.bytes();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.member("s", "a"), None);
    assert_eq!(btf.member("s", "b"), None);
}

#[test]
fn this_kernel_has_the_members_that_its_headers_promise() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        return testing::skip(
            "btf::tests::this_kernel_has_the_members_that_its_headers_promise",
            "this kernel offers no type information",
        );
    };
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(
        btf.member("kernel_siginfo", "si_signo"),
        Some(Member { offset: 0, size: 4 })
    );
    assert_eq!(
        btf.member("task_struct", "comm").map(|member| member.size),
        Some(16)
    );
}

proptest! {
    #[test]
    fn damaged_type_information_never_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(length.index(bytes.len() + 1));
        if let Ok(btf) = Btf::parse(&bytes) {
            for path in ["code", "in.handler", "name"] {
                btf.member("outer", path);
            }
        }
    }
}
