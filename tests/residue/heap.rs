//! What the process holds: bytes on the heap, open file descriptors.

#![expect(unsafe_code, reason = "an allocator is unsafe to write, and this one counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, counting for all threads together.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

fn count(freed: usize, allocated: usize) {
    LIVE.fetch_add(allocated as isize - freed as isize, Ordering::Relaxed);
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
        count(layout.size(), new_size);
        // SAFETY: the caller's promises are the ones demanded.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is held at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub bytes: isize,
    pub descriptors: usize,
}

pub fn held() -> Held {
    // The directory is open while it is read, each time.
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count();
    Held { bytes: LIVE.load(Ordering::Relaxed), descriptors }
}
