//! QPI and UPI, the links between sockets.

use super::super::specific::{Bits, Values};

/// SDM 3B, `06_3FH` (QPI, banks 5, 20, 21); the same for `06_4FH`.
pub(in crate::mce::intel) const QPI: Values = &[
    (0x02, "physical layer: drift buffer alarm"),
    (0x03, "physical layer: latency buffer rollover"),
    (0x10, "link layer: control error from R3QPI"),
    (0x11, "CRC error at the receiver, retry gave up"),
    (0x12, "unsupported or undefined packet"),
    (0x13, "link layer: control error"),
    (0x15, "routing table used before it was set up"),
    (0x20, "physical layer: in-band reset, initialisation aborted"),
    (0x21, "link failover: data lanes healed"),
    (0x22, "physical layer: in-band reset, width kept"),
    (0x23, "link failover: clock"),
    (0x30, "CRC error at the receiver, retried after a physical reset"),
    (0x31, "CRC error at the receiver, retried"),
];

/// The code of [`UPI`] to which the bits above it belong.
pub(in crate::mce::intel) const CONTROL_ERROR: u16 = 0x12;

/// SDM 3B, `06_55H` (UPI, banks 5, 12, 19) and `06_6AH`. 0x32 is of `06_6AH` and later.
pub(in crate::mce::intel) const UPI: Values = &[
    (0x00, "physical layer: initialisation failed"),
    (0x01, "physical layer: drift buffer alarm"),
    (0x02, "physical layer: latency buffer rollover"),
    (0x10, "CRC error at the receiver, retry gave up"),
    (0x11, "unsupported or undefined packet"),
    (0x12, "link or physical layer: control error"),
    (0x13, "parameter exchange failed"),
    (0x1f, "link layer: control error from the mesh"),
    (0x20, "physical layer: initialisation aborted"),
    (0x21, "physical layer: in-band reset"),
    (0x22, "lane failure, the link goes on at half width"),
    (0x23, "physical layer: L0c error, corrected without reset"),
    (0x24, "physical layer: L0c error, reset"),
    (0x25, "physical layer: L0p exit error, reset"),
    (0x30, "CRC error at the receiver, retried"),
    (0x31, "CRC error at the receiver, retried after a physical reset"),
    (0x32, "the peer asked for a retry"),
];

/// SDM 3B, `06_55H`: bits 31:22 of the status with [`CONTROL_ERROR`].
pub(in crate::mce::intel) const UPI_CONTROL: Bits = &[
    (6, "physical layer control error"),
    (7, "unexpected retry acknowledgement"),
    (8, "unexpected retry request"),
    (9, "register file parity error"),
    (10, "routeback table error"),
    (11, "unexpected protocol flit at the transmitter"),
    (12, "header or credit FIFO over- or underflow"),
    (13, "link layer still in reset when the physical layer came up"),
    (14, "link layer reset while traffic was under way"),
    (15, "link layer: parity error at the transmitter"),
];

/// `06_ADH` and later, as in the decoder that Intel contributed to mcelog and rasdaemon (`granite`).
pub(in crate::mce::intel) const GRANITE_MORE: Values = &[
    (0x14, "trust domain (TDX) failure"),
    (0x15, "enclave (SGX) failure"),
    (0x16, "parity error of data at the transmitter"),
    (0x17, "parity error of data at the receiver"),
    (0x18, "flit encryption (FLE) failure"),
];
