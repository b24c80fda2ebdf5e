//! What all decoders of firmware and bus errors answer, as people read it.

use faults::hardware::HardwareError;

use super::Record;
use super::sheet::Sheet;

impl Record {
    pub(crate) fn hardware(error: &HardwareError) -> Self {
        Self::new(error, sheet(error))
    }
}

pub(super) fn sheet(error: &HardwareError) -> Sheet {
    let mut sheet = Sheet::new(error.title.as_str(), error.severity);
    let place = error.place.to_string();
    if !place.is_empty() {
        sheet.row("where", place, "");
    }
    for field in &error.fields {
        let meaning = field.meaning.as_deref().unwrap_or_default();
        sheet.row(field.name.as_str(), field.value.as_str(), meaning);
    }
    error.advice.clone_into(&mut sheet.advice);
    sheet
}
