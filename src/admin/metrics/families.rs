//! Writing one family of samples.

use crate::stats::{BUCKET_BOUNDS_SECONDS, HistogramTotals};
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt::Result;

/// Labels of one sample; the encoder escapes the values.
pub(super) type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// Where families are written to.
pub(super) struct Sheet<'a>(pub(super) DescriptorEncoder<'a>);

impl Sheet<'_> {
    /// A family of gauges.
    pub(super) fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> Result {
        self.plain(name, help, MetricType::Gauge, samples)
    }

    /// A gauge of its own, without labels.
    pub(super) fn single(&mut self, name: &'static str, help: &str, value: &impl EncodeGaugeValue) -> Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(value)
    }

    /// A counter of its own, without labels; `name` ends in `_total`.
    pub(super) fn single_counter(&mut self, name: &'static str, help: &str, value: &impl EncodeGaugeValue) -> Result {
        self.0.encode_descriptor(name, help, None, MetricType::Counter)?.encode_gauge(value)
    }

    /// A family of counters; `name` ends in `_total`.
    pub(super) fn counter<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> Result {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.plain(name, help, MetricType::Counter, samples)
    }

    fn plain<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (L, V)>,
    ) -> Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A family of histograms with the buckets of [`BUCKET_BOUNDS_SECONDS`].
    pub(super) fn histogram<L: EncodeLabelSet>(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = (L, HistogramTotals)>,
    ) -> Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, totals) in samples {
            let bounds = BUCKET_BOUNDS_SECONDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(totals.buckets).collect();
            let mut sample = family.encode_family(&labels)?;
            sample.encode_histogram::<NoLabelSet>(totals.sum_seconds, totals.count, &buckets, None)?;
        }
        Ok(())
    }

    /// A family of sums and counts: histograms whose one bucket has no bound.
    pub(super) fn sum_and_count<L: EncodeLabelSet>(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64, u64)>,
    ) -> Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, sum, count) in samples {
            let mut sample = family.encode_family(&labels)?;
            sample.encode_histogram::<NoLabelSet>(sum, count, &[(f64::INFINITY, count)], None)?;
        }
        Ok(())
    }
}
