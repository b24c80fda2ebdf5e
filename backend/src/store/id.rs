//! Ids of records: UUIDs of version 7 that carry the moment of storing to the microsecond.
//!
//! | bits | value |
//! | --- | --- |
//! | 48 | milliseconds since the Unix epoch |
//! | 4 | version: 7 |
//! | 12 | the rest of the millisecond, as RFC 9562 method 3 has it: microseconds * 4096 / 1000 |
//! | 2 | variant |
//! | 16 | place in the batch |
//! | 46 | random |
//!
//! So ids of one batch rise in its order, and `received_at`, by which records are partitioned, follows from the id.

use uuid::Uuid;

use super::time::Micros;

const VERSION: u128 = 7;
const VARIANT: u128 = 0b10;
const RANDOM_BITS: u32 = 46;

/// The id of the record at `place` of a batch stored at `received_at`.
pub(super) fn new(received_at: Micros, place: u16, random: u64) -> Uuid {
    // Times before 1970 do not occur: the database's clock made this one.
    let micros = u64::try_from(received_at.0).unwrap_or(0);
    let (millis, rest) = (micros / 1000, micros % 1000);
    let random = u128::from(random) & ((1 << RANDOM_BITS) - 1);
    Uuid::from_u128(
        u128::from(millis) << 80
            | VERSION << 76
            | u128::from(rest * 4096 / 1000) << 64
            | VARIANT << 62
            | u128::from(place) << RANDOM_BITS
            | random,
    )
}

/// When the record was stored. None: the id is none of ours.
pub(super) fn received_at(id: Uuid) -> Option<Micros> {
    let bits = id.as_u128();
    if bits >> 76 & 0xf != VERSION || bits >> 62 & 0b11 != VARIANT {
        return None;
    }
    let millis = i64::try_from(bits >> 80).ok()?;
    let rest = i64::try_from(((bits >> 64 & 0xfff) * 1000).div_ceil(4096)).ok()?;
    Some(Micros(millis.checked_mul(1000)?.checked_add(rest)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_time_of_storing_comes_back(micros in 0i64..(1 << 48), place: u16, random: u64) {
            let id = new(Micros(micros), place, random);
            prop_assert_eq!(received_at(id), Some(Micros(micros)));
            prop_assert_eq!(id.get_version_num(), 7);
        }

        #[test]
        fn ids_rise_with_time_and_place(micros in 0i64..(1 << 48), place in 0u16..u16::MAX, a: u64, b: u64) {
            prop_assert!(new(Micros(micros), place, a) < new(Micros(micros), place + 1, b));
            prop_assert!(new(Micros(micros), u16::MAX, a) < new(Micros(micros + 1), 0, b));
        }

        #[test]
        fn foreign_ids_do_no_harm(bits: u128) {
            let _ = received_at(Uuid::from_u128(bits));
        }
    }
}
