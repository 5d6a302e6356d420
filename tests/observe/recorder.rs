//! A recorder of metrics that can be asked.

use metrics::{Counter, Gauge, GaugeFn as _, Histogram, HistogramFn, Key, KeyName, Metadata};
use metrics::{SharedString, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

type Numbers = Mutex<BTreeMap<String, Arc<AtomicU64>>>;

#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<State>);

#[derive(Default)]
struct State {
    counters: Numbers,
    gauges: Numbers,
    histograms: Mutex<BTreeMap<String, Arc<Values>>>,
    described: AtomicU64,
}

#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

/// A metric with its labels.
fn name(key: &Key) -> String {
    let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
    key.name().to_owned() + &labels.collect::<String>()
}

fn number(numbers: &Numbers, key: &Key) -> Arc<AtomicU64> {
    Arc::clone(numbers.lock().unwrap().entry(name(key)).or_default())
}

impl Recorder {
    /// What each counter counted, those at 0 left out.
    pub(super) fn counters(&self) -> BTreeMap<String, u64> {
        let counters = self.0.counters.lock().unwrap();
        let counted =
            counters.iter().map(|(name, count)| (name.clone(), count.load(Ordering::SeqCst)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn gauge(&self, name: &str) -> Option<f64> {
        let gauges = self.0.gauges.lock().unwrap();
        gauges.get(name).map(|bits| f64::from_bits(bits.load(Ordering::SeqCst)))
    }

    /// What was recorded in a histogram.
    pub(super) fn recorded(&self, name: &str) -> Vec<f64> {
        let histograms = self.0.histograms.lock().unwrap();
        histograms.get(name).map(|values| values.0.lock().unwrap().clone()).unwrap_or_default()
    }

    /// How many metrics were described.
    pub(super) fn described(&self) -> u64 {
        self.0.described.load(Ordering::SeqCst)
    }

    fn describe(&self) {
        self.0.described.fetch_add(1, Ordering::SeqCst);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe();
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe();
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe();
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(number(&self.0.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let gauge = number(&self.0.gauges, key);
        gauge.set(0.0);
        Gauge::from_arc(gauge)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut histograms = self.0.histograms.lock().unwrap();
        Histogram::from_arc(Arc::clone(histograms.entry(name(key)).or_default()))
    }
}
