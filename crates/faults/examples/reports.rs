//! Prints the reports of a log: `cargo run -p faults --example reports -- FILE`.

#![expect(clippy::print_stdout, reason = "a command line program")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: reports FILE")?;
    let bytes = std::fs::read(file)?;
    for found in faults::reports(&bytes) {
        println!("{:#?}\n{}", found.report, found.text);
    }
    Ok(())
}
