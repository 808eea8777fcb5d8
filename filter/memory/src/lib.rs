//! The filter's allocator: small blocks that were given back are kept for the next request of their size. An exchange makes
//! and drops a few hundred, and looking each up in the heap was a seventh of what it costs (docs/decisions/0013-talc.md).
//!
//! Law: what is kept is bounded, so that no order of sizes can take the memory of a VM.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait; each block says why it holds")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

/// Blocks come in multiples of this, and are aligned to it.
const GRAIN: usize = 16;
/// Sizes that are kept: up to a kilobyte. Larger ones are few.
const CLASSES: usize = 64;
/// Bytes kept of each size.
const KEPT_BYTES: usize = 32 << 10;

/// A heap with free lists for small blocks in front of it.
pub struct Pooled<A> {
    heap: A,
    classes: [Class; CLASSES + 1],
}

/// Free blocks of one size, each of which holds the address of the next.
struct Class {
    first: Cell<*mut u8>,
    count: Cell<usize>,
}

// SAFETY: without the atomics proposal a module of WebAssembly has one thread.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl<A: Sync> Sync for Pooled<A> {}

impl<A: GlobalAlloc> Pooled<A> {
    /// Free lists in front of that heap, empty.
    pub const fn over(heap: A) -> Self {
        Pooled {
            heap,
            classes: [const { Class { first: Cell::new(ptr::null_mut()), count: Cell::new(0) } };
                CLASSES + 1],
        }
    }

    /// The free blocks that serve a layout, and the layout these have; nothing for large ones.
    #[inline(always)]
    fn class(&self, layout: Layout) -> Option<(&Class, Layout)> {
        let class = layout.size().div_ceil(GRAIN).max(1);
        let block = Layout::from_size_align(class * GRAIN, GRAIN).ok()?;
        let class = self.classes.get(class).filter(|_| layout.align() <= GRAIN)?;
        Some((class, block))
    }
}

// SAFETY: a block of a class is one that `heap` gave out for the class's layout, which covers every layout of that class in
// size and alignment; it is in the list or with the caller, never both.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Pooled<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((class, block)) = self.class(layout) else {
            // SAFETY: the caller's promise about the layout.
            return unsafe { self.heap.alloc(layout) };
        };
        let first = class.first.get();
        if first.is_null() {
            // SAFETY: the block's size is not zero.
            return unsafe { self.heap.alloc(block) };
        }
        // SAFETY: a free block begins with the address of the next one, and is aligned for it.
        class.first.set(unsafe { first.cast::<*mut u8>().read() });
        class.count.set(class.count.get() - 1);
        first
    }

    #[inline(never)]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some((class, block)) = self.class(layout) else {
            // SAFETY: no class serves the layout, so `heap` gave it out.
            return unsafe { self.heap.dealloc(at, layout) };
        };
        if class.count.get() * block.size() >= KEPT_BYTES {
            // SAFETY: `heap` gave it out for the class's layout.
            return unsafe { self.heap.dealloc(at, block) };
        }
        // SAFETY: nobody uses the block any more; it is large enough for an address and aligned for one.
        unsafe { at.cast::<*mut u8>().write(class.first.get()) };
        class.first.set(at);
        class.count.set(class.count.get() + 1);
    }

    #[inline(never)]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size, rounded up to the alignment, is a valid one.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let blocks = |layout| self.class(layout).map(|(_, block)| block);
        match (blocks(layout), blocks(wanted)) {
            (Some(has), Some(wants)) if has == wants => at,
            // SAFETY: `heap` gave it out as it is.
            (None, None) => unsafe { self.heap.realloc(at, layout, size) },
            // SAFETY: both blocks are at least as large as what is copied, and they are two.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(at, moved, layout.size().min(size));
                    self.dealloc(at, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    /// Whatever the order of sizes: each block is its owner's alone, keeps what was written when it moves, and what is
    /// kept stays within bounds.
    #[test]
    fn blocks_are_their_owners_alone() {
        let memory = Pooled::over(System);
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for turn in 0..200_000_u32 {
            let mark = turn as u8;
            match next(3) {
                0 => {
                    let layout = Layout::from_size_align(next(1500) + 1, 1 << next(6)).expect("a layout");
                    // SAFETY: the size is not zero; it is written within.
                    let at = unsafe {
                        let at = memory.alloc(layout);
                        at.write_bytes(mark, layout.size());
                        at
                    };
                    assert_eq!(at.align_offset(layout.align()), 0, "{layout:?}");
                    held.push((at, layout, mark));
                }
                1 if !held.is_empty() => {
                    let (at, layout, mark) = held.swap_remove(next(held.len()));
                    check(at, layout.size(), mark);
                    // SAFETY: it was given out for that layout, and is forgotten.
                    unsafe { memory.dealloc(at, layout) };
                }
                2 if !held.is_empty() => {
                    let (at, layout, mark) = held.swap_remove(next(held.len()));
                    let wanted = Layout::from_size_align(next(3000) + 1, layout.align()).expect("a layout");
                    // SAFETY: it was given out for that layout, and is replaced by what comes back.
                    let moved = unsafe { memory.realloc(at, layout, wanted.size()) };
                    check(moved, layout.size().min(wanted.size()), mark);
                    // SAFETY: within the new size.
                    unsafe { moved.write_bytes(mark, wanted.size()) };
                    held.push((moved, wanted, mark));
                }
                _ => {}
            }
        }
        for (at, layout, mark) in held.drain(..) {
            check(at, layout.size(), mark);
            // SAFETY: it was given out for that layout.
            unsafe { memory.dealloc(at, layout) };
        }
        for (number, class) in memory.classes.iter().enumerate() {
            assert!(class.count.get() * number * GRAIN < KEPT_BYTES + number * GRAIN, "class {number}");
        }
        assert!(memory.classes.iter().any(|class| class.count.get() > 0));
    }

    fn check(at: *mut u8, size: usize, mark: u8) {
        // SAFETY: a block of at least so many bytes, all of them written.
        let bytes = unsafe { std::slice::from_raw_parts(at, size) };
        assert!(bytes.iter().all(|b| *b == mark), "a block of {size} bytes was written by another");
    }
}
