//! What the half relay costs beside the system calls that it asks for.
#![allow(missing_docs, reason = "criterion_group! makes a public function")]

use criterion::{Criterion, criterion_group, criterion_main};
use forebay::relay::{HalfRelay, Pace, Step};
use std::hint::black_box;

/// One message read and written in two parts, as a busy direction does all day.
fn half_relay(criterion: &mut Criterion) {
    criterion.bench_function("half_relay/message", |bencher| {
        let (mut half, mut pace) = (HalfRelay::START, Pace::START);
        bencher.iter(|| {
            let len = black_box(64);
            assert_eq!(half.step(), Step::Read);
            half = half.read(len);
            pace = pace.copied(len, 32_768);
            while half.step() == Step::Write {
                half = half.wrote(half.held().div_ceil(2));
            }
            black_box(pace.transport())
        });
    });
}

criterion_group!(benches, half_relay);
criterion_main!(benches);
