//! Writing results, several threads at once.

use std::marker::PhantomData;

/// Floats that several threads write, each its own part.
pub(super) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only use of the pointer is `part`, whose callers promise disjoint parts.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Borrows all floats.
    pub(super) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// The floats from `start` on.
    ///
    /// # Safety
    ///
    /// While the part lives, nobody else may have any of these floats.
    ///
    /// # Panics
    ///
    /// If the part does not lie within what was borrowed.
    #[expect(clippy::mut_from_ref, reason = "callers promise disjoint parts")]
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "a part lies within the whole");
        // SAFETY: the part lies within the borrowed floats, as was just checked, and the caller
        // promises that nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
