//! Ports for servers that tests, benches and `cargo xtask` start, and the processes that those start.
//!
//! A server is told its port before it listens, and may be started again on it. A port that the kernel hands out (`bind` to 0)
//! is one of those that it also gives to outgoing connections, so any client on the machine may have it by then.
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what Linux gives to outgoing connections (`net.ipv4.ip_local_port_range`, 32768 and up), and above the well-known servers.
const PORTS: Range<u16> = 20_000..32_000;

/// A TCP port of the loopback that nobody listens on, and that this process was not given before until all have had their turn.
///
/// # Panics
/// Where none of them is free.
pub fn free_port() -> u16 {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Each process begins at a place of its own, for those that run side by side.
    let first = std::process::id().wrapping_mul(97);
    for _ in PORTS {
        let place = first.wrapping_add(TURN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(place).expect("fewer than 65536 ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of the loopback from {} to {} is free", PORTS.start, PORTS.end - 1)
}

/// An address of the loopback with such a port.
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

/// A process that the process has started, from whichever of its threads.
pub fn child_of(process: u32) -> Option<u32> {
    std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten().find_map(|thread| {
        let children = std::fs::read_to_string(thread.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_free_and_given_once() {
        let mut given: Vec<u16> = (0..100).map(|_| free_port()).collect();
        assert!(given.iter().all(|port| PORTS.contains(port)), "{given:?}");
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 100);
        let held = TcpListener::bind(("127.0.0.1", given[50])).expect("a free port is free");
        drop(held);
    }
}
