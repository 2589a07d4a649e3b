//! Memory that costs nothing until it is written.

use memmap2::MmapMut;

/// Zeroed bytes that begin at a page. The system provides them where they are first written.
#[derive(Debug)]
pub(super) struct Memory {
    pages: MmapMut,
    /// The map itself is never empty.
    len: usize,
}

impl Memory {
    /// Reserves `len` zeroed bytes; `None` if the system refuses.
    pub(super) fn zeroed(len: usize) -> Option<Self> {
        let pages = MmapMut::map_anon(len.max(1)).ok()?;
        // Blocks lie anywhere, so small pages would miss the table of addresses at every turn. Not
        // every system has large ones, and it works without.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Some(Self { pages, len })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.pages[..self.len]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.pages[..self.len]
    }
}
