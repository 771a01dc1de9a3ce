//! End-to-end tests on real Envoy.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports that [`free_port`] gives. The kernel takes the ports that it chooses itself from above these (32768 by default), so
/// none of those becomes one that was given here.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// A TCP port that nobody listens on, and that this process gets once only.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin far from each other.
    let first = std::process::id().wrapping_mul(127);
    loop {
        let place = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let Ok(port) = u16::try_from(PORTS.start + place) else { continue };
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_none_of_the_kernels_own() {
        let ports = [free_port(), free_port(), free_port()];
        assert!(ports[0] != ports[1] && ports[1] != ports[2] && ports[0] != ports[2]);
        assert!(ports.iter().all(|port| PORTS.contains(&u32::from(*port))));
    }
}
