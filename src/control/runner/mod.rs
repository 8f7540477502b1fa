//! The loop that gives [`State`] its inputs and does what follows: publish, probe, answer, show.

mod reload;
mod shown;
mod watch;

use super::access_log::AccessLog;
use super::binder::Binder;
use super::capacity::Capacity;
use super::prober::Prober;
use super::published::{AnswerTo, Published};
use super::signals::{Asked, Signals};
use super::state::{Answer, Effect, Input, ProbeReport, State};
use super::{Changed, ControlLink, ControlView, LastReload, LogLimit, Refusal, Request, ServiceState};
use crate::config::Config;
use crate::engine::Outbox;
use crate::model::CloseReason;
use crate::snapshot::{Phase, ProcessRuntime, Snapshot};
use crate::sys::AsyncBell;
use crate::time::clock;
use crate::worker::Worker;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Requests that may wait.
const REQUESTS: usize = 64;

/// Observations taken at a time.
const OBSERVATIONS: usize = 1024;

/// How often it is looked whether workers still run, while serving and while they end.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_ENDING: Duration = Duration::from_millis(10);

/// How long what is left may take once sessions were reset: workers, then the access log.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// How the process is asked to end from within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Go on.
    Not,
    /// Drain, as SIGTERM does.
    Drained,
    /// Reset what runs.
    AtOnce,
}

/// Everything that control drives.
#[derive(Debug)]
pub struct Runner {
    state: State,
    binder: Binder,
    workers: Vec<Worker>,
    /// Workers whose unexpected end was told.
    ended: Vec<bool>,
    told: watch::Told,
    limit: LogLimit<&'static str>,
    outbox: Arc<Outbox>,
    access_log: AccessLog,
    process: Arc<ProcessRuntime>,
    capacity: Capacity,
    /// What the process was started with: some keys hold for its life.
    started_with: Arc<Config>,
    started: Instant,
    config_file: Option<PathBuf>,
    last_reload: Option<LastReload>,
    pending_restart: Vec<&'static str>,
    published: Published,
    random: fastrand::Rng,
    requests: mpsc::Receiver<(Request, AnswerTo)>,
    view: tokio::sync::watch::Sender<Arc<ControlView>>,
    view_made: Instant,
    /// Something small has changed since, such as the count of probes.
    is_view_stale: bool,
    link: ControlLink,
    end: (tokio::sync::watch::Sender<End>, tokio::sync::watch::Receiver<End>),
}

/// What wakes control.
enum Woken {
    Request(Request, AnswerTo),
    Probed(ProbeReport),
    Rung,
    Signal(Asked),
    Ending,
    Time,
}

impl Runner {
    #[allow(clippy::too_many_arguments, reason = "made in one place, from what was just started")]
    pub(super) fn new(
        state: State,
        binder: Binder,
        workers: Vec<Worker>,
        outbox: Arc<Outbox>,
        access_log: AccessLog,
        process: Arc<ProcessRuntime>,
        capacity: Capacity,
        config: Arc<Config>,
        config_file: Option<PathBuf>,
        first: Arc<Snapshot>,
    ) -> Self {
        let (requests_in, requests) = mpsc::channel(REQUESTS);
        let started = clock::now();
        let picture = state.picture(started, clock::wall()).expect("the first generation was compiled");
        let view = shown::view(picture, &shown::Frame::new(workers.len(), started, config_file.as_ref(), &capacity));
        let (view, view_out) = tokio::sync::watch::channel(Arc::new(view));
        Self {
            ended: vec![false; workers.len()],
            told: watch::Told::default(),
            limit: LogLimit::new(),
            state,
            binder,
            workers,
            outbox,
            access_log,
            process,
            capacity,
            started_with: config,
            started,
            config_file,
            // The start was the first time that the configuration was taken.
            last_reload: Some(LastReload { ok: true, time: clock::wall(), message: String::new() }),
            pending_restart: Vec::new(),
            published: Published::new(first),
            random: fastrand::Rng::new(),
            requests,
            view,
            view_made: started,
            is_view_stale: false,
            link: ControlLink::new(requests_in, view_out),
            end: tokio::sync::watch::channel(End::Not),
        }
    }

