//! Records that the kernel could not decompress.
//!
//! Up to Linux 6.5 the kernel compressed dumps by one of several algorithms (`CONFIG_PSTORE_*_COMPRESS`,
//! `pstore.compress`), since then by raw deflate (`fs/pstore/platform.c`). A kernel that was built or booted with another
//! one shows the bytes as they are. The header, `Panic#1 Part1`, is compressed with the text: what does not begin with one
//! was not understood.

use std::io::Read;

use super::{MAX_FILE_BYTES, parse_header};

/// How a Zstandard frame begins (RFC 8878, 3.1.1), little endian.
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// The bytes of a record before they were compressed, at most 1 MiB. The error says why not, for people.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let unpacked = if bytes.starts_with(&ZSTD) {
        zstd::Decoder::new(bytes).ok().and_then(take)
    } else {
        // With the header of RFC 1950 as some kernels wrote it, or bare.
        take(flate2::read::ZlibDecoder::new(bytes)).or_else(|| take(flate2::read::DeflateDecoder::new(bytes)))
    };
    unpacked.ok_or_else(|| {
        "compressed in a way that is not known here (lzo, lz4 or 842, or damaged): boot the kernel that wrote it to read it"
            .to_owned()
    })
}

/// What comes out, when that is a dump. A stream that breaks off behind some text is worth its beginning.
fn take(packed: impl Read) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let whole = packed.take(MAX_FILE_BYTES).read_to_end(&mut unpacked);
    let is_dump = parse_header(&String::from_utf8_lossy(&unpacked)).is_some();
    (is_dump && (whole.is_ok() || !unpacked.is_empty())).then_some(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    const DUMP: &[u8] = b"Panic#1 Part1\n<0>[    4.3] Kernel panic - not syncing: x\n";

    #[test]
    fn what_deflate_and_zstd_packed_is_unpacked() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(DUMP).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(DUMP).unwrap();
        let zstd = zstd::encode_all(DUMP, 3).unwrap();
        for packed in [zlib.finish().unwrap(), deflate.finish().unwrap(), zstd] {
            assert_eq!(unpack(&packed).as_deref(), Ok(DUMP));
            // Trailing bytes, as backends with blocks leave them.
            let padded = [packed, vec![0; 64]].concat();
            assert_eq!(unpack(&padded).map(|text| text.starts_with(b"Panic#1")), Ok(true));
        }
        let said = unpack(b"\x05\x00lzo").unwrap_err();
        assert!(said.contains("boot the kernel that wrote it"), "{said}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(text) = unpack(&bytes) {
                prop_assert!(text.len() as u64 <= MAX_FILE_BYTES);
            }
            let zstd = [&ZSTD[..], &bytes].concat();
            prop_assert!(unpack(&zstd).is_ok() || unpack(&zstd).is_err());
        }
    }
}
