//! `telemctl netconsole`: the kernel's last words, sent to the collector.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{fs, thread};

use clap::{Args, Subcommand};
use telemd::cli;
use telemd::config::Config;
use telemd::config::collector::Server;
use telemd::identity::{StateError, known_agent_id};
use telemd::netconsole::route::{is_mac, neighbour, route};
use telemd::netconsole::target::{Goal, NAME, State, Step, StepError, TARGETS, VALUE};
use telemd::netconsole::{loses_last_words, token};
use telemd::ship;
use telemd::text::chain;

/// The port that netconsole has sent to since it exists (`drivers/net/netconsole.c`).
const PORT: u16 = 6666;
/// How often the next hop's address is looked for, and the pause between: two seconds, as long as the kernel asks.
const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(100);
/// Nobody listens there (RFC 863), and what is sent makes the kernel ask who the next hop is.
const DISCARD: u16 = 9;

/// Send the kernel's last words to the collector.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  telemctl netconsole setup --dry-run\n  telemctl netconsole setup --to 192.0.2.7:6666\n  \
                  telemctl netconsole status\n\n\
                  It holds until the next boot. The collector has to listen: backend serve --netconsole 0.0.0.0:6666"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a target that sends to the collector, with a token by which it knows this boot.
    Setup(Setup),
    /// Whether kernel messages are sent, and where.
    Status,
    /// Remove the target.
    Remove,
}