    /// How others reach control.
    #[must_use]
    pub fn link(&self) -> ControlLink {
        self.link.clone()
    }

    /// How the process is ended from within.
    pub(crate) fn ender(&self) -> tokio::sync::watch::Sender<End> {
        self.end.0.clone()
    }

    /// Runs until every worker has ended. Call it inside a `LocalSet`.
    ///
    /// # Errors
    /// When the event loop has no descriptor for bells or signals.
    pub async fn run(mut self, with_signals: bool) -> std::io::Result<()> {
        let mut signals = if with_signals { Some(Signals::listen()?) } else { None };
        let bell = AsyncBell::new(&self.outbox.control_bell)?;
        let (reports_in, mut reports) = mpsc::unbounded_channel();
        let prober = Prober::new(self.capacity.probes, reports_in);
        self.apply(Input::Tick).ok();
        while !self.settle(&prober) {
            match self.wait(&mut signals, &bell, &mut reports).await? {
                Woken::Request(request, answer_to) => self.answer(request, answer_to),
                Woken::Probed(report) => {
                    self.take_probe(report);
                    while let Ok(report) = reports.try_recv() {
                        self.take_probe(report);
                    }
                }
                Woken::Rung => self.take_observations(),
                Woken::Signal(asked) => {
                    if self.obey(asked) {
                        break;
                    }
                }
                Woken::Ending => {
                    let end = *self.end.1.borrow_and_update();
                    match end {
                        End::Not => {}
                        End::Drained => drop(self.apply(Input::Shutdown)),
                        End::AtOnce => break,
                    }
                }
                Woken::Time => drop(self.apply(Input::Tick)),
            }
        }
        self.finish().await;
        Ok(())
    }

