//! One worker with real sockets on loopback.

use super::*;
use crate::balance::{GroupRuntime, Standing, TargetRuntime};
use crate::config::{Listener, TargetGroup};
use crate::engine::Outbox;
use crate::model::CloseReason;
use crate::snapshot::{
    GroupInput, ListenerInput, ListenerRuntime, ListeningAddress, Orders, Phase, ProcessRuntime, Snapshot, TargetInput,
    compile_group, compile_listener,
};
use crate::stats::BoundedGauge;
use crate::sys::{self, ListenOptions};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

struct World {
    worker: Option<Worker>,
    addr: SocketAddr,
    listener: Arc<ListenerRuntime>,
    snapshot: Arc<Snapshot>,
}

impl World {
    fn new(targets: &[SocketAddr]) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let options = ListenOptions { backlog: 64, keepalive: None, congestion_control: "" };
        let socket = Arc::new(sys::listen(any, &options).unwrap());
        let addr = sys::local_addr(socket.as_fd()).unwrap();
        let config = Arc::new(TargetGroup::new("group", targets));
        let group = Arc::new(GroupRuntime::new("group".into(), 1));
        let input = |(uid, target): (u32, &crate::config::Target)| TargetInput {
            runtime: Arc::new(TargetRuntime::new(uid, target.id.clone(), Arc::clone(&group), 1)),
            target: target.clone(),
            standing: Standing::Eligible,
        };
        let inputs = (0..).zip(&config.targets).map(input).collect();
        let view = compile_group(GroupInput { runtime: Arc::clone(&group), config, targets: inputs }, None);
        let listener = Arc::new(ListenerRuntime::new(1, "listener".into(), 1));
        let listener_view = compile_listener(
            ListenerInput {
                runtime: Arc::clone(&listener),
                config: Arc::new(Listener::tcp("listener", addr, "group")),
                addresses: vec![Arc::new(ListeningAddress { addr, sockets: vec![socket] })],
            },
            |_name| Some(0),
        );
        let process = Arc::new(ProcessRuntime::new(BoundedGauge::new(100), 1));
        let snapshot = Arc::new(Snapshot {
            generation: 1,
            phase: Phase::Serving,
            process: Arc::clone(&process),
            listeners: vec![Arc::new(listener_view)],
            groups: vec![Arc::new(view)],
            orders: Orders::default(),
            records_wanted: false,
        });
        let outbox = Arc::new(Outbox::new().unwrap());
        let seat = Seat { index: 0, cpu: None, process, outbox, pipes_max: 4, seed: 1 };
        let worker = Some(Worker::start(seat, Arc::clone(&snapshot)).unwrap());
        Self { worker, addr, listener, snapshot }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Halts the worker, so that all counters are final.
    fn halt(&mut self) {
        let snapshot = Snapshot {
            generation: 2,
            phase: Phase::Halted,
            process: Arc::clone(&self.snapshot.process),
            listeners: Vec::new(),
            groups: Vec::new(),
            orders: Orders::default(),
            records_wanted: false,
        };
        if let Some(worker) = self.worker.take() {
            worker.mailbox().put(Arc::new(snapshot));
            worker.join();
        }
    }

    fn closed(&self, reason: CloseReason) -> u64 {
        self.listener.counters.sum(|counters| &counters.closed[reason.index()])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.halt();
    }
}

#[test]
fn bytes_and_fin_pass_both_ways() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new(&[target.local_addr().unwrap()]);
    let mut client = world.connect();
    let (mut served, _addr) = target.accept().unwrap();
    let request: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut received = Vec::new();
            served.read_to_end(&mut received).unwrap();
            assert!(received == request);
            served.write_all(&received).unwrap();
            served.shutdown(Shutdown::Write).unwrap();
        });
        client.write_all(&request).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).unwrap();
        assert!(reply == request);
    });
    world.halt();
    assert_eq!(world.closed(CloseReason::Finished), 1);
    assert_eq!(world.listener.counters.of(0).bytes_to_target.get(), 3_000_000);
    assert_eq!(world.snapshot.process.sessions.active(), 0);
    assert_eq!(world.snapshot.groups[0].placement.members()[0].runtime.load.active(), 0);
}

#[test]
fn a_refused_target_is_hidden_by_the_next_one() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new(&[gone, target.local_addr().unwrap()]);
    for _client in 0..8 {
        let mut client = world.connect();
        let (mut served, _addr) = target.accept().unwrap();
        served.write_all(b"hello").unwrap();
        let mut greeting = [0; 5];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"hello");
    }
    world.halt();
    assert_eq!(world.snapshot.process.sessions.active(), 0);
}

#[test]
fn a_client_whose_every_target_refuses_is_reset() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut world = World::new(&[gone]);
    let mut client = world.connect();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    world.halt();
    assert_eq!(world.closed(CloseReason::ConnectRefused), 1);
}
