//! Floods hold a bounded amount of memory, or as much as has arrived; what they cost grows with them
//! and no faster, as `tests/floods.sh` counts it.
#![cfg(feature = "tokio")]

mod flood;
#[path = "../common/heap.rs"]
mod heap;

use heap::measure;

#[test]
fn floods_hold_no_more_than_their_bound() {
    for flood in flood::FLOODS {
        (flood.run)(1); // what is kept for the next one is there
        for n in [flood.units, 2 * flood.units] {
            let (heap, bound) = (measure(|| (flood.run)(n)), (flood.holds)(n));
            println!("{n:>7} {:>9} of {bound:>9} bytes: {}", heap.peak, flood.name);
            assert!(heap.peak <= bound, "{}: {heap:?} for {n}", flood.name);
            // A vector that doubles has had all its sizes: twice the last one, and no more.
            assert!(heap.allocated <= 2 * bound, "{}: {heap:?} for {n}", flood.name);
        }
    }
}
