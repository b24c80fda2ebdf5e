//! `cargo xtask`: the one way in for people and for CI.

mod bench;
mod browser;
mod build_ebpf;
mod demo;
mod dist;
mod dist_lib;
mod fuzz;
mod lint;
mod packages;
mod paths;
mod profile;
mod progress;
mod service;
mod test;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, try and test Telemetrics.
///
/// Everything a command needs beyond Rust is fetched by the command itself: Debian packages by name, unpacked into
/// `~/.cache/telemetrics` where possible and installed with `apt-get` where not.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask test\n  cargo xtask vm --kernel 6.1 oops"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole system on this machine, with real faults on this host and in a QEMU guest
    Demo(demo::Args),
    /// All tests: unit, property, PostgreSQL, this host's kernel, real kernels in QEMU
    Test(test::Args),
    /// Build the eBPF object, target/bpf/probes.bpf.o
    BuildEbpf(build_ebpf::Args),
    /// Measure how fast kernel logs become reports, and records durable and stored, and what probes cost
    Bench(bench::Args),
    /// Packages of Debian and RPM and a container's context, in target/packages
    Dist(dist::Args),
    /// The C library with its header and pkg-config file, below a prefix
    DistLib(dist_lib::Args),
    /// Give what reads foreign bytes inputs that nobody thought of
    Fuzz(fuzz::Args),
    /// Check formatting and lints, warnings denied
    Lint,
    /// Boot a real Debian kernel in QEMU, cause a fault, show what the collector stored
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::BuildEbpf(args) => build_ebpf::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Dist(args) => dist::run(&args),
        Command::DistLib(args) => dist_lib::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Lint => lint::run(),
        Command::Vm(args) => vm::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
