//! Machine checks in bytes: the kernel's `struct mce`, and the registers that firmware saves.

use super::MachineCheck;

/// The part of `struct mce` that every kernel has had: up to `cs`, `bank`, `cpu` and `finished`.
const SHORTEST: usize = 68;
/// The start of the buffer that `/dev/mcelog` kept and crash dumps hold (`struct mce_log_buffer`).
const SIGNATURE: &[u8] = b"MACHINECHECK";
/// Its bytes before the first record.
const BUFFER_HEAD: usize = 32;
/// The most records that are read from one buffer; kernels had room for 32, then for one a CPU.
pub const RECORDS_MAX: usize = 8192;

/// The bytes are no machine checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer bytes than the oldest kernel's record has.
    #[error("{length} bytes are too few for a machine check, which has at least {SHORTEST}")]
    TooShort {
        /// How many there are.
        length: usize,
    },
    /// The buffer says that its records have a length that none can have.
    #[error("a buffer of machine checks with records of {length} bytes")]
    RecordLength {
        /// The length.
        length: u32,
    },
    /// The register array does not begin with the status of a bank.
    #[error("{msr:#010x} is no MCA_STATUS register")]
    NoStatus {
        /// The first register's number.
        msr: u32,
    },
}

impl MachineCheck {
    /// Reads one `struct mce` (`arch/x86/include/uapi/asm/mce.h`), as `mce-erst` pstore files and ERST records hold it.
    ///
    /// Little endian. Linux 7.2 has 128 bytes; kernels before had fewer fields at the end, which are 0 here, and fields
    /// beyond are ignored.
    ///
    /// ```
    /// let mut bytes = [0; 128];
    /// bytes[..8].copy_from_slice(&0x8c00_0040_0001_0091_u64.to_le_bytes());
    /// bytes[65] = 7;
    /// let check = faults::mce::MachineCheck::from_record(&bytes).unwrap();
    /// assert_eq!(check.bank, 7);
    /// assert_eq!(check.decode().what, "memory controller read error, channel 1");
    /// ```
    pub fn from_record(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() < SHORTEST {
            return Err(RecordError::TooShort { length: bytes.len() });
        }
        let record = Record(bytes);
        Ok(Self {
            status: record.u64(0),
            misc: record.u64(8),
            addr: record.u64(16),
            mcg_status: record.u64(24),
            ip: record.u64(32),
            tsc: record.u64(40),
            time: record.u64(48),
            vendor: record.u8(56),
            cpuid: record.u32(60),
            bank: record.u8(65),
            // The 8 bits before are what kernels had before there were 256 CPUs.
            cpu: if bytes.len() < 72 {
                record.u8(66).into()
            } else {
                record.u32(68)
            },
            socket_id: record.u32(72),
            apic_id: record.u32(76),
            mcg_cap: record.u64(80),
            synd: record.u64(88),
            ipid: record.u64(96),
            ppin: record.u64(104),
            microcode: record.u32(112),
            ..Self::default()
        })
    }

    /// Reads the registers of a bank that firmware saved, from `MCA_STATUS` on, as the context of a CPER x86 section holds
    /// them (UEFI 2.10, N.2.4.2.2). `msr` is the number of the first register; the order is Linux 7.2's
    /// `apei_smca_report_x86_error`.
    ///
    /// ```
    /// use faults::mce::MachineCheck;
    ///
    /// let registers = [0x9c20_4000_0000_011b, 0x1000, 0, 0, 0x0000_0096_0025_0f00, 0];
    /// let check = MachineCheck::from_registers(0xc000_2151, &registers).unwrap();
    /// assert_eq!((check.bank, check.vendor), (21, 2));
    /// ```
    pub fn from_registers(msr: u32, registers: &[u64]) -> Result<Self, RecordError> {
        const STATUS: u32 = 0xc000_2001;
        const AMD: u8 = 2;
        let [_, bank, ..] = (msr << 4).to_le_bytes();
        if msr & !0xff0 != STATUS {
            return Err(RecordError::NoStatus { msr });
        }
        let register = |index: usize| registers.get(index).copied().unwrap_or_default();
        Ok(Self {
            status: register(0),
            addr: register(1),
            misc: register(2),
            config: register(3),
            ipid: register(4),
            synd: register(5),
            synd1: register(13),
            synd2: register(14),
            vendor: AMD,
            bank,
            ..Self::default()
        })
    }
}

/// Reads what `/dev/mcelog` kept, or one record: a buffer is told by its signature. At most [`RECORDS_MAX`].
pub fn read_records(bytes: &[u8]) -> Result<Vec<MachineCheck>, RecordError> {
    if !bytes.starts_with(SIGNATURE) {
        return Ok(vec![MachineCheck::from_record(bytes)?]);
    }
    let head = Record(bytes);
    let length = head.u32(24);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(SHORTEST..=4096).contains(&size) {
        return Err(RecordError::RecordLength { length });
    }
    let records = bytes
        .get(BUFFER_HEAD..)
        .unwrap_or_default()
        .chunks_exact(size)
        .take(RECORDS_MAX);
    // Entries that were never filled in are all 0.
    let filled = records.filter(|record| record.iter().any(|byte| *byte != 0));
    filled.map(MachineCheck::from_record).collect()
}

/// Bytes that are 0 where there are none.
#[derive(Clone, Copy)]
struct Record<'b>(&'b [u8]);

impl Record<'_> {
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        self.0
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }

    fn u8(self, at: usize) -> u8 {
        u8::from_le_bytes(self.array(at))
    }

    fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
}
