//! What probes cost the kernel, and whether a flood of events is read without a hole in the books:
//! `cargo bench -p probe-user --bench probes [-- --json] [-- --flood SECONDS]`. Takes root, and an object built by
//! `cargo xtask build-ebpf`.
//!
//! The load is signals that this process sends to itself. The kernel's own statistics say how long each call of a
//! program takes, and what one takes that does nothing; beside it stands what a signal costs in the same run with and
//! without the program.

#![expect(clippy::print_stdout, reason = "a command line program")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::error::Error;

mod bpf;
mod empty;
mod filtered;
mod flood;
mod hindsight;
mod signals;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let seconds = arguments
        .iter()
        .skip_while(|argument| *argument != "--flood")
        .nth(1);
    let seconds = seconds.map_or(Ok(flood::SECONDS), |seconds| seconds.parse())?;
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let filtered = filtered::measure()?;
        let hindsight = hindsight::measure()?;
        let flood = flood::measure(seconds).await?;
        if is_json {
            let figures: Vec<_> = filtered.iter().map(filtered::Filtered::json).collect();
            let signs: Vec<_> = hindsight.iter().map(hindsight::Cost::json).collect();
            println!(
                "{:#}",
                serde_json::json!({ "filtered": figures, "hindsight": signs, "flood": flood.json() })
            );
        } else {
            for figure in &filtered {
                println!("{}", figure.row());
            }
            for cost in &hindsight {
                println!("{}", cost.row());
            }
            println!("{}", flood.rows());
        }
        flood.check()
    })
}
