//! Memory controllers, and the mesh stops before them.

use super::super::specific::{Bits, Values};

/// The bit of `MSCOD` that is reserved on `06_4FH`, and a corrected read elsewhere.
pub(in crate::mce::intel) const CORRECTED_READ: u16 = 0x80;

/// SDM 3B, `06_2DH` (banks 8 to 11).
pub(in crate::mce::intel) const SANDY_BRIDGE: Bits = &[
    (0, "address parity error"),
    (1, "home agent: write data parity error"),
    (2, "home agent: byte enable parity error"),
    (3, "corrected by patrol scrub"),
    (4, "not correctable, found by patrol scrub"),
    (5, "corrected while sparing"),
    (6, "not correctable, found while sparing"),
];

/// SDM 3B, `06_3EH` and `06_56H`, beyond [`SANDY_BRIDGE`].
pub(in crate::mce::intel) const IVY_BRIDGE_MORE: Bits =
    &[(7, "corrected read"), (8, "write data buffer parity error")];

/// SDM 3B, `06_3FH` and `06_4FH`, beyond [`IVY_BRIDGE_MORE`].
pub(in crate::mce::intel) const HASWELL_MORE: Bits = &[(9, "DDR4 command or address parity error")];

/// The bit of `MSCOD` with which the other bits are a code of [`SKYLAKE_TRANSACTIONAL`].
pub(in crate::mce::intel) const SKYLAKE_EXTENDED: u16 = 0x800;

/// SDM 3B, `06_55H` (banks 13 to 18).
pub(in crate::mce::intel) const SKYLAKE: Bits = &[
    (0, "address parity error"),
    (1, "home agent: write data parity error"),
    (2, "home agent: byte enable parity error"),
    (3, "corrected by patrol scrub"),
    (4, "not correctable, found by patrol scrub"),
    (5, "corrected while sparing"),
    (6, "not correctable, found while sparing"),
    (7, "error at a read"),
    (8, "write data buffer parity error"),
    (9, "DDR4 command or address parity error"),
    (10, "address parity error, not correctable"),
];

/// SDM 3B, `06_55H`: errors of persistent memory (DDR-T).
pub(in crate::mce::intel) const SKYLAKE_TRANSACTIONAL: Values = &[
    (0x0, "unrecognised request type"),
    (0x1, "read response for no scoreboard entry"),
    (0x2, "unexpected read response"),
    (0x3, "DDR4 completion for no scoreboard entry"),
    (0x4, "DDR-T completion for no scoreboard entry"),
    (0x5, "completion FIFO overflow"),
    (0x6, "correctable parity error"),
    (0x7, "uncorrectable error"),
    (0x8, "interrupt while another was pending"),
    (0x9, "ERID FIFO overflow"),
    (0xa, "error of write credits"),
    (0xb, "error of read credits"),
    (0xc, "scheduler error"),
    (0xd, "the module reports an error event"),
];

/// SDM 3B, `06_55H` (banks 7, 8) and `06_6AH` (banks 12, 16, 20, 24).
pub(in crate::mce::intel) const MESH: Bits = &[
    (0, "data read from memory is bad"),
    (2, "data of a partial write is bad"),
    (3, "data of a full write is bad"),
    (4, "clock crossing FIFO error"),
    (5, "timeout"),
    (6, "tracker parity error"),
    (7, "fatal protocol error (bucket 1)"),
];

/// SDM 3B, `06_6AH` and `06_8FH`: bits 31:24 choose the table of bits 23:16.
pub(in crate::mce::intel) const ICE_LAKE: &[(u16, Values)] = &[
    (0x00, ICE_LAKE_ACCESS),
    (
        0x01,
        &[
            (0x00, "write data buffer parity error"),
            (0x03, "read pending array parity error"),
            (0x06, "DDR-T data byte enable error"),
            (0x07, "DDR-T data error"),
            (0x08, "DDR link failure"),
            (0x11, "partial cache line sparing: CAM error"),
            (0x12, "partial cache line sparing: data error"),
        ],
    ),
    (
        0x02,
        &[
            (0x00, "DDR command or address parity error"),
            (0x20, "HBM command or address parity error"),
            (0x21, "HBM data parity error"),
        ],
    ),
    (0x04, &[(0x00, "read pending queue parity error")]),
    (0x08, ICE_LAKE_INTERNAL),
    (
        0x10,
        &[
            (0x08, "corrected by patrol scrub, second mirror"),
            (0x10, "not correctable, found by patrol scrub, second mirror"),
            (0x20, "corrected while sparing, second mirror"),
            (0x40, "not correctable, found while sparing, second mirror"),
            (0x80, "error at a read, second mirror"),
            (0xa0, "not correctable at a read, second mirror"),
        ],
    ),
];

const ICE_LAKE_ACCESS: Values = &[
    (0x01, "address parity error"),
    (0x02, "data parity error"),
    (0x03, "data ECC error"),
    (0x04, "byte enable parity error"),
    (0x07, "transaction id parity error"),
    (0x08, "corrected by patrol scrub"),
    (0x10, "not correctable, found by patrol scrub"),
    (0x20, "corrected while sparing"),
    (0x40, "not correctable, found while sparing"),
    (0x80, "corrected read"),
    (0xa0, "not correctable at a read"),
    (0xc0, "metadata not correctable"),
];

