//! A minimal TCP relay on `tokio-uring`: `baseline_tokio_uring LISTEN TARGET`. Single thread; FIN is passed on.
//!
//! As `baseline_tokio`, for the other candidate.

use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use tokio_uring::net::{TcpListener, TcpStream};

/// Each direction of each session has a buffer of its own: the crate wants to own it while the kernel writes.
const BUFFER_BYTES: usize = 16 * 1024;

fn main() -> std::io::Result<()> {
    let mut addrs = std::env::args().filter_map(|arg| arg.parse::<SocketAddr>().ok());
    let (Some(listen), Some(target)) = (addrs.next(), addrs.next()) else {
        eprintln!("usage: baseline_tokio_uring LISTEN TARGET");
        return Ok(());
    };
    tokio_uring::start(serve(listen, target))
}

async fn serve(listen: SocketAddr, target: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    loop {
        let (client, _client_addr) = listener.accept().await?;
        tokio_uring::spawn(async move {
            // What fails ends this session alone; its sockets are dropped.
            let _ended = relay(client, target).await;
        });
    }
}

async fn relay(client: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    let (client, server) = (Rc::new(client), Rc::new(server));
    let to_target = tokio_uring::spawn(half(Rc::clone(&client), Rc::clone(&server)));
    half(Rc::clone(&server), Rc::clone(&client)).await;
    // The other half ends with its FIN, or with the error that the shutdown below gives it.
    let _joined = to_target.await;
    Ok(())
}

/// Copies until the end of `source`, then passes FIN on; an error ends both directions.
async fn half(source: Rc<TcpStream>, sink: Rc<TcpStream>) {
    let mut buffer = vec![0_u8; BUFFER_BYTES];
    loop {
        let (received, returned) = source.read(buffer).await;
        let len = match received {
            Ok(0) => return drop(sink.shutdown(Shutdown::Write)),
            Ok(len) => len,
            Err(_reset) => break,
        };
        let (sent, slice) = sink.write_all(tokio_uring::buf::BoundedBuf::slice(returned, ..len)).await;
        if sent.is_err() {
            break;
        }
        buffer = slice.into_inner();
    }
    drop((source.shutdown(Shutdown::Both), sink.shutdown(Shutdown::Both)));
}
