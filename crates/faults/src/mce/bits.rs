//! Fields of registers, by their lowest and highest bit as the manuals give them.

/// The field from bit `low` to bit `high`, both included.
pub(super) const fn field(register: u64, low: u8, high: u8) -> u64 {
    let width = high.saturating_sub(low).saturating_add(1);
    let mask = if width < 64 { (1 << width) - 1 } else { u64::MAX };
    register.wrapping_shr(low as u32) & mask
}

/// A field of at most 8 bits.
pub(super) const fn byte(register: u64, low: u8, high: u8) -> u8 {
    let [byte, ..] = field(register, low, high).to_le_bytes();
    byte
}

/// A field of at most 16 bits.
pub(super) const fn half(register: u64, low: u8, high: u8) -> u16 {
    let [first, second, ..] = field(register, low, high).to_le_bytes();
    u16::from_le_bytes([first, second])
}

/// A field of at most 32 bits.
pub(super) const fn word(register: u64, low: u8, high: u8) -> u32 {
    let [a, b, c, d, ..] = field(register, low, high).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
