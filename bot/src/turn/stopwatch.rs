//! How long the stages of a turn take.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Times of the stages, in the order they ran. Shared by the stages, which give values and no times.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    began: Instant,
    laps: Mutex<Laps>,
}

#[derive(Debug)]
struct Laps {
    last: Instant,
    all: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            laps: Mutex::new(Laps {
                last: now,
                all: Vec::with_capacity(8),
            }),
        }
    }

    /// Ends a stage.
    pub(crate) fn lap(&self, stage: &'static str) {
        let now = Instant::now();
        let mut laps = self.laps.lock();
        let time = now - laps.last;
        laps.all.push((stage, time));
        laps.last = now;
        metrics::histogram!("frontdesk_stage_seconds", "stage" => stage).record(time.as_secs_f64());
    }

    /// Notes a time that is measured from the turn's beginning.
    pub(crate) fn since_start(&self, name: &'static str) {
        self.laps.lock().all.push((name, self.began.elapsed()));
    }

    /// Milliseconds by stage, and in `total`.
    pub(crate) fn millis(&self) -> BTreeMap<&'static str, f64> {
        let mut millis: BTreeMap<&'static str, f64> = BTreeMap::new();
        for (stage, time) in &self.laps.lock().all {
            *millis.entry(stage).or_default() += time.as_secs_f64() * 1e3;
        }
        millis.insert("total", self.began.elapsed().as_secs_f64() * 1e3);
        millis
    }
}
