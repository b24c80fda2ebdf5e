//! `backend hardware`: parts of machines at risk, with what speaks for it.

use backend::{analysis::BAD_SCORE, http::part_json};
use clap::Args;
use proto::v1::{Part, PartFilter};

use super::{Opened, Target, printable, say};

/// Parts that are read at once.
const PAGE: u32 = 500;

/// Which parts.
#[derive(Debug, Args)]
pub(crate) struct Hardware {
    /// Of this kind only: dimm, cpu, pcie, cxl or disk.
    #[arg(long, value_name = "KIND", default_value = "")]
    kind: String,
    /// Of the host with this name or agent id only.
    #[arg(long, value_name = "HOST", default_value = "")]
    host: String,
    /// With at least this score, of 0, nothing is the matter, to 100.
    #[arg(long, value_name = "SCORE", default_value_t = BAD_SCORE)]
    min_score: f64,
    /// So many at most, the worst.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    target: Target,
}

/// Runs `backend hardware`.
pub(crate) async fn hardware(options: Hardware) -> anyhow::Result<()> {
    let opened = Opened::open(&options.target).await?;
    let filter = PartFilter {
        kind: options.kind,
        host: options.host,
        min_score: options.min_score,
    };
    let (mut left, mut token) = (options.limit, String::new());
    loop {
        let page = opened.store.list_parts(&filter, left.min(PAGE), &token).await?;
        for part in &page.parts {
            say(&if options.target.json {
                part_json(part).to_string()
            } else {
                text(part)
            })?;
        }
        // Invariant: a page has at most as many parts as it was asked for.
        left = left.saturating_sub(u32::try_from(page.parts.len()).unwrap_or(u32::MAX));
        token = page.next_page_token;
        if left == 0 || token.is_empty() {
            break;
        }
    }
    Ok(())
}

/// A line of what it is, and one for each thing that speaks for its score.
fn text(part: &Part) -> String {
    let made = [&*part.manufacturer, &*part.part_number, &*part.model];
    let made: Vec<&str> = made.into_iter().filter(|word| !word.is_empty()).collect();
    let mut text = format!(
        "{:>3.0}  {}  {} {}  {}",
        part.score,
        printable(&part.hostname),
        part.kind,
        printable(&part.part),
        printable(&made.join(" "))
    );
    for sign in &part.evidence {
        text.push_str("\n       ");
        text.push_str(&printable(&sign.says));
    }
    text
}
