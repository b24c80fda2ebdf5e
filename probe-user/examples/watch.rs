//! Shows what this kernel offers and every event as it comes: `cargo run -p probe-user --example watch`, as root.

#![expect(clippy::print_stdout, reason = "the output is the point")]

use probe_user::{Options, Probes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut probes = Probes::attach(&Options::default())?;
    for state in probes.states() {
        let attach = state.attach.map_or("not attached", probe_user::Attach::as_str);
        println!("{:16} {attach:12} {}", state.hook, state.reason);
    }
    let mut events = Vec::new();
    loop {
        probes.next(&mut events).await?;
        for event in events.drain(..) {
            println!("{event:?}");
        }
    }
}
