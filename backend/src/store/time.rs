//! Moments as PostgreSQL keeps them.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use bytes::{BufMut as _, BytesMut};
use jiff::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// 2000-01-01, PostgreSQL's epoch, in microseconds of the Unix epoch.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;

/// Microseconds since the Unix epoch: a `timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Micros(pub(super) i64);

impl Micros {
    /// Nanoseconds since the Unix epoch; times before it, and PostgreSQL's infinities, become zero.
    pub(super) fn unix_ns(self) -> u64 {
        u64::try_from(self.0)
            .ok()
            .and_then(|micros| micros.checked_mul(1000))
            .unwrap_or(0)
    }

    /// From nanoseconds since the Unix epoch. Zero: not known.
    pub(super) fn from_unix_ns(ns: u64) -> Option<Self> {
        let micros = i64::try_from(ns / 1000).unwrap_or(i64::MAX);
        (ns != 0).then_some(Self(micros))
    }

    /// Earlier by `span`.
    pub(super) fn earlier(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The start of its hour, UTC.
    pub(super) fn hour(self) -> Self {
        const HOUR: i64 = 3_600_000_000;
        Self(self.0 - self.0.rem_euclid(HOUR))
    }

    /// The start of its day, UTC.
    pub(super) fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY))
    }

    /// So many days (UTC) from its own on, as they are written: 2026-01-08.
    pub(super) fn dates(self, days: usize) -> impl Iterator<Item = String> {
        let moments = (0..).map(move |day| self.0.saturating_add(DAY.saturating_mul(day)));
        let date = |micros| {
            Timestamp::from_microsecond(micros)
                .unwrap_or_default()
                .strftime("%Y-%m-%d")
        };
        moments.take(days).map(move |micros| date(micros).to_string())
    }

    /// As std's type.
    pub(super) fn system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    /// The eight bytes of PostgreSQL's binary format.
    pub(super) fn postgres(self) -> i64 {
        self.0.saturating_sub(POSTGRES_EPOCH)
    }
}

/// SQL for a column as `2026-01-08T10:20:30Z`.
pub(super) fn iso(column: &str) -> String {
    format!(r#"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#)
}

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.postgres());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let bytes: [u8; 8] = raw.try_into()?;
        Ok(Self(i64::from_be_bytes(bytes).saturating_add(POSTGRES_EPOCH)))
    }

    accepts!(TIMESTAMPTZ);
}
