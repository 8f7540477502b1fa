//! Every metric, summed over the workers at the moment of the scrape.

use super::families::{Labels, Sheet};
use crate::admin::bodies::SessionTotals;
use crate::balance::{Pool, TargetRuntime};
use crate::config::AdminState;
use crate::control::{ControlView, HealthState, TargetDetail};
use crate::model::{CloseReason, ConnectFailure, RefuseReason};
use crate::snapshot::ListenerRuntime;
use crate::stats::{Counter, GroupCounters, Histogram, HistogramTotals, WorkerCounters};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt::Result;
use std::sync::Arc;
use std::time::Duration;

const STATES: [AdminState; 3] = [AdminState::Enabled, AdminState::Draining, AdminState::Disabled];

/// One look at the counters.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) view: Arc<ControlView>,
    pub(super) uptime: Duration,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
        let mut sheet = Sheet(encoder);
        self.process(&mut sheet)?;
        self.sessions(&mut sheet)?;
        self.traffic(&mut sheet)?;
        self.target_sessions(&mut sheet)?;
        self.target_states(&mut sheet)?;
        self.probes(&mut sheet)?;
        self.durations(&mut sheet)?;
        self.workers(&mut sheet)
    }
}

impl Scrape {
    fn process(&self, sheet: &mut Sheet<'_>) -> Result {
        let version = [([("version", env!("CARGO_PKG_VERSION"))], 1_u64)];
        sheet.gauge("forebay_build_info", "The version that runs.", version)?;
        let engine = [([("engine", self.view.engine)], 1_u64)];
        sheet.gauge("forebay_engine_info", "The engine in use.", engine)?;
        let generation = self.view.snapshot.generation;
        sheet.single("forebay_config_generation", "Number of the snapshot that was published last.", &generation)?;
        let reloaded = self.view.last_reload.as_ref().is_none_or(|last| last.ok);
        let help = "Whether the latest reload was taken; 1 before the first one.";
        sheet.single("forebay_config_last_reload_successful", help, &u64::from(reloaded))?;
        let lost = self.view.snapshot.process.log_lines_lost.get();
        let help = "Access-log lines that the sink did not take.";
        sheet.single_counter("forebay_access_log_lines_lost_total", help, &lost)?;
        sheet.single("forebay_uptime_seconds", "Time since forebay began to serve.", &self.uptime.as_secs_f64())
    }

    /// Opened, active and closed come from one reading, so that in every scrape the first is the sum of the others.
    fn sessions(&self, sheet: &mut Sheet<'_>) -> Result {
        let closed: Vec<_> = self.view.listeners.iter().map(|one| closed_by_reason(one)).collect();
        let opened = self.view.listeners.iter().map(|one| SessionTotals::read(one).opened);
        let opened: Vec<u64> = opened.zip(&closed).map(|(opened, closed)| opened.max(closed.iter().sum())).collect();
        let names = || self.view.listeners.iter().map(|one| &*one.name);
        let total = names().zip(&opened).map(|(name, opened)| ([("listener", name)], *opened));
        sheet.counter("forebay_connections_total", "TCP sessions and UDP flows begun.", total)?;
        let active = names().zip(opened.iter().zip(&closed));
        let active =
            active.map(|(name, (opened, closed))| ([("listener", name)], *opened - closed.iter().sum::<u64>()));
        sheet.gauge("forebay_connections_active", "TCP sessions and UDP flows that live now.", active)?;
        let ended = names().zip(&closed).flat_map(|(name, closed)| {
            let reasons = CloseReason::ALL.iter().zip(closed);
            reasons.map(move |(reason, count)| ([("listener", name), ("reason", reason.as_str())], *count))
        });
        sheet.counter("forebay_connections_closed_total", "TCP sessions and UDP flows ended, by cause.", ended)
    }

    fn traffic(&self, sheet: &mut Sheet<'_>) -> Result {
        let refused = self.view.listeners.iter().flat_map(|listener| {
            let name: &str = &listener.name;
            RefuseReason::ALL.iter().map(move |reason| {
                let count = listener.counters.sum(|counters| &counters.refused[reason.index()]);
                ([("listener", name), ("reason", reason.as_str())], count)
            })
        });
        sheet.counter("forebay_refused_total", "New work turned away, by reason.", refused)?;
        let bytes = self.view.listeners.iter().flat_map(|listener| {
            let row = |direction, count| ([("listener", &*listener.name), ("direction", direction)], count);
            [
                row("to_target", listener.counters.sum(|counters| &counters.bytes_to_target)),
                row("to_client", listener.counters.sum(|counters| &counters.bytes_to_client)),
            ]
        });
        sheet.counter("forebay_bytes_total", "Payload bytes written.", bytes)
    }

    /// Every target in force.
    fn targets(&self) -> impl Iterator<Item = (Labels<'_, 2>, &TargetDetail)> {
        self.view.snapshot.groups.iter().zip(&self.view.groups).flat_map(|(group, detail)| {
            group.placement.members().iter().zip(&detail.targets).map(|(member, detail)| {
                ([("target_group", &*group.runtime.name), ("target", &*member.runtime.id)], detail)
            })
        })
    }

    /// Every target in force, then those that were removed: their counters never go back.
    fn counted_targets(&self) -> impl Iterator<Item = (Labels<'_, 2>, &TargetRuntime)> {
        let in_force = self.view.snapshot.groups.iter().flat_map(|group| group.placement.members());
        let runtimes = in_force.map(|member| &member.runtime).chain(&self.view.retired_targets);
        runtimes.map(|one| ([("target_group", &*one.group.name), ("target", &*one.id)], &**one))
    }

