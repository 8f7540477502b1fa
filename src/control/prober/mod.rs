//! Active checks: one short connection per probe, from control's own event loop.

mod http;
mod tcp;

use super::state::{ProbeOrder, ProbeOutcome, ProbeReport};
use crate::config::{HealthCheck, ProbeKind};
use crate::sys;
use crate::time::clock;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// Starts probes; a bounded number runs at once, the others wait for their turn.
#[derive(Debug)]
pub(super) struct Prober {
    seats: Rc<Semaphore>,
    reports: mpsc::UnboundedSender<ProbeReport>,
}

impl Prober {
    /// A prober with so many connections at once; reports go to `reports`, of which there is at most one per target.
    #[must_use]
    pub(super) fn new(at_once: usize, reports: mpsc::UnboundedSender<ProbeReport>) -> Self {
        Self { seats: Rc::new(Semaphore::new(at_once)), reports }
    }

    /// Starts a probe, or queues it. Call it inside a `LocalSet`.
    pub(super) fn start(&self, order: ProbeOrder) {
        let (seats, reports) = (Rc::clone(&self.seats), self.reports.clone());
        tokio::task::spawn_local(async move {
            // Never closed, so the seat is always had in the end.
            let _seat = seats.acquire().await;
            let started = clock::now();
            let outcome = probe(&order).await;
            let took = clock::now().saturating_duration_since(started);
            let ProbeOrder { target_uid, probe, .. } = order;
            // Control that is gone does not care.
            let _unheard = reports.send(ProbeReport { target_uid, probe, outcome, took });
        });
    }
}

async fn probe(order: &ProbeOrder) -> ProbeOutcome {
    let Some(check) = &order.group.health_check else {
        return ProbeOutcome::Inconclusive("no health check".to_owned());
    };
    tokio::time::timeout(check.timeout, run(check, order.addr)).await.unwrap_or(ProbeOutcome::TimedOut)
}

async fn run(check: &HealthCheck, addr: SocketAddr) -> ProbeOutcome {
    let stream = match connect(check, addr).await {
        Ok(stream) => stream,
        Err(error) if is_ours(&error) => return ProbeOutcome::Inconclusive(error.to_string()),
        Err(error) => return ProbeOutcome::Failed(error.to_string()),
    };
    // Closed with RST: thousands of probes must not leave thousands of TIME_WAITs. A failure only means that the
    // peer has ended it already.
    let _ended_already = stream.set_zero_linger();
    let answered = match &check.kind {
        ProbeKind::Tcp { send, expect } => tcp::ask(stream, send, expect).await,
        ProbeKind::Http { path, host, expect_status } => http::ask(stream, addr, path, host, expect_status).await,
    };
    match answered {
        Ok(()) => ProbeOutcome::Passed,
        Err(why) => ProbeOutcome::Failed(why),
    }
}

async fn connect(check: &HealthCheck, addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = check.source_address {
        socket.bind(SocketAddr::new(source, 0)).map_err(|error| match error.kind() {
            // Not there at all: the operator must learn of it, and the target cannot be vouched for.
            io::ErrorKind::AddrNotAvailable => io::Error::other(format!("source_address {source}: {error}")),
            _ => error,
        })?;
    }
    socket.connect(addr).await
}

/// Whether the failure is ours: it says nothing of the target.
fn is_ours(error: &io::Error) -> bool {
    sys::is_exhaustion(error) || error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests;
