//! Prints the reports of a log: `cargo run -p faults --example reports -- FILE`.

#![expect(clippy::print_stdout, reason = "a command line program")]

use faults::{Assembler, Limits, log, parse};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: reports FILE")?;
    let bytes = std::fs::read(file)?;
    let mut assembler = Assembler::new(Limits::default());
    let mut reports = Vec::new();
    for line in log::lines(&bytes) {
        assembler.push(line.as_line(), &mut reports);
    }
    assembler.flush(&mut reports);
    for report in &reports {
        println!("{:#?}\n{}", parse(&report.text), report.text);
    }
    Ok(())
}
