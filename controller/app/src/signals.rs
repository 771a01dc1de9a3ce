//! The signals that end us.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals within this time of the first are its echo.
const ECHO: Duration = Duration::from_millis(500);

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// A signal that is meant as another one: shells and supervisors send one and the same to a group and to us.
    pub(crate) async fn recv_again(&mut self) {
        let first = tokio::time::Instant::now();
        while first.elapsed() < ECHO {
            self.recv().await;
        }
    }

    pub(crate) async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
