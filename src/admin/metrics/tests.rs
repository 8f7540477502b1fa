//! The text against the one in golden.txt, and its sums.

use super::*;
use crate::admin::fixture::{FILE, view_of};
use crate::model::{CloseReason, RefuseReason};

/// A view with a little traffic, on a clock that stands still.
fn view() -> Arc<ControlView> {
    let view = view_of(FILE);
    let listener = view.snapshot.listeners[0].runtime.counters.of(0);
    listener.opened.add(10);
    listener.closed[CloseReason::Finished.index()].add(6);
    listener.closed[CloseReason::ClientReset.index()].add(1);
    listener.refused[RefuseReason::Denied.index()].add(2);
    listener.bytes_to_client.add(5_000_000_000);
    let group = view.snapshot.groups[0].runtime.counters.of(0);
    group.connect_duration.record(Duration::from_micros(250));
    group.session_duration.record(Duration::from_secs(2));
    Arc::new(view)
}

fn text_now() -> String {
    text_at(&view(), Duration::from_millis(1500))
}

#[test]
fn the_text_is_the_golden_one() {
    let golden = include_str!("golden.txt").replace("VERSION", env!("CARGO_PKG_VERSION"));
    let text = text_now();
    if text != golden {
        let path = std::env::temp_dir().join("forebay-metrics.txt");
        std::fs::write(&path, &text).expect("written");
        panic!("the text differs from golden.txt; what came is in {}", path.display());
    }
}

#[test]
fn begun_is_active_and_closed_in_every_scrape() {
    let text = text_now();
    let sum = |start: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with(start));
        lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number")).sum()
    };
    let closed = sum("forebay_connections_closed_total{");
    assert_eq!(closed, 7);
    assert_eq!(sum("forebay_connections_total{"), sum("forebay_connections_active{") + closed);
}

#[test]
fn label_values_are_escaped() {
    assert!(text_now().contains(r#"target="odd/é\"\\""#));
}

#[test]
fn every_one_of_a_thousand_targets_is_in_the_text() {
    let targets: Vec<_> = (0..1000).map(|n| format!("\"10.0.{}.{}:80\"", n / 250, n % 250 + 1)).collect();
    let file = format!("[target_groups.web]\ntargets = [{}]\n", targets.join(","));
    let view = Arc::new(view_of(&format!("[listeners.web]\nbind = \"127.0.0.1:1\"\ntarget_group = \"web\"\n{file}")));
    let text = text_at(&view, Duration::ZERO);

    assert_eq!(text.lines().filter(|line| line.starts_with("forebay_target_healthy{")).count(), 1000);
}
