//! Listening addresses against each other, and against targets.

use super::Users;
use crate::config::build::{At, Draft};
use crate::config::diagnostic::Span;
use crate::config::problems::{Problem, Problems};
use crate::config::types::{AdminAddr, Bind, TargetAddr};
use crate::config::values::{bind_text, is_loopback};
use crate::model::Protocol;
use std::net::IpAddr;

/// A listening address and whose it is; `None` = the admin API.
struct Listening<'d> {
    bind: Bind,
    span: &'d Span,
    protocol: Protocol,
    listener: Option<&'d str>,
}

fn listening<'d>(draft: &'d Draft<'_>) -> Vec<Listening<'d>> {
    let of_listener = draft.listeners.iter().flat_map(|listener| {
        let whole = move |At { value, span }: &'d At<Bind>| Listening {
            bind: *value,
            span,
            protocol: listener.listener.protocol,
            listener: Some(&listener.listener.name),
        };
        listener.binds.iter().map(whole)
    });
    let of_admin = draft.admin_listen.iter().filter_map(|At { value, span }| match value {
        AdminAddr::Tcp(addr) => Some(Listening { bind: (*addr).into(), span, protocol: Protocol::Tcp, listener: None }),
        AdminAddr::Unix(_) => None,
    });
    of_listener.chain(of_admin).collect()
}

/// Two sockets cannot have one address; each bind is reported against the first in the file that it meets.
pub(super) fn overlaps(draft: &Draft<'_>, problems: &Problems) {
    let mut all = listening(draft);
    // Port 0 is a different port each time.
    all.retain(|one| one.bind.first_port != 0);
    all.sort_by_key(|one| (one.protocol, one.bind.first_port, one.span.start));
    let mut first_met: Vec<Option<usize>> = vec![None; all.len()];
    for (at, one) in all.iter().enumerate() {
        let reach =
            |other: &&Listening<'_>| other.protocol == one.protocol && other.bind.first_port <= one.bind.last_port;
        for (offset, other) in all[at + 1..].iter().take_while(reach).enumerate() {
            if !same_address(one.bind.ip, other.bind.ip) {
                continue;
            }
            let next = at + 1 + offset;
            let (early, late) = if one.span.start < other.span.start { (at, next) } else { (next, at) };
            if first_met[late].is_none_or(|met| all[early].span.start < all[met].span.start) {
                first_met[late] = Some(early);
            }
        }
    }
    for (late, early) in first_met.iter().enumerate().filter_map(|(late, early)| early.map(|early| (late, early))) {
        problems.add(overlap(&all[late], &all[early]));
    }
}

fn overlap(late: &Listening<'_>, early: &Listening<'_>) -> Problem {
    let same = late.bind == early.bind;
    let message = match (late.listener == early.listener, same) {
        (true, true) => format!("{} is bound twice", bind_text(late.bind)),
        (_, true) => format!("{} is bound by {} too", bind_text(late.bind), owner(early)),
        (true, false) => format!("{} overlaps with {}", bind_text(late.bind), bind_text(early.bind)),
        (false, false) => {
            format!("{} overlaps with {} of {}", bind_text(late.bind), bind_text(early.bind), owner(early))
        }
    };
    let dual = [late, early].iter().any(|one| one.bind.ip.is_ipv6() && one.bind.ip.is_unspecified());
    let problem = Problem::error("overlapping_bind", late.span, message).related(early.span, "first bound here");
    if dual && late.bind.ip != early.bind.ip { problem.text_hint("[::] takes IPv4 too") } else { problem }
}

fn owner(one: &Listening<'_>) -> String {
    one.listener.map_or_else(|| "the admin API".to_owned(), |name| format!("listener `{name}`"))
}

fn same_address(a: IpAddr, b: IpAddr) -> bool {
    a == b || covers(a, b) || covers(b, a)
}

/// Whether the wildcard `wide` takes what is sent to `ip`; `[::]` is dual-stack.
fn covers(wide: IpAddr, ip: IpAddr) -> bool {
    wide.is_unspecified() && (wide.is_ipv6() || ip.is_ipv4())
}

/// Refuses targets that are this file's own listening addresses: traffic to them would go in circles.
pub(super) fn own(draft: &Draft<'_>, users: &Users, problems: &Problems) {
    let mut all = listening(draft);
    all.retain(|one| one.bind.first_port != 0);
    all.sort_by_key(|one| one.span.start);
    for group in &draft.groups {
        let protocols = users.get(&group.group.name);
        // A group that nobody uses is judged as if anybody could.
        let reachable = |protocol| protocols.is_none_or(|protocols| protocols.contains(&protocol));
        let uses = |listening: &&Listening<'_>| {
            let named = draft.listeners.iter().filter(|l| Some(&*l.listener.name) == listening.listener);
            named.flat_map(|l| &l.references).any(|reference| reference.value == group.group.name)
        };
        let candidates: Vec<_> = all.iter().filter(|one| reachable(one.protocol)).collect();
        let portless = group.group.targets.iter().any(|target| target.address.port.is_none());
        let used: Vec<_> = if portless { candidates.iter().copied().filter(uses).collect() } else { Vec::new() };
        for (target, place) in group.group.targets.iter().zip(&group.targets) {
            let reached = if target.address.port.is_some() { &candidates } else { &used };
            if let Some(hit) = nearest_hit(reached, target.address) {
                let message = format!("this target is {}: traffic would go in circles", described(hit));
                let problem = Problem::error("own_address", &place.address, message);
                problems.add(problem.related(hit.span, "bound here"));
            }
        }
    }
}

/// The literal address rather than a wildcard that covers it.
fn nearest_hit<'a>(reached: &[&'a Listening<'a>], target: TargetAddr) -> Option<&'a Listening<'a>> {
    let hits = || reached.iter().copied().filter(|one| leads_to(target, one.bind));
    hits().find(|one| one.bind.ip == target.ip).or_else(|| hits().next())
}

fn described(one: &Listening<'_>) -> String {
    match one.listener {
        Some(name) => format!("an address of listener `{name}`"),
        None => "the address of the admin API".to_owned(),
    }
}

/// Literally the address, or loopback where the bind takes every address. Names of this machine's other
/// addresses are not known without asking the system, which a check never does.
fn leads_to(target: TargetAddr, bind: Bind) -> bool {
    let port = target.port.is_none_or(|port| (bind.first_port..=bind.last_port).contains(&port));
    port && (target.ip == bind.ip || (is_loopback(target.ip) && covers(bind.ip, target.ip)))
}
