//! What a test allocates.

#![expect(unsafe_code, reason = "an allocator is unsafe to write, and this one counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting for each thread what it does.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    pub static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(freed: usize, allocated: usize) {
    LIVE.set(LIVE.get() + allocated as isize - freed as isize);
    PEAK.set(PEAK.get().max(LIVE.get()));
    if allocated > 0 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        ALLOCATED.set(ALLOCATED.get() + allocated);
    }
}

// SAFETY: calls go to the system's allocator as they came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are the ones demanded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are the ones demanded.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are the ones demanded.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // A block that moves is there twice for a moment.
        count(0, new_size);
        count(layout.size(), 0);
        // SAFETY: the caller's promises are the ones demanded.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What happened on the heap of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    pub allocations: usize,
    pub allocated: usize,
    /// The most that was live at once, beyond what was live before.
    pub peak: usize,
}

pub fn measure(action: impl FnOnce()) -> Heap {
    let (allocations, allocated, live) = (ALLOCATIONS.get(), ALLOCATED.get(), LIVE.get());
    PEAK.set(live);
    action();
    Heap {
        allocations: ALLOCATIONS.get() - allocations,
        allocated: ALLOCATED.get() - allocated,
        peak: (PEAK.get() - live) as usize,
    }
}