    fn target_sessions(&self, sheet: &mut Sheet<'_>) -> Result {
        let active = self.counted_targets().map(|(labels, target)| (labels, target.load.active()));
        let help = "TCP sessions and UDP flows that a target has now, connecting ones included.";
        sheet.gauge("forebay_target_connections_active", help, active)?;
        let opened = self.counted_targets().map(|(labels, target)| (labels, target.counters.sum(|one| &one.opened)));
        let help = "TCP sessions and UDP flows that were established with a target.";
        sheet.counter("forebay_target_connections_total", help, opened)?;
        let failures = self.counted_targets().flat_map(|([group, id], target)| {
            ConnectFailure::ALL.iter().map(move |failure| {
                let count = target.counters.sum(|counters| &counters.connect_failures[failure.index()]);
                ([group, id, ("reason", failure.as_str())], count)
            })
        });
        let help = "Connection attempts to a target that failed, by reason.";
        sheet.counter("forebay_target_connect_failures_total", help, failures)
    }

    fn target_states(&self, sheet: &mut Sheet<'_>) -> Result {
        let healthy = self.targets().map(|(labels, detail)| (labels, u64::from(detail.health == HealthState::Healthy)));
        sheet.gauge("forebay_target_healthy", "Whether active checks find a target healthy.", healthy)?;
        let states = self.targets().flat_map(|([group, target], detail)| {
            let is = |state: AdminState| u64::from(detail.target.state == state);
            STATES.map(|state| ([group, target, ("state", state.as_str())], is(state)))
        });
        sheet.gauge("forebay_target_state", "The administrative state of a target: 1 for the one it is in.", states)?;
        let fail_open = self.view.snapshot.groups.iter().map(|group| {
            let open = group.placement.pool() == Pool::FailOpen;
            ([("target_group", &*group.runtime.name)], u64::from(open))
        });
        let help = "Whether a group uses targets that are not eligible, for want of others.";
        sheet.gauge("forebay_target_group_fail_open", help, fail_open)
    }

    fn probes(&self, sheet: &mut Sheet<'_>) -> Result {
        let results = self.targets().flat_map(|([group, target], detail)| {
            let row = |result, count| ([group, target, ("result", result)], count);
            let probes = &detail.probes;
            [row("passed", probes.passed), row("failed", probes.failed), row("timed_out", probes.timed_out)]
        });
        sheet.counter("forebay_probes_total", "Health checks sent, by result.", results)?;
        let seconds = self.targets().map(|(labels, detail)| {
            let probes = &detail.probes;
            (labels, probes.seconds, probes.passed + probes.failed + probes.timed_out)
        });
        sheet.sum_and_count("forebay_probe_duration_seconds", "Duration of health checks.", seconds)
    }

    fn durations(&self, sheet: &mut Sheet<'_>) -> Result {
        let connect = self.group_histograms(|counters| &counters.connect_duration);
        let help = "From the first attempt to an established connection with a target.";
        sheet.histogram("forebay_connect_duration_seconds", help, connect)?;
        let session = self.group_histograms(|counters| &counters.session_duration);
        sheet.histogram("forebay_session_duration_seconds", "From accept to the end of a session.", session)
    }

    fn group_histograms(
        &self,
        histogram: impl Fn(&GroupCounters) -> &Histogram,
    ) -> impl Iterator<Item = (Labels<'_, 1>, HistogramTotals)> {
        self.view.snapshot.groups.iter().map(move |group| {
            let mut totals = HistogramTotals::default();
            group.runtime.counters.iter().for_each(|counters| totals.add(histogram(counters)));
            ([("target_group", &*group.runtime.name)], totals)
        })
    }

    fn workers(&self, sheet: &mut Sheet<'_>) -> Result {
        let numbers: Vec<String> = (0..self.view.workers).map(|index| index.to_string()).collect();
        let rows = |counter: fn(&WorkerCounters) -> &Counter| {
            let workers = numbers.iter().zip(self.view.snapshot.process.workers.iter());
            workers.map(move |(number, counters)| ([("worker", number.as_str())], counter(counters).get()))
        };
        sheet.counter("forebay_worker_turns_total", "Turns of a worker's event loop.", rows(|one| &one.turns))?;
        let busy =
            rows(|one| &one.busy_nanos).map(|(labels, nanos)| (labels, Duration::from_nanos(nanos).as_secs_f64()));
        let help = "Time that a worker spent outside the wait for events; its rate is the busy share.";
        sheet.counter("forebay_worker_busy_seconds_total", help, busy)?;
        let open = rows(|one| &one.sessions_open);
        sheet.gauge("forebay_worker_sessions_open", "TCP sessions that a worker has now.", open)?;
        let pipes = rows(|one| &one.pipes_open);
        sheet.gauge("forebay_worker_pipes_open", "Pipes that a worker has, in use or pooled.", pipes)?;
        let generation = rows(|one| &one.generation);
        sheet.gauge("forebay_worker_generation", "The generation that a worker obeys.", generation)?;
        let help = "Access-log lines dropped because the writer did not keep up.";
        sheet.counter("forebay_worker_log_lines_dropped_total", help, rows(|one| &one.log_lines_dropped))?;
        let help = "Observations dropped because control did not keep up.";
        sheet.counter("forebay_worker_observations_dropped_total", help, rows(|one| &one.observations_dropped))
    }
}

fn closed_by_reason(listener: &ListenerRuntime) -> [u64; CloseReason::COUNT] {
    std::array::from_fn(|index| listener.counters.sum(|counters| &counters.closed[index]))
}
