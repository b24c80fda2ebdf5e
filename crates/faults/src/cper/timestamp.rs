//! The time in records: N.2.1, "Timestamp".

use super::layout::slice;
use std::fmt;

/// A time as records write it, in no named time zone: firmware's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Full year.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// It is the time of the error, not one near it.
    pub precise: bool,
}

impl Timestamp {
    /// From its eight bytes: seconds, minutes, hours, flag, day, month, year, century, in binary-coded decimal. `None` when
    /// they are no time.
    pub fn of_bcd(bytes: [u8; 8]) -> Option<Self> {
        let [second, minute, hour, flag, day, month, year, century] = bytes;
        let field = |byte: u8, low: u8, high: u8| {
            let (tens, units) = (byte >> 4, byte & 0xf);
            (tens <= 9 && units <= 9)
                .then_some(tens * 10 + units)
                .filter(|value| (low..=high).contains(value))
        };
        Some(Self {
            year: u16::from(field(century, 0, 99)?) * 100 + u16::from(field(year, 0, 99)?),
            month: field(month, 1, 12)?,
            day: field(day, 1, 31)?,
            hour: field(hour, 0, 23)?,
            minute: field(minute, 0, 59)?,
            second: field(second, 0, 59)?,
            precise: flag & 1 != 0,
        })
    }

    pub(super) fn read(bytes: &[u8], at: usize) -> Option<Self> {
        Self::of_bcd(slice(bytes, at, 8)?.try_into().ok()?)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            precise,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )?;
        f.write_str(if *precise { "" } else { " (imprecise)" })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