    async fn wait(
        &mut self,
        signals: &mut Option<Signals>,
        bell: &AsyncBell,
        reports: &mut mpsc::UnboundedReceiver<ProbeReport>,
    ) -> std::io::Result<Woken> {
        let deadline = tokio::time::Instant::from_std(self.next_deadline(clock::now()));
        let signal = async {
            match signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        Ok(tokio::select! {
            biased;
            asked = signal => Woken::Signal(asked),
            // Both ends are ours, so it never closes.
            _ = self.end.1.changed() => Woken::Ending,
            Some((request, answer_to)) = self.requests.recv() => Woken::Request(request, answer_to),
            rung = bell.rung() => rung.map(|()| Woken::Rung)?,
            Some(report) = reports.recv() => Woken::Probed(report),
            () = tokio::time::sleep_until(deadline) => Woken::Time,
        })
    }

    fn next_deadline(&mut self, now: Instant) -> Instant {
        let look = now + if self.state.service() == ServiceState::Stopping { LOOK_ENDING } else { LOOK };
        let view = self.is_view_stale.then(|| self.view_made + shown::PACE);
        let deadlines = [self.state.next_deadline(), self.published.next_deadline(), view, Some(look)];
        deadlines.into_iter().flatten().min().unwrap_or(look)
    }

    fn apply(&mut self, input: Input) -> Result<Answer, Refusal> {
        self.state.apply(input, clock::now(), &mut self.random)
    }

    fn take_probe(&mut self, report: ProbeReport) {
        self.is_view_stale = true;
        // Only operators' inputs are ever refused.
        drop(self.apply(Input::ProbeEnded(report)));
    }

    fn take_observations(&mut self) {
        for _ in 0..OBSERVATIONS {
            let Some(observation) = self.outbox.observations.pop() else { return };
            drop(self.apply(Input::Observed(observation)));
        }
        // More than a batch: come back for the rest.
        self.outbox.control_bell.ring();
    }

    /// Does what follows from the inputs taken; true when all is over.
    fn settle(&mut self, prober: &Prober) -> bool {
        let now = clock::now();
        if let Some(adopted) = self.published.look(&self.workers) {
            drop(self.apply(Input::Adopted(adopted)));
        }
        self.tell_ended_workers();
        self.tell_exhaustion(now);
        let snapshot = self.state.compile(now);
        if let Some(snapshot) = &snapshot {
            self.published.publish(snapshot, &self.workers);
        }
        for effect in self.state.take_effects() {
            match effect {
                Effect::StartProbe(order) => prober.start(order),
                Effect::Event(event) => event.log(self.state.generation()),
            }
        }
        self.show(now, snapshot.is_some());
        self.published.answer(now);
        self.state.service() == ServiceState::Stopping && self.workers.iter().all(Worker::is_finished)
    }

    /// Obeys a signal; true when everything is to end at once.
    fn obey(&mut self, asked: Asked) -> bool {
        match asked {
            Asked::Reload => {
                tracing::info!("SIGHUP: reload");
                // Logged where it fails.
                drop(self.reload(false));
            }
            Asked::End if matches!(self.state.service(), ServiceState::Draining | ServiceState::Stopping) => {
                tracing::warn!("second signal: ending at once");
                return true;
            }
            Asked::End => drop(self.apply(Input::Shutdown)),
            Asked::ReopenLogs => self.access_log.reopen(),
            Asked::Upgrade => tracing::warn!("SIGUSR2: this version cannot hand over to another"),
        }
        false
    }

    fn answer(&mut self, request: Request, answer_to: AnswerTo) {
        let now = clock::now();
        let done = match request {
            Request::Reload { keep_changes } => self.reload(keep_changes),
            Request::ChangeTarget { group, target, change } => {
                self.apply(Input::ChangeTarget { group, target, change })
            }
            Request::Shutdown => {
                let done = self.apply(Input::Shutdown);
                // Not to be waited for: it is under way.
                let _gone = answer_to.send(done.map(|answer| self.changed(answer, self.state.generation())));
                return;
            }
        };
        match done {
            Ok(answer) => {
                // What was changed is published right now, so that the answer names its generation.
                if let Some(snapshot) = self.state.compile(now) {
                    self.published.publish(&snapshot, &self.workers);
                    self.show(now, true);
                }
                let changed = self.changed(answer, self.state.generation());
                self.published.answer_when_adopted(changed, answer_to, now);
            }
            Err(refusal) => {
                let _gone = answer_to.send(Err(refusal));
            }
        }
    }

    fn changed(&self, answer: Answer, generation: u64) -> Changed {
        let Answer { changed, discarded } = answer;
        Changed { generation, changed, discarded, pending_restart: self.pending_restart.clone() }
    }

    /// The end: what still runs is reset, and every session that ended has its line.
    async fn finish(mut self) {
        let process = Arc::clone(&self.process);
        let listeners = self.view.borrow().listeners.clone();
        if !self.workers.iter().all(Worker::is_finished) {
            let last = Snapshot {
                generation: self.state.generation() + 1,
                phase: Phase::Halted,
                process,
                listeners: Vec::new(),
                groups: self.view.borrow().snapshot.groups.clone(),
                orders: self.view.borrow().snapshot.orders.clone(),
                records_wanted: self.view.borrow().snapshot.records_wanted,
            };
            self.published.publish(&Arc::new(last), &self.workers);
            let until = clock::now() + LAST_WAIT;
            while !self.workers.iter().all(Worker::is_finished) && clock::now() < until {
                tokio::time::sleep(LOOK_ENDING).await;
            }
        }
        let closed = |reason: CloseReason| {
            let of = |listener: &Arc<crate::snapshot::ListenerRuntime>| {
                listener.counters.sum(|counters| &counters.closed[reason.index()])
            };
            listeners.iter().map(of).sum::<u64>()
        };
        let by_force = closed(CloseReason::Shutdown);
        if by_force > 0 {
            tracing::warn!(sessions = by_force, "sessions had to be closed");
        }
        if !self.access_log.finish(LAST_WAIT, clock::now) {
            tracing::warn!("the access log did not take its last lines");
        }
        tracing::info!("forebay has ended");
    }
}
