use super::*;

const EPOCH: [u8; 16] = *b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn seed() -> Seed {
    Seed::of_epoch(EPOCH)
}

fn frame(seq: u64, record: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(seed(), seq, 0x0102, FrameKind::Kept, record, &mut out);
    out
}

#[test]
fn the_bytes_of_version_2_do_not_change() {
    let identity = Header {
        epoch: EPOCH,
        first_seq: 0,
    };
    assert_eq!(
        hex(&identity.encode(Kind::Identity)),
        "544c4d53504c494402000000b56ed2a2303132333435363738396162636465660000000000000000"
    );
    let segment = Header {
        epoch: EPOCH,
        first_seq: 0x0102_0304,
    };
    assert_eq!(
        hex(&segment.encode(Kind::Segment)),
        "544c4d53504c5347020000004a91231d303132333435363738396162636465660403020100000000"
    );
    assert_eq!(
        hex(&frame(7, b"record")),
        "06000000e0d694e10700000000000000020100000100000082df74147265636f7264"
    );
    let mark = Mark {
        durable: 3,
        acknowledged: 2,
        evicted: 1,
        clock_s: 4,
    };
    assert_eq!(
        hex(&mark.encode(seed(), 9)),
        "544c4d53504c4d4b3cd25bac0000000009000000000000000300000000000000020000000000000001000000000000000400000000000000"
    );
}

#[test]
fn what_is_encoded_is_decoded() {
    let header = Header {
        epoch: EPOCH,
        first_seq: 42,
    };
    assert_eq!(
        Header::decode(Kind::Segment, &header.encode(Kind::Segment)),
        Ok(header)
    );
    assert_eq!(
        Header::decode(Kind::Identity, &header.encode(Kind::Segment)),
        Err(HeaderError::Damaged)
    );
    let mark = Mark {
        durable: 3,
        acknowledged: 2,
        evicted: 1,
        clock_s: 4,
    };
    assert_eq!(Mark::decode(&mark.encode(seed(), 9), seed()), Some((9, mark)));
    for kind in [
        FrameKind::Record,
        FrameKind::Kept,
        FrameKind::Evicted,
        FrameKind::Expired,
    ] {
        let header = FrameHeader {
            length: 6,
            payload_crc: 5,
            seq: 7,
            at_s: 8,
            kind,
        };
        assert_eq!(FrameHeader::decode(&header.encode(seed()), seed()), Some(header));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let flipped = |bytes: &[u8], accepted: &dyn Fn(&[u8]) -> bool| {
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepted(&bytes), "bit {bit}");
        }
    };
    let header = Header {
        epoch: EPOCH,
        first_seq: 42,
    }
    .encode(Kind::Segment);
    flipped(&header, &|bytes| Header::decode(Kind::Segment, bytes).is_ok());
    let header = frame(7, b"");
    flipped(&header, &|bytes| FrameHeader::decode(bytes, seed()).is_some());
    // Bytes 12 to 16 of a mark are not used.
    let mark = Mark {
        durable: 3,
        acknowledged: 2,
        evicted: 1,
        clock_s: 4,
    }
    .encode(seed(), 9);
    flipped(&mark[..12], &|bytes| {
        Mark::decode(&[bytes, &mark[12..]].concat(), seed()).is_some()
    });
    flipped(&mark[16..], &|bytes| {
        Mark::decode(&[&mark[..16], bytes].concat(), seed()).is_some()
    });
}

#[test]
fn zeros_are_no_frame_and_frames_of_another_epoch_are_none() {
    assert_eq!(FrameHeader::decode(&[0; FRAME_HEADER_BYTES], seed()), None);
    assert_eq!(
        FrameHeader::decode(&frame(7, b"record"), Seed::of_epoch([1; 16])),
        None
    );
}

#[test]
fn a_whole_header_of_another_version_is_told_from_a_damaged_one() {
    let mut bytes = Header {
        epoch: EPOCH,
        first_seq: 0,
    }
    .encode(Kind::Identity);
    bytes[8] = 3;
    assert_eq!(Header::decode(Kind::Identity, &bytes), Err(HeaderError::Damaged));
    let crc = Header::crc(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(
        Header::decode(Kind::Identity, &bytes),
        Err(HeaderError::Version(3))
    );
}
