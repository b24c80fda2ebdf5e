//! Manual pages: of a program from the definition of its command line ([`program`]), of the configuration file from its
//! documentation ([`configuration`]). What is installed cannot say anything else than `--help` and `docs/` do.

use roff::{Roff, bold, roman};

pub mod configuration;
pub mod program;

/// What all pages carry in their foot.
const SOURCE: &str = concat!("Telemetrics ", env!("CARGO_PKG_VERSION"));
/// What all pages carry in their head.
const MANUAL: &str = "Telemetrics";

/// The pages that each page names under SEE ALSO, with their sections.
const PAGES: [(&str, u8); 8] = [
    ("telem-record-gen", 1),
    ("telem_journal", 1),
    ("telemctl", 1),
    (configuration::NAME, 5),
    ("telemd", 8),
    ("telemd-crash", 8),
    ("telemd-probes", 8),
    ("telemetrics-backend", 8),
];

/// The section of a program's page: 8 for what the service manager starts, 1 for what people call.
fn section(program: &str) -> u8 {
    PAGES
        .iter()
        .find_map(|(name, section)| (*name == program).then_some(*section))
        .unwrap_or(1)
}

/// `.SH "SEE ALSO"` with all pages but the one named.
fn add_see_also(page: &mut Roff, except: &str) {
    page.control("SH", ["SEE ALSO"]);
    let others: Vec<_> = PAGES.iter().filter(|(name, _)| *name != except).collect();
    for (index, (name, section)) in others.iter().enumerate() {
        let end = if index + 1 == others.len() { "" } else { "," };
        page.text([bold(*name), roman(format!("({section}){end}"))]);
    }
}
