//! Where a client would go and why, asked of the same snapshot code that the workers run.

mod offline;

pub use offline::compile;

use crate::balance::{Member, Pool, SplitPoint, TargetReason};
use crate::model::{FlowKey, RefuseReason};
use crate::snapshot::{GroupView, ListenerView, Snapshot};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::SocketAddr;

/// Longest payload that placement can be asked to look at, in bytes.
const PAYLOAD_BOUND_BYTES: usize = 65_507;

/// Which client, and where it would come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Name of the listener.
    pub listener: String,
    /// The client's address and port.
    pub client: SocketAddr,
    /// The address that it reaches; `None` = the listener's first.
    pub listen_addr: Option<SocketAddr>,
}

impl Question {
    /// Reads the parameters; `payload` is hex, and TCP placement never looks at it.
    ///
    /// # Errors
    /// One line that names the parameter.
    pub fn parse(
        listener: &str,
        client: &str,
        payload: Option<&str>,
        listen_addr: Option<&str>,
    ) -> Result<Self, String> {
        let addr = |name: &str, text: &str| {
            text.parse().map_err(|_invalid| format!("`{name}` is IP:PORT, such as 192.0.2.7:1234, not `{text}`"))
        };
        if let Some(payload) = payload {
            let hex = payload.len().is_multiple_of(2) && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !hex || payload.len() / 2 > PAYLOAD_BOUND_BYTES {
                return Err(format!("`payload` is at most {PAYLOAD_BOUND_BYTES} bytes in hex, two digits each"));
            }
        }
        Ok(Self {
            listener: listener.into(),
            client: addr("client", client)?,
            listen_addr: listen_addr.map(|text| addr("listen_address", text)).transpose()?,
        })
    }
}

/// The answer; the body of `/v1/explain` and of `explain --json`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Explained {
    /// The listener asked about.
    pub listener: String,
    /// The client, an IPv4-mapped address as IPv4.
    pub client: String,
    /// `target` or `refused`.
    pub verdict: Cow<'static, str>,
    /// Why the client would be turned away.
    pub refused: Option<Cow<'static, str>>,
    /// Index of the rule that matched, from 0.
    pub rule: Option<usize>,
    /// Where the client falls in the split, 0 up to (not including) 1.
    pub split_point: Option<f64>,
    /// The group.
    pub target_group: Option<String>,
    /// How the group chooses.
    pub balance: Option<Cow<'static, str>>,
    /// What the group hashes.
    pub hash_key: Option<Cow<'static, str>>,
    /// The Maglev slot.
    pub slot: Option<u32>,
    /// How many slots were passed over because their target is not eligible.
    pub probes: u32,
    /// Id of the target.
    pub target: Option<String>,
    /// Where the target would be reached.
    pub address: Option<String>,
    /// Whether the same question always has this answer while the snapshot lasts.
    pub deterministic: bool,
    /// Every target of the group.
    pub candidates: Vec<Candidate>,
}

/// One target of the group.
#[derive(Debug, Deserialize, Serialize)]
pub struct Candidate {
    /// Its id.
    pub target: String,
    /// Whether it may be given new work.
    pub eligible: bool,
    /// Why not, or `ok`.
    pub reason: Cow<'static, str>,
}

/// Answers from `snapshot`; `None` when no listener has the name.
#[must_use]
pub fn explain(snapshot: &Snapshot, question: &Question) -> Option<Explained> {
    let listener = snapshot.listeners.iter().find(|listener| *listener.runtime.name == *question.listener)?;
    let reached = question.listen_addr.or_else(|| first_address(listener));
    let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
    let key = FlowKey::new(question.client, reached.unwrap_or(unspecified));
    if !listener.access.admits(key.client_addr.ip()) {
        return Some(Explained { refused: Some(RefuseReason::Denied.as_str().into()), ..unrouted(question, &key) });
    }
    let route = snapshot.route(listener, &key);
    let group = route.group;
    let explanation = group.placement.explain(&key);
    let chosen = explanation.member.map(usize::from);
    let refused = refusal(snapshot, listener, group, chosen.is_some());
    Some(Explained {
        verdict: if refused.is_some() { "refused".into() } else { "target".into() },
        refused: refused.map(|reason| reason.as_str().into()),
        rule: route.rule,
        split_point: route.split_point.map(SplitPoint::as_fraction),
        target_group: Some(group.runtime.name.to_string()),
        balance: Some(group.config.balance.as_str().into()),
        hash_key: Some(group.config.hash_key.as_str().into()),
        slot: explanation.slot,
        probes: explanation.probes,
        target: chosen.map(|index| group.placement.members()[index].runtime.id.to_string()),
        address: chosen.map(|index| group.targets[index].at(key.listen_addr.port()).to_string()),
        deterministic: explanation.deterministic,
        candidates: candidates(group),
        ..unrouted(question, &key)
    })
}

fn first_address(listener: &ListenerView) -> Option<SocketAddr> {
    let bound = listener.addresses.first().map(|address| address.addr);
    bound.or_else(|| listener.config.bind.first().and_then(|bind| bind.addresses().next()))
}

/// The bounds in the order in which a worker meets them.
fn refusal(snapshot: &Snapshot, listener: &ListenerView, group: &GroupView, chosen: bool) -> Option<RefuseReason> {
    let full = snapshot.process.sessions.is_full() || listener.runtime.sessions.is_full();
    if full || group.runtime.sessions.is_full() {
        return Some(RefuseReason::MaxConnections);
    }
    match group.placement.pool() {
        _ if chosen => None,
        Pool::Empty => Some(RefuseReason::NoTarget),
        Pool::FailOpen => None,
        Pool::Primaries | Pool::Backups => {
            let able = group.placement.members().iter().any(|member| member.reason() == TargetReason::Ok);
            (!able).then_some(RefuseReason::MaxConnections)
        }
    }
}

fn unrouted(question: &Question, key: &FlowKey) -> Explained {
    Explained {
        listener: question.listener.clone(),
        client: key.client_addr.to_string(),
        verdict: "refused".into(),
        refused: None,
        rule: None,
        split_point: None,
        target_group: None,
        balance: None,
        hash_key: None,
        slot: None,
        probes: 0,
        target: None,
        address: None,
        deterministic: true,
        candidates: Vec::new(),
    }
}

fn candidates(group: &GroupView) -> Vec<Candidate> {
    let candidate = |member: &Member| {
        let reason = member.reason();
        Candidate {
            target: member.runtime.id.to_string(),
            eligible: reason == TargetReason::Ok,
            reason: reason.as_str().into(),
        }
    };
    group.placement.members().iter().map(candidate).collect()
}

#[cfg(test)]
mod tests;
