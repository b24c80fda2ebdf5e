//! Shows what this kernel offers and every event as it comes: `cargo run -p probe-user --example watch [OBJECT]`, as
//! root. Without an object file the one built into this crate is taken.

#![expect(clippy::print_stdout, reason = "the output is the point")]

use std::path::PathBuf;

use probe_user::{Options, Probes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let object = std::env::args_os().nth(1).map(PathBuf::from);
    let mut probes = Probes::attach(&Options {
        object,
        ..Options::default()
    })?;
    for state in probes.states() {
        let attach = state.attach.map_or("not attached", probe_user::Attach::as_str);
        println!("{:16} {attach:12} {}", state.hook, state.reason);
    }
    let mut reader = probes.reader()?;
    let mut events = Vec::new();
    loop {
        reader.next(&mut events).await?;
        for event in events.drain(..) {
            println!("{event:?}");
        }
    }
}
