//! A slice that several threads write in disjoint parts.

use std::marker::PhantomData;

/// A borrowed slice to be handed out in parts.
pub(crate) struct SharedSlice<'a, T> {
    start: *mut T,
    len: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: the only use of the pointer is `part`, whose callers promise disjoint parts.
unsafe impl<T: Send> Sync for SharedSlice<'_, T> {}

impl<'a, T> SharedSlice<'a, T> {
    /// Borrows a slice.
    pub(crate) fn new(values: &'a mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// A part of the slice.
    ///
    /// # Safety
    ///
    /// No two parts that are in use at the same time may overlap.
    ///
    /// # Panics
    ///
    /// If the part does not lie within the slice.
    #[expect(clippy::mut_from_ref, reason = "the caller promises disjoint parts")]
    pub(crate) unsafe fn part(&self, first: usize, len: usize) -> &mut [T] {
        assert!(first <= self.len && len <= self.len - first, "a part lies within its slice");
        // SAFETY: the part was checked to lie within the borrowed slice, and the caller promises
        // that nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}
