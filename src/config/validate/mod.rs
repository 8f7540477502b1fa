//! The checks across tables.

mod addresses;
mod group;
mod listener;

use super::build::Draft;
use super::problems::{Problem, Problems};
use super::types::AdminAddr;
use super::values;
use crate::model::{Name, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// Which protocols reach a target group, by the group's name.
type Users = BTreeMap<Name, BTreeSet<Protocol>>;

/// Checks everything that takes more than one value to judge.
pub(super) fn check(draft: &Draft<'_>, problems: &Problems) {
    let names: BTreeSet<&str> = draft.groups.iter().map(|group| &*group.group.name).collect();
    let mut users = Users::new();
    for listener in &draft.listeners {
        for reference in &listener.references {
            users.entry(reference.value.clone()).or_default().insert(listener.listener.protocol);
        }
        listener::check(listener, &names, problems);
    }
    addresses::overlaps(draft, problems);
    addresses::own(draft, &users, problems);
    for group in &draft.groups {
        group::check(group, draft, problems);
    }
    admin(draft, problems);
    // What is missing beside an error is most likely what the error is about.
    if !problems.any_error() {
        nothing_to_serve(draft, &users, problems);
    }
}

fn nothing_to_serve(draft: &Draft<'_>, users: &Users, problems: &Problems) {
    if draft.listeners.is_empty() {
        let message = "the file has no listener, so nothing can be served";
        let hint = "add [listeners.NAME] with `bind` and `target_group`";
        problems.add(Problem::warning("no_listeners", &(0..0), message).text_hint(hint));
    }
    for group in &draft.groups {
        let name = &group.group.name;
        if group.written == 0 {
            let message = format!("the target group `{name}` is empty: its clients are refused");
            problems.add(Problem::warning("empty_target_group", &group.header, message));
        }
        if !users.contains_key(name) {
            let message = format!("no listener uses the target group `{name}`");
            problems.add(Problem::warning("unused_target_group", &group.header, message));
        }
    }
}

/// Whoever reaches the admin API can stop the process, so beyond this machine it takes a token.
fn admin(draft: &Draft<'_>, problems: &Problems) {
    for listen in draft.admin_listen.iter().filter(|_| draft.admin_listen.len() > 1) {
        if values::admin(values::DEFAULT_ADMIN).as_ref() == Ok(&listen.value) {
            let message = "beside other addresses the path of the socket must be written out";
            problems.add(
                Problem::error("invalid_value", &listen.span, message).text_hint("\"unix:/run/forebay/admin.sock\""),
            );
        }
    }
    if draft.admin.token_file.is_some() {
        return;
    }
    for listen in &draft.admin_listen {
        if let AdminAddr::Tcp(addr) = &listen.value
            && !values::is_loopback(addr.ip())
        {
            let message = "an admin address beyond loopback needs `token_file`";
            let problem = Problem::error("missing_key", &listen.span, message);
            problems.add_absent(problem.text_hint("set `token_file` in [admin], or listen on 127.0.0.1"));
        }
    }
}
