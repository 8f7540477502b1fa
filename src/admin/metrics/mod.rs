//! The metrics of forebay as Prometheus text.
//!
//! The `prometheus-client` encoder writes OpenMetrics. The text format 0.0.4, which is what every Prometheus
//! and `promtool check metrics` read, differs in two places that concern us: a counter family is named with
//! its `_total`, and there is no `# EOF`. So a counter is described under its full name and its samples are
//! written by the encoder's gauge method, which adds no suffix; and the mark of the end is left out.

mod collector;
mod families;

use crate::control::ControlView;
use crate::time::clock;
use collector::Scrape;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

/// The media type of [`text`].
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One scrape.
pub(super) fn text(view: &Arc<ControlView>) -> String {
    text_at(view, clock::now().saturating_duration_since(view.started))
}

fn text_at(view: &Arc<ControlView>, uptime: Duration) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { view: Arc::clone(view), uptime }));
    let mut text = String::with_capacity(64 * 1024);
    encode_registry(&mut text, &registry).expect("a String takes all that is written");
    text
}

#[cfg(test)]
mod tests;