#[derive(Debug, Args)]
struct Setup {
    /// Where lines go [default: the collector's host, port 6666].
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
    /// The network device [default: that of the route].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// The next hop's address on the wire [default: it is asked for].
    #[arg(long, value_name = "MAC")]
    mac: Option<String>,
    /// Print what would be done and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Why it did not work, and what to do.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot find {0}: give an address with --to")]
    Resolve(String, #[source] io::Error),
    #[error("collector.url has no host: give an address with --to")]
    NoHost,
    #[error("there is no way to {0} from here: see `ip route get {0}`")]
    NoRoute(IpAddr, #[source] io::Error),
    #[error("the route to {0} is not known: give --device and --mac, of the next hop")]
    NoDevice(IpAddr),
    #[error("{0} is on this machine: a kernel that dies cannot send to itself")]
    Loopback(IpAddr),
    #[error(
        "{next_hop} does not answer on {device}: is it up? If so, give its address on the wire with --mac"
    )]
    NoNeighbour { next_hop: Ipv4Addr, device: String },
    #[error("{0} is no address on the wire: write it like 52:54:00:12:34:56")]
    Mac(String),
    #[error(
        "this kernel has no netconsole: `modprobe netconsole` does not work here, or configfs is not mounted"
    )]
    NoNetconsole,
    #[error("cannot use {}: run this as root", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("cannot enable the target: does the driver of {0} support netpoll? The kernel's log says why")]
    Enable(String, #[source] StepError),
    #[error("cannot read the agent's id: run this as root")]
    Agent(#[from] StateError),
    #[error("telemd has not run here yet, so there is no id to tell this host by: start it and try again")]
    NoAgent,
    #[error("cannot tell the token in the kernel's log")]
    Announce(#[source] io::Error),
}

pub(crate) fn netconsole(config: &Config, options: &Options) -> ExitCode {
    let done = match &options.action {
        Action::Setup(wanted) => setup(config, wanted),
        Action::Status => status(config),
        Action::Remove => remove(),
    };
    match done {
        Ok(said) => {
            cli::say(&said);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            cli::complain(&format!("telemctl: {}", chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn setup(config: &Config, wanted: &Setup) -> Result<String, Failure> {
    let remote = remote(config, wanted)?;
    let (local_ip, device, mac) = way(remote, wanted)?;
    let folder = Path::new(TARGETS).join(NAME);
    let goal = Goal {
        remote,
        local_ip,
        device,
        mac,
        token: our_token(config)?.ok_or(Failure::NoAgent)?,
    };
    if wanted.dry_run {
        return Ok(dry_run(&goal, &folder));
    }
    load()?;
    if read(&folder)?.is_none() {
        fs::create_dir(&folder).map_err(|error| Failure::Folder(folder.clone(), error))?;
    }
    let state = read(&folder)?.unwrap_or_default();
    let steps = state.steps(&goal);
    for step in &steps {
        step.run(&folder).map_err(|error| match step {
            Step::Write("enabled", value) if value == "1" => Failure::Enable(goal.device.clone(), error),
            _ => error.into(),
        })?;
    }
    if !state.has_user_data {
        announce(&goal.token)?;
    }
    let already = if steps.is_empty() { "already " } else { "" };
    Ok(format!(
        "kernel messages are {already}sent to {remote} from {} by {}{}",
        goal.local_ip,
        goal.device,
        advice()
    ))
}

fn dry_run(goal: &Goal, folder: &Path) -> String {
    let known = State::read(folder).ok().flatten();
    let mut lines = Vec::new();
    if known.is_none() {
        lines.push("modprobe netconsole".to_owned());
        lines.push(format!("mkdir {}", folder.display()));
    }
    let state = known.unwrap_or_else(State::fresh);
    lines.extend(state.steps(goal).iter().map(|step| step.shown(folder)));
    if !state.has_user_data {
        lines.push(format!("echo '{}' > /dev/kmsg", announcement(&goal.token)));
    }
    lines.join("\n")
}

fn status(config: &Config) -> Result<String, Failure> {
    let folder = Path::new(TARGETS).join(NAME);
    let Some(state) = read(&folder)? else {
        return Ok(
            "not set up: `telemctl netconsole setup` sends the kernel's last words to the collector"
                .to_owned(),
        );
    };
    let value = |file: &str| state.files.get(file).map_or("?", String::as_str);
    let in_lines = state.files.get(VALUE);
    let told = match our_token(config)? {
        None => "telemd has not run here yet: nobody knows whose lines these are",
        Some(_) if !state.has_user_data => {
            "this boot's token was told in the kernel's log: this kernel has no user data (Linux 6.9)"
        }
        Some(ours) if in_lines == Some(&ours) => "each line has this boot's token",
        Some(_) => "the token is not this boot's: run `telemctl netconsole setup` again",
    };
    Ok(format!(
        "{}: to {}:{} by {} ({})\n{told}{}",
        if state.is_enabled() {
            "sending"
        } else {
            "not enabled"
        },
        value("remote_ip"),
        value("remote_port"),
        value("dev_name"),
        value("remote_mac"),
        advice(),
    ))
}

/// What to change so that the end of a panic is sent too; empty where nothing has to be.
fn advice() -> &'static str {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    if loses_last_words(&read("/proc/consoles"), &read("/proc/sys/kernel/panic")) {
        "\nthis kernel does not send the end of a panic before it reboots: set kernel.panic = 0, and have a watchdog \
         restart the machine"
    } else {
        ""
    }
}

fn remove() -> Result<String, Failure> {
    let folder = Path::new(TARGETS).join(NAME);
    let Some(state) = read(&folder)? else {
        return Ok("there is nothing to remove".to_owned());
    };
    for step in state.removal() {
        step.run(&folder)?;
    }
    Ok("removed: kernel messages are not sent any more".to_owned())
}

/// The token of this boot; `None` before the agent has an id.
fn our_token(config: &Config) -> Result<Option<String>, Failure> {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(known_agent_id(&config.state_dir)?.map(|id| token(id, boot_id.trim())))
}

fn read(folder: &Path) -> Result<Option<State>, Failure> {
    State::read(folder).map_err(|error| Failure::Folder(folder.to_owned(), error))
}

/// Where lines go.
fn remote(config: &Config, wanted: &Setup) -> Result<SocketAddr, Failure> {
    let to = match &wanted.to {
        Some(to) => to.clone(),
        None => format!("{}:{PORT}", collector_host(config).ok_or(Failure::NoHost)?),
    };
    let mut found = to
        .to_socket_addrs()
        .map_err(|error| Failure::Resolve(to.clone(), error))?;
    let none = || Failure::Resolve(to.clone(), io::ErrorKind::NotFound.into());
    let remote = found.next().ok_or_else(none)?;
    if remote.ip().is_loopback() {
        return Err(Failure::Loopback(remote.ip()));
    }
    Ok(remote)
}

/// The host of the first collector.
fn collector_host(config: &Config) -> Option<String> {
    let servers = ship::servers(&config.collector, &config.state_dir);
    servers.first().map(host)
}

/// The host of a server as it stands before a port: an address of IPv6 has colons of its own.
fn host(server: &Server) -> String {
    if server.host().contains(':') {
        format!("[{}]", server.host())
    } else {
        server.host().to_owned()
    }
}

/// Our address, the device and the next hop's address on the wire.
fn way(remote: SocketAddr, wanted: &Setup) -> Result<(IpAddr, String, String), Failure> {
    let local_ip = source(remote).map_err(|error| Failure::NoRoute(remote.ip(), error))?;
    if let Some(mac) = wanted.mac.as_ref().filter(|mac| !is_mac(mac)) {
        return Err(Failure::Mac(mac.clone()));
    }
    if let (Some(device), Some(mac)) = (&wanted.device, &wanted.mac) {
        return Ok((local_ip, device.clone(), mac.clone()));
    }
    let IpAddr::V4(ip) = remote.ip() else {
        return Err(Failure::NoDevice(remote.ip()));
    };
    let table = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let found = route(&table, ip).ok_or(Failure::NoDevice(remote.ip()))?;
    let device = wanted.device.clone().unwrap_or(found.device);
    let mac = match &wanted.mac {
        Some(mac) => mac.clone(),
        None => ask(found.next_hop, &device)?,
    };
    Ok((local_ip, device, mac))
}

/// The address that the kernel would send from.
fn source(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

/// The next hop's address on the wire.
fn ask(next_hop: Ipv4Addr, device: &str) -> Result<String, Failure> {
    for _ in 0..LOOKS {
        let table = fs::read_to_string("/proc/net/arp").unwrap_or_default();
        if let Some(mac) = neighbour(&table, next_hop, device) {
            return Ok(mac);
        }
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) {
            // Whether it arrives does not matter: to send it, the kernel has to ask.
            socket.send_to(b"", (next_hop, DISCARD)).ok();
        }
        thread::sleep(LOOK);
    }
    Err(Failure::NoNeighbour {
        next_hop,
        device: device.to_owned(),
    })
}

/// Makes configfs show netconsole's targets.
fn load() -> Result<(), Failure> {
    let is_there = || Path::new(TARGETS).is_dir();
    let commands: [&[&str]; 3] = [
        &["modprobe", "configfs"],
        &["mount", "-t", "configfs", "none", "/sys/kernel/config"],
        &["modprobe", "netconsole"],
    ];
    for command in commands {
        if is_there() {
            break;
        }
        // What is built in or mounted already fails, and is no failure: what counts is the folder.
        Command::new(command[0]).args(&command[1..]).output().ok();
    }
    if is_there() {
        Ok(())
    } else {
        Err(Failure::NoNetconsole)
    }
}

fn announcement(token: &str) -> String {
    // User's message (facility 1) of level 3: a console that is quiet takes it too.
    format!("<11>telemetrics: netconsole token {token}")
}

/// Tells the token in the kernel's log, where lines have no user data.
fn announce(token: &str) -> Result<(), Failure> {
    fs::write("/dev/kmsg", announcement(token)).map_err(Failure::Announce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address() {
        let host = |url| host(&Server::parse(url).unwrap());
        assert_eq!(host("http://10.0.2.2:7130"), "10.0.2.2");
        assert_eq!(host("https://collector.example/"), "collector.example");
        assert_eq!(host("http://[2001:db8::1]:7130"), "[2001:db8::1]");
    }
}
