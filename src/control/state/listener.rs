//! One listener as control knows it.

use crate::config::Listener;
use crate::model::Name;
use crate::snapshot::{ListenerInput, ListenerRuntime, ListenerView, ListeningAddress, compile_listener};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct ListenerState {
    pub(super) runtime: Arc<ListenerRuntime>,
    pub(super) config: Arc<Listener>,
    pub(super) addresses: Vec<Arc<ListeningAddress>>,
    /// What workers obey now; `None` = to be compiled.
    pub(super) view: Option<Arc<ListenerView>>,
}

impl ListenerState {
    /// The view of the listener as it stands now; `group_index` finds a group in the snapshot by name.
    pub(super) fn compile(&mut self, group_index: impl Fn(&Name) -> Option<usize>) -> Arc<ListenerView> {
        let compile = || {
            let input = ListenerInput {
                runtime: Arc::clone(&self.runtime),
                config: Arc::clone(&self.config),
                addresses: self.addresses.clone(),
            };
            Arc::new(compile_listener(input, group_index))
        };
        Arc::clone(self.view.get_or_insert_with(compile))
    }
}
