//! A file with the layout of a ring stands for the kernel.

use std::{collections::VecDeque, fs::File, os::unix::fs::FileExt as _};

use proptest::prelude::*;

use super::*;

fn page() -> usize {
    rustix::param::page_size()
}

/// What writes: the kernel's half.
struct Kernel {
    file: File,
    bytes: usize,
    position: usize,
}

impl Kernel {
    fn new(bytes: usize, position: usize) -> Self {
        let file = tempfile::tempfile().unwrap();
        file.set_len((2 * page() + bytes) as u64).unwrap();
        let kernel = Self {
            file,
            bytes,
            position,
        };
        kernel.put(0, &position.to_ne_bytes());
        kernel.put(page(), &position.to_ne_bytes());
        kernel
    }

    fn put(&self, offset: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset as u64).unwrap();
    }

    fn put_data(&self, position: usize, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate() {
            let offset = position.wrapping_add(at) % self.bytes;
            self.put(2 * page() + offset, &[*byte]);
        }
    }

    fn consumed(&self) -> usize {
        let mut position = [0; size_of::<usize>()];
        self.file.read_exact_at(&mut position, 0).unwrap();
        usize::from_ne_bytes(position)
    }

    /// Reserves, writes and commits; false when there is no room.
    fn write(&mut self, record: &[u8], flags: u32) -> bool {
        let whole = (WORD + record.len()).next_multiple_of(WORD);
        if self.position.wrapping_sub(self.consumed()) + whole > self.bytes {
            return false;
        }
        let header = u32::try_from(record.len()).unwrap() | flags;
        self.put_data(self.position.wrapping_add(WORD), record);
        self.put_data(self.position, &header.to_ne_bytes());
        self.position = self.position.wrapping_add(whole);
        self.put(page(), &self.position.to_ne_bytes());
        true
    }

    fn reader(&self) -> Ring {
        let descriptor = self.file.try_clone().unwrap().into();
        Ring::open(descriptor, u32::try_from(self.bytes).unwrap()).unwrap()
    }
}

#[test]
fn a_record_that_is_being_written_is_waited_for_and_one_given_up_is_stepped_over() {
    let mut kernel = Kernel::new(page(), 0);
    let mut ring = kernel.reader();
    let mut record = vec![9];
    assert!(!ring.next(&mut record).unwrap());
    kernel.write(b"given up", DISCARDED);
    kernel.write(b"first", 0);
    kernel.write(b"second", BUSY);
    assert!(ring.next(&mut record).unwrap());
    assert_eq!(record, b"first");
    assert!(!ring.next(&mut record).unwrap());
    kernel.put_data(32, &6_u32.to_ne_bytes());
    assert!(ring.next(&mut record).unwrap());
    assert_eq!(record, b"second");
    assert_eq!(kernel.consumed(), kernel.position);
}

#[test]
fn a_length_or_position_that_makes_no_sense_is_an_error() {
    let kernel = Kernel::new(page(), 0);
    kernel.put(page(), &16_usize.to_ne_bytes());
    kernel.put_data(0, &100_u32.to_ne_bytes());
    assert!(matches!(
        kernel.reader().next(&mut Vec::new()),
        Err(RingError::Damaged)
    ));
    for produced in [page() + WORD, 4, usize::MAX] {
        kernel.put(page(), &produced.to_ne_bytes());
        assert!(matches!(
            kernel.reader().next(&mut Vec::new()),
            Err(RingError::Damaged)
        ));
    }
    for bytes in [0, 1000, 2048, MAX_BYTES * 2] {
        let descriptor = kernel.file.try_clone().unwrap().into();
        assert!(matches!(Ring::open(descriptor, bytes), Err(RingError::Size(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Positions wrap around the ring, and around the largest number.
    #[test]
    fn what_is_written_is_read_once_and_in_order(
        start in prop_oneof![0..4096_usize, usize::MAX - 4096..usize::MAX],
        steps in proptest::collection::vec(prop_oneof![
            (proptest::collection::vec(any::<u8>(), 0..1500), any::<bool>()).prop_map(Some),
            Just(None),
        ], 0..60),
    ) {
        let mut kernel = Kernel::new(page(), start & !(WORD - 1));
        let mut ring = kernel.reader();
        let mut model = VecDeque::new();
        let mut record = Vec::new();
        for step in steps {
            if let Some((bytes, given_up)) = step {
                if kernel.write(&bytes, if given_up { DISCARDED } else { 0 }) && !given_up {
                    model.push_back(bytes);
                }
            } else {
                let expected = model.pop_front();
                prop_assert_eq!(ring.next(&mut record).unwrap(), expected.is_some());
                if let Some(expected) = expected {
                    prop_assert_eq!(&record, &expected);
                }
            }
        }
        for expected in model {
            prop_assert!(ring.next(&mut record).unwrap());
            prop_assert_eq!(&record, &expected);
        }
        prop_assert!(!ring.next(&mut record).unwrap());
        prop_assert_eq!(kernel.consumed(), kernel.position);
    }

    #[test]
    fn any_memory_ends(
        consumed in any::<usize>(),
        ahead in 0..10_000_usize,
        data in proptest::collection::vec(any::<u8>(), 0..4096),
    ) {
        let kernel = Kernel::new(page(), consumed & !(WORD - 1));
        kernel.put(page(), &(consumed & !(WORD - 1)).wrapping_add(ahead).to_ne_bytes());
        kernel.put_data(0, &data);
        let mut ring = kernel.reader();
        let mut record = Vec::new();
        let mut read = 0;
        while let Ok(true) = ring.next(&mut record) {
            prop_assert!(record.len() <= page());
            read += 1;
        }
        prop_assert!(read <= page() / WORD);
    }
}
