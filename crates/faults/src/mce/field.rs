//! A decoded field of a register.

/// One decoded field of a register, for people to read in order.
///
/// ```
/// let check = faults::mce::MachineCheck { status: 0x8c00_0040_0001_0091, bank: 7, ..Default::default() };
/// let decoded = check.decode();
/// let misc = decoded.fields.iter().find(|field| field.name == "MISCV").unwrap();
/// assert_eq!((misc.register, misc.value.as_str()), ("STATUS", "1"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Field {
    /// The register: `STATUS`, `MISC`, `MCG_STATUS`, ...
    pub register: &'static str,
    /// The field's name in the manuals: `PCC`, `MCACOD`, `ErrCnt`.
    pub name: &'static str,
    /// Its value, as the manuals write it: `1`, `0x0091`.
    pub value: String,
    /// What the value says; empty when there is no more to say.
    pub meaning: String,
}

/// Collects fields in the order in which they are printed.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    pub(super) fn number(
        &mut self,
        register: &'static str,
        name: &'static str,
        value: String,
        meaning: impl Into<String>,
    ) {
        self.0.push(Field {
            register,
            name,
            value,
            meaning: meaning.into(),
        });
    }

    /// A bit, with its meaning when it is set.
    pub(super) fn flag(&mut self, register: &'static str, name: &'static str, set: bool, meaning: &str) {
        let meaning = if set { meaning } else { "" };
        self.number(register, name, u8::from(set).to_string(), meaning);
    }

    pub(super) fn into_vec(self) -> Vec<Field> {
        self.0
    }
}
