//! A minimal TCP relay on `tokio`: `baseline_tokio LISTEN TARGET`. Single thread; FIN is passed on.
//!
//! Not a benchmark by itself: `bench/compare --engines` runs it beside forebay, so that the choice of engine can be
//! checked by anyone. `cargo bench --bench baseline_tokio -- LISTEN TARGET`.

use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

fn main() -> std::io::Result<()> {
    let mut addrs = std::env::args().filter_map(|arg| arg.parse::<SocketAddr>().ok());
    let (Some(listen), Some(target)) = (addrs.next(), addrs.next()) else {
        eprintln!("usage: baseline_tokio LISTEN TARGET");
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(listen, target))
}

async fn serve(listen: SocketAddr, target: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _client_addr) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            // What fails ends this session alone; its sockets are dropped.
            let _ended = relay(client, target).await;
        });
    }
}

async fn relay(mut client: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
