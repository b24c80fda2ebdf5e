//! An ELF file with debug information, asked about its own functions.

use faults::symbols::{Place, Pointer, SymbolFile, Symbols, SymbolsLimits};

/// Names that the seeds have.
const NAMES: [&str; 4] = ["outer", "starter", "main", "mark"];

pub(crate) fn run(bytes: &[u8]) {
    let Ok(mut file) = SymbolFile::read(bytes) else {
        return;
    };
    for function in NAMES {
        for (offset, size) in [(0, None), (1, None), (0x20, Some(0x40))] {
            let place = Place {
                function,
                offset,
                size,
                pointer: Pointer::Return,
            };
            drop(file.find(&place));
        }
    }
    // Programs, kernels and modules are at these.
    for start in [0_u64, 0x1000, 0x40_0000, 0x10_0000, 0xffff_ffff_8100_0000] {
        for address in (start..start + 0x2000).step_by(0x101) {
            drop(file.frames_at(address));
            file.function_at(address);
            file.address_of_byte(address);
        }
    }
    let mut symbols = Symbols::new(SymbolsLimits {
        files: 1,
        bytes: 1 << 20,
    });
    symbols.add(file);
    let text = "BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
                RIP: 0010:outer+0x5/0x20\nCall Trace:\n starter+0x3/0x10 [module]\n main+0x10/0x20\n";
    if let Some(mut report) = faults::parse(text) {
        let before = faults::fingerprint::of_report(&report);
        symbols.resolve(&mut report);
        assert_eq!(before, faults::fingerprint::of_report(&report));
    }
}
