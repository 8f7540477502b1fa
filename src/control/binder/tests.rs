use super::*;
use crate::config::TargetGroup;

fn config(listeners: &[(&str, &str)]) -> Config {
    let mut config = Config { target_groups: vec![TargetGroup::new("g", &[])], ..Config::default() };
    let listener = |&(name, addr): &(&str, &str)| Listener::tcp(name, addr.parse().unwrap(), "g");
    config.listeners = listeners.iter().map(listener).collect();
    config
}

fn sockets(plan: &Plan, config: &Config) -> Vec<Vec<usize>> {
    let raw = |address: &Arc<ListeningAddress>| Arc::as_ptr(&address.sockets[0]) as usize;
    plan.addresses(config).iter().map(|addresses| addresses.iter().map(raw).collect()).collect()
}

#[test]
fn workers_share_the_port_that_the_first_one_got() {
    let config = config(&[("web", "127.0.0.1:0")]);
    let plan = Binder::new(3).plan(&config).unwrap();
    let address = &plan.addresses(&config)[0][0];
    assert_ne!(address.addr.port(), 0);
    assert_eq!(address.sockets.len(), 3);
    for socket in &address.sockets {
        assert_eq!(sys::local_addr(socket.as_fd()).unwrap(), address.addr);
    }
}

#[test]
fn an_address_that_another_process_shares_by_reuseport_is_refused_and_named() {
    let options = ListenOptions { backlog: 1, keepalive: None, congestion_control: "" };
    let taken = sys::listen("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let addr = sys::local_addr(taken.as_fd()).unwrap();
    let error = Binder::new(1).plan(&config(&[("web", &addr.to_string())])).unwrap_err();
    assert_eq!((&*error.listener, error.addr, error.error.kind()), ("web", addr, io::ErrorKind::AddrInUse));
}

#[test]
fn unchanged_addresses_keep_their_sockets_and_a_renamed_listener_its_queue() {
    let mut binder = Binder::new(1);
    let before = config(&[("a", "127.0.0.1:0"), ("b", "127.0.0.1:0"), ("c", "127.0.0.2:0")]);
    let plan = binder.plan(&before).unwrap();
    let first = sockets(&plan, &before);
    binder.commit(plan).unwrap();
    let after = config(&[("b", "127.0.0.1:0"), ("renamed", "127.0.0.2:0")]);
    let second = sockets(&binder.plan(&after).unwrap(), &after);
    assert_eq!(second, [first[1].clone(), first[2].clone()]);
}

#[test]
fn a_wildcard_gives_way_to_one_of_its_addresses_in_one_reload() {
    let mut binder = Binder::new(1);
    let wide = config(&[("web", "0.0.0.0:0")]);
    let plan = binder.plan(&wide).unwrap();
    let port = plan.addresses(&wide)[0][0].addr.port();
    binder.commit(plan).unwrap();
    let narrow = config(&[("web", &format!("127.0.0.1:{port}"))]);
    binder.plan(&narrow).unwrap();
}

#[test]
fn a_setting_that_is_refused_changes_nothing() {
    let mut binder = Binder::new(1);
    let before = config(&[("web", "127.0.0.1:0")]);
    let plan = binder.plan(&before).unwrap();
    binder.commit(plan).unwrap();
    let mut after = before.clone();
    after.listeners[0].congestion_control = "no-such-thing".to_owned();
    let error = binder.commit(binder.plan(&after).unwrap()).unwrap_err();
    assert_eq!(&*error.listener, "web");
    let plan = binder.plan(&before).unwrap();
    assert!(plan.changes.is_empty(), "the binder remembers what is in force");
}
