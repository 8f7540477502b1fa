//! A load balancer inside another program: two targets, a few clients, and what was counted.

use forebay::Balancer;
use forebay::config::{Config, Listener, TargetGroup};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let targets = [greeter("hello from the first")?, greeter("hello from the second")?];
    let balancer = Balancer::start(Config {
        listeners: vec![Listener::tcp("web", "127.0.0.1:0".parse()?, "pool")],
        target_groups: vec![TargetGroup::new("pool", &targets)],
        ..Config::default()
    })?;
    let addr = balancer.addresses("web")[0];
    println!("listening on {addr}");
    for _client in 0..4 {
        let mut greeting = String::new();
        TcpStream::connect(addr)?.read_to_string(&mut greeting)?;
        println!("{greeting}");
    }
    for target in balancer.statistics().targets {
        println!("{}: {} sessions, {} bytes", target.id, target.opened, target.bytes_to_client);
    }
    balancer.shutdown();
    Ok(())
}

/// A target that says one sentence to everyone.
fn greeter(sentence: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // A client that has gone already misses its greeting.
            let _gone = client.write_all(sentence.as_bytes());
        }
    });
    Ok(addr)
}