const ICE_LAKE_INTERNAL: Values = &[
    (0x00, "DDR-T: bad request"),
    (0x01, "DDR data for no entry"),
    (0x02, "DDR data for an entry that expects none"),
    (0x03, "DDR4 completion for no entry"),
    (0x04, "DDR-T completion for no entry"),
    (0x05, "data or completion FIFO overflow"),
    (0x06, "DDR-T: ERID correctable parity error"),
    (0x07, "DDR-T: ERID uncorrectable error"),
    (0x08, "DDR-T: interrupt while another was pending"),
    (0x09, "ERID FIFO overflow"),
    (0x0a, "DDR-T: error of write credits"),
    (0x0b, "DDR-T: error of read credits"),
    (0x0c, "DDR-T: scheduler error"),
    (0x0d, "DDR-T: the module reports an error event"),
    (0x0e, "DDR-T: the module reports a thermal event"),
    (0x0f, "CMI: packet while idle"),
    (0x10, "DDR-T: read request parity error"),
    (0x11, "DDR-T: write request parity error"),
    (0x12, "near memory fill write: CAM error"),
    (0x13, "CMI: credits oversubscribed"),
    (0x14, "CMI: wrong total of credits"),
    (0x15, "CMI: wrong reserved credits"),
    (0x16, "DDR-T: read error"),
    (0x17, "write data buffer FIFO error"),
    (0x18, "CMI: request FIFO overflow"),
    (0x19, "CMI: request FIFO underflow"),
    (0x1a, "CMI: response FIFO overflow"),
    (0x1b, "CMI: response FIFO underflow"),
    (0x1c, "CMI: credit error"),
    (0x1d, "CMI: arbiter error"),
    (0x1e, "DDR-T: write completion FIFO overflow"),
    (0x1f, "DDR-T: write completion FIFO underflow"),
    (0x20, "CMI: read completion FIFO overflow"),
    (0x21, "CMI: read completion FIFO underflow"),
    (0x22, "memory encryption: key parity error"),
    (0x23, "memory encryption: CMI error"),
    (0x24, "memory encryption: CMI overflow"),
    (0x25, "memory encryption: CMI underflow"),
    (0x26, "memory encryption: security error"),
    (0x27, "memory encryption: underfill parity error"),
    (0x29, "internal error"),
    (0x2a, "memory encryption: integrity error"),
    (0x2b, "memory encryption: trust domain error"),
    (0x2c, "memory encryption: underfill security error"),
    (0x2d, "memory encryption: poisoned key"),
    (0x2e, "memory encryption: engine error"),
];

/// `06_ADH` and later, as in the decoder that Intel contributed to mcelog and rasdaemon (`granite`): the bridge to memory.
pub(in crate::mce::intel) const GRANITE_MESH: Values = &[
    (0x01, "data read from memory is bad"),
    (0x02, "fatal protocol error (bucket 1)"),
    (0x03, "tracker parity error"),
    (0x04, "security mismatch"),
    (0x07, "read completion parity error"),
    (0x08, "response parity error"),
    (0x09, "timeout"),
    (0x0a, "address parity error"),
    (0x0c, "CMI: credits oversubscribed"),
    (0x0d, "access control (SAI) mismatch"),
];

/// The same source; bits 31:24 choose the table of bits 23:16.
pub(in crate::mce::intel) const GRANITE: &[(u16, Values)] = &[
    (
        0x00,
        &[
            (0x01, "address parity error"),
            (0x02, "write data parity error, subchannel 0"),
            (0x03, "ECC error, subchannel 0"),
            (0x04, "byte enable parity error, subchannel 0"),
            (0x05, "message authentication parity error, subchannel 0"),
            (0x08, "corrected by patrol scrub"),
            (0x10, "not correctable, found by patrol scrub"),
            (0x20, "corrected while sparing"),
            (0x40, "not correctable, found while sparing"),
            (0x80, "corrected or transient at a read"),
            (0xa0, "not correctable at a read"),
            (0xb0, "poison was read while poison was disabled"),
            (0xc0, "metadata error at a read"),
        ],
    ),
    (
        0x01,
        &[
            (0x00, "write data buffer parity error, subchannel 0"),
            (0x02, "write data buffer ECC error, subchannel 0"),
            (0x04, "write data buffer byte enable parity error, subchannel 0"),
            (0x06, "write data buffer persistent ECC error, subchannel 0"),
            (0x08, "DDR link failure"),
            (0x09, "illegal opcode came in"),
        ],
    ),
    (
        0x02,
        &[(0x00, "DDR command or address parity, or write CRC error")],
    ),
    (0x04, &[(0x00, "scheduler address parity error")]),
    (
        0x08,
        &[(0x32, "internal error"), (0x33, "tracker address parity error")],
    ),
    (
        0x20,
        &[
            (0x02, "write data parity error, subchannel 1"),
            (0x03, "ECC error, subchannel 1"),
            (0x04, "byte enable parity error, subchannel 1"),
            (0x05, "message authentication parity error, subchannel 1"),
        ],
    ),
    (
        0x21,
        &[
            (0x00, "write data buffer parity error, subchannel 1"),
            (0x02, "write data buffer ECC error, subchannel 1"),
            (0x04, "write data buffer byte enable parity error, subchannel 1"),
            (0x06, "write data buffer persistent ECC error, subchannel 1"),
        ],
    ),
];

/// SDM 3B, `06_57H` (banks 7 to 16).
pub(in crate::mce::intel) const KNIGHTS: Bits = &[
    (0, "command or address parity error"),
    (1, "internal parity error"),
    (2, "write data buffer parity error"),
    (3, "corrected by patrol scrub"),
    (4, "not correctable, found by patrol scrub"),
    (5, "corrected while sparing"),
    (6, "not correctable, found while sparing"),
    (7, "a whole chip failed, corrected"),
];
