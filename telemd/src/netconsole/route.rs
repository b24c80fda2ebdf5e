//! The way to the collector: device and next hop (`/proc/net/route`), and that one's address on the wire
//! (`/proc/net/arp`). A kernel that is dying looks nothing up, so netconsole is told all of it before.

use std::net::Ipv4Addr;

/// `RTF_UP` and `RTF_REJECT` (`include/uapi/linux/route.h`).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;
/// `ATF_COM` (`include/uapi/linux/if_arp.h`): the entry is complete.
const COMPLETE: u32 = 0x2;

/// How packets to an address leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network device.
    pub device: String,
    /// Who takes them first: a router, or the destination itself.
    pub next_hop: Ipv4Addr,
}

/// The route that the kernel takes to `to`, by the text of `/proc/net/route`: the longest prefix, then the lowest metric.
pub fn route(table: &str, to: Ipv4Addr) -> Option<Route> {
    let mut best: Option<(u32, u32, Route)> = None;
    for line in table.lines().skip(1) {
        let mut fields = line.split_whitespace();
        let Some(entry) = entry(&mut fields) else { continue };
        if entry.flags & UP == 0
            || entry.flags & REJECT != 0
            || to.to_bits() & entry.mask != entry.destination
        {
            continue;
        }
        let prefix = entry.mask.count_ones();
        let better = best
            .as_ref()
            .is_none_or(|(known, metric, _)| (prefix, u32::MAX - entry.metric) > (*known, u32::MAX - metric));
        if better {
            let next_hop = if entry.gateway == 0 {
                to
            } else {
                entry.gateway.into()
            };
            let route = Route {
                device: entry.device.to_owned(),
                next_hop,
            };
            best = Some((prefix, entry.metric, route));
        }
    }
    best.map(|(_, _, route)| route)
}

struct Entry<'a> {
    device: &'a str,
    destination: u32,
    gateway: u32,
    flags: u32,
    metric: u32,
    mask: u32,
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask`: addresses as the machine holds them in memory.
fn entry<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Entry<'a>> {
    let mut next = || fields.next();
    let address = |text: &str| Some(u32::from_be(u32::from_str_radix(text, 16).ok()?));
    let device = next()?;
    let destination = address(next()?)?;
    let gateway = address(next()?)?;
    let flags = u32::from_str_radix(next()?, 16).ok()?;
    let (_references, _uses) = (next()?, next()?);
    let metric = next()?.parse().ok()?;
    let mask = address(next()?)?;
    Some(Entry {
        device,
        destination,
        gateway,
        flags,
        metric,
        mask,
    })
}

/// The address of `ip` on the wire, by the text of `/proc/net/arp`; `None` while it is not known.
pub fn neighbour(table: &str, ip: Ipv4Addr, device: &str) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _kind, flags, mac, _mask, on] = fields.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
        let is_it = address.parse() == Ok(ip) && *on == device && flags & COMPLETE != 0;
        (is_it && is_mac(mac)).then(|| (*mac).to_owned())
    })
}

/// Whether a text is an address of Ethernet: `52:54:00:12:34:56`.
pub fn is_mac(text: &str) -> bool {
    let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(is_byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth1\t0003000A\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
    const NEIGHBOURS: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
10.0.2.2         0x1         0x2         52:55:0a:00:02:02     *        eth0
10.0.2.3         0x1         0x0         00:00:00:00:00:00     *        eth0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_longest_prefix_and_the_lowest_metric_win() {
        let to = |address: [u8; 4]| {
            let route = route(ROUTES, address.into()).expect("a default route");
            (route.device, route.next_hop)
        };
        assert_eq!(to([10, 0, 2, 7]), ("eth0".to_owned(), [10, 0, 2, 7].into()));
        assert_eq!(
            to([10, 0, 3, 7]),
            ("eth0".to_owned(), [10, 0, 2, 2].into()),
            "eth1 is down"
        );
        assert_eq!(route("", [10, 0, 2, 7].into()), None);
    }

    #[test]
    fn only_complete_neighbours_count() {
        let mac = |address: [u8; 4], device| neighbour(NEIGHBOURS, address.into(), device);
        assert_eq!(mac([10, 0, 2, 2], "eth0").as_deref(), Some("52:55:0a:00:02:02"));
        assert_eq!(mac([10, 0, 2, 2], "eth1"), None);
        assert_eq!(mac([10, 0, 2, 3], "eth0"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_table(text in r"(.*\n|[a-z0-9]{1,4}(\t[0-9A-F]{1,9}){1,8}\n){0,8}", to: u32) {
            route(&text, to.into());
            neighbour(&text, to.into(), "eth0");
        }
    }
}
