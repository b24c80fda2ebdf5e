//! The netconsole receiver: what kernels send over UDP while they die.
//!
//! [`packet`] reads a datagram; [`stream`] puts one sender's lines in order and assembles them into reports; [`receiver`]
//! bounds what senders may cost; none of them has a socket or a clock. [`keeper`] stores what was heard.
//!
//! UDP can be forged by anyone who can reach the port: a record that came this way says so in its hook, is no sign of life
//! of its host, and never changes or removes anything that an agent has told.

pub mod keeper;
pub mod packet;
pub mod receiver;
mod record;
pub mod repeats;
mod same;
pub mod stream;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::store::{Store, chain};
use keeper::{Keeper, Note};
use receiver::{Heard, Receiver};

/// Longest datagram that is read, bytes: the kernel sends at most 1000 bytes (`MAX_PRINT_CHUNK`), and older ones a whole
/// record.
const DATAGRAM_BYTES: usize = 9 << 10;
/// What the kernel is asked to keep for the socket, bytes; it may grant less. A machine that dies prints faster than
/// anything else.
const SOCKET_BYTES: usize = 4 << 20;
/// How often lines are let go of and reports ended.
const TICK: Duration = Duration::from_millis(100);
/// Datagrams that are read in a row before anything else is done.
const IN_A_ROW: usize = 64;
/// The same at the end: what a socket of [`SOCKET_BYTES`] may hold.
const IN_THE_END: usize = 8192;

/// Opens the port.
pub async fn listen(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await?;
    // A smaller buffer loses more in a burst and is no reason to do without.
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES).ok();
    Ok(socket)
}

/// Receives until `shutdown`, then stores what is left.
pub async fn run(socket: UdpSocket, store: Store, metrics: Metrics, shutdown: CancellationToken) {
    let (notes, taken) = mpsc::channel(keeper::WAITING);
    let keeper = tokio::spawn(Keeper::new(store, metrics.clone()).run(taken));
    receive(&socket, &metrics, &notes, &shutdown).await;
    drop(notes);
    if let Err(error) = keeper.await {
        tracing::error!(error = %chain(&error), "what netconsole told is lost");
    }
}

async fn receive(
    socket: &UdpSocket,
    metrics: &Metrics,
    notes: &mpsc::Sender<Note>,
    shutdown: &CancellationToken,
) {
    let started = Instant::now();
    let now_us = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (mut receiver, mut heard) = (Receiver::default(), Vec::new());
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut take = |most: usize, receiver: &mut Receiver, heard: &mut Vec<Heard>| {
        for _ in 0..most {
            let Ok((length, from)) = socket.try_recv_from(&mut buffer) else {
                break;
            };
            metrics.netconsole_datagram();
            // A socket of IPv6 has the addresses of IPv4 in it.
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            receiver.datagram(from, &buffer[..length], now_us(), heard);
        }
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = ticks.tick() => receiver.tick(now_us(), &mut heard),
            readable = socket.readable() => {
                if let Err(error) = readable {
                    tracing::error!(%error, "netconsole: the socket failed");
                    break;
                }
                take(IN_A_ROW, &mut receiver, &mut heard);
            }
        }
        pass(&mut heard, notes, metrics);
    }
    // What has arrived already is not to be lost by a restart.
    if timeout(TICK, socket.readable()).await.is_ok() {
        take(IN_THE_END, &mut receiver, &mut heard);
    }
    receiver.flush(now_us(), &mut heard);
    pass(&mut heard, notes, metrics);
}

/// Hands over what was heard.
fn pass(heard: &mut Vec<Heard>, notes: &mpsc::Sender<Note>, metrics: &Metrics) {
    for heard in heard.drain(..) {
        let at_unix_ns = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0);
        if notes.try_send(Note { heard, at_unix_ns }).is_err() {
            metrics.netconsole_dropped(1);
        }
    }
}
