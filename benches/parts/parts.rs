//! The time that each part takes: `cargo bench` here, or with
//! `--manifest-path benches/parts/Cargo.toml`.

#[path = "../work/mod.rs"]
mod work;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn parts(criterion: &mut Criterion) {
    for mut work in work::works() {
        let mut group = criterion.benchmark_group("parts");
        group.throughput(match work.bytes {
            0 => Throughput::Elements(work.units as u64),
            bytes => {
                Throughput::ElementsAndBytes { elements: work.units as u64, bytes: bytes as u64 }
            }
        });
        group.bench_function(BenchmarkId::from_parameter(&work.name), |bencher| {
            bencher.iter(&mut work.run)
        });
        group.finish();
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
