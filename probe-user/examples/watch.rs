//! Shows what this kernel offers and every event as it comes: `cargo run -p probe-user --example watch [OBJECT]`, as
//! root. Without an object file the one built into this crate is taken.

#![expect(clippy::print_stdout, reason = "the output is the point")]

use std::{path::PathBuf, time::Duration};

use probe_user::{Options, Probes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let object = std::env::args_os().nth(1).map(PathBuf::from);
    let mut probes = Probes::attach(&Options {
        object,
        ..Options::default()
    })?;
    show(&mut probes);
    let mut reader = probes.reader()?;
    let mut events = Vec::new();
    let mut modules = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            read = reader.next(&mut events) => read?,
            _ = modules.tick() => if probes.attach_missing() {
                reader.set_origins(probes.origins());
                show(&mut probes);
            },
        }
        for event in events.drain(..) {
            println!("{event:?}");
        }
    }
}

fn show(probes: &mut Probes) {
    for state in probes.states() {
        let attach = state.attach.map_or("not attached", probe_user::Attach::as_str);
        println!("{:32} {attach:12} {}", state.hook, state.reason);
    }
}
