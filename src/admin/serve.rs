//! The accept loops and the connections of the admin API.

use super::access::{self, Door};
use super::connections::{Seat, Seats};
use super::router;
use super::sockets::{AdminSockets, SocketFile};
use crate::control::{ControlLink, Request};
use crate::time::clock;
use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

/// A request head that is not complete by then ends the connection.
const HEAD_BOUND: Duration = Duration::from_secs(10);
/// Longest request head.
const HEAD_BOUND_BYTES: usize = 32 * 1024;
/// After a failed accept (out of descriptors, mostly) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const BACKLOG: u32 = 128;

/// Serves the API until the future is dropped; the unix sockets are removed from the file system then.
///
/// Call it inside a tokio runtime with I/O and time. A socket that cannot be registered is logged and skipped.
pub async fn serve(sockets: AdminSockets, link: ControlLink) {
    let AdminSockets { unix, tcp, token, .. } = sockets;
    let front = Front { router: router::router(link.clone()), link, token: token.map(Into::into) };
    let mut loops = JoinSet::new();
    let sockets = unix.len() + tcp.len();
    for bound in unix {
        match bound.socket.listen(BACKLOG) {
            Ok(listener) => drop(loops.spawn(accept(Listening::Unix(listener, bound.file), sockets, front.clone()))),
            Err(error) => tracing::error!(%error, "the admin API cannot listen on its unix socket"),
        }
    }
    for (listener, door) in tcp {
        match TcpListener::from_std(listener) {
            Ok(listener) => drop(loops.spawn(accept(Listening::Tcp(listener, door), sockets, front.clone()))),
            Err(error) => tracing::error!(%error, "the admin API cannot listen on its TCP socket"),
        }
    }
    while loops.join_next().await.is_some() {}
}

/// What every connection needs.
#[derive(Clone)]
struct Front {
    router: Router,
    link: ControlLink,
    token: Option<Arc<str>>,
}

enum Listening {
    Unix(UnixListener, #[allow(dead_code, reason = "removes the socket when dropped")] SocketFile),
    Tcp(TcpListener, Door),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Listening {
    fn door(&self) -> Door {
        match self {
            Self::Unix(..) => Door::Unix,
            Self::Tcp(_, door) => *door,
        }
    }

    async fn next(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

async fn accept(listening: Listening, sockets: usize, front: Front) {
    let door = listening.door();
    let mut connections = JoinSet::new();
    let mut seats = Seats::of_one_in(sockets);
    loop {
        tokio::select! {
            Some(_ended) = connections.join_next() => {}
            accepted = listening.next() => match accepted {
                Ok(stream) => {
                    let served = connection(stream, door, seats.take(clock::now()), front.clone());
                    drop(connections.spawn(served));
                }
                Err(_out_of_descriptors) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn connection(stream: Box<dyn Stream>, door: Door, seat: Arc<Seat>, front: Front) {
    let router = TowerToHyperService::new(front.router);
    let answer = service_fn(|request: HttpRequest<Incoming>| {
        seat.request_begins(clock::now());
        answer(request, door, front.token.as_deref(), &router, &seat)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_BOUND).max_buf_size(HEAD_BOUND_BYTES);
    tokio::select! {
        _ended = http.serve_connection(TokioIo::new(stream), answer) => {}
        () = seat.over() => {}
    }
    if seat.ends_process() {
        // Only now: with no session to wait for, the process would be gone before its answer.
        drop(front.link.ask(Request::Shutdown).await);
    }
}

async fn answer(
    request: HttpRequest<Incoming>,
    door: Door,
    token: Option<&str>,
    router: &TowerToHyperService<Router>,
    seat: &Arc<Seat>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Arc::clone(seat));
    let response = match access::admit(door, token, &parts) {
        Ok(()) => router.call(HttpRequest::from_parts(parts, body)).await,
        Err(refusal) => Ok(refusal.into_response()),
    };
    seat.request_ends();
    response
}
