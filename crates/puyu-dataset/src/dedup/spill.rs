//! Sorting more records than memory holds.
//!
//! Records are arrays of `u64`, ordered like tuples. A full buffer is sorted and appended to one
//! unnamed temporary file as a *run*; at the end the runs are merged. One file holds all runs, so
//! that their number is not bounded by open files; where there are more runs than read buffers fit
//! into the limit, they are first merged in groups. Equal records are indistinguishable, hence the
//! output is the same bytes whatever the limit and the threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rayon::slice::ParallelSliceMut;

use super::option_error;
use crate::error::DatasetError;

/// The smallest memory limit, in bytes: eight read buffers.
pub const MIN_MEMORY_BYTES: u64 = 64 << 10;

/// The smallest read buffer of a run in a merge, in bytes.
const READ_BYTES: usize = 8 << 10;

/// The largest read buffer of a run: beyond, a disk reads no faster.
const MAX_READ_BYTES: usize = 4 << 20;

/// Sorts records of `N` numbers within a memory limit.
///
/// ```
/// use puyu_dataset::dedup::Sorter;
///
/// let folder = tempfile::tempdir()?;
/// let mut sorter = Sorter::new(folder.path(), 1 << 20)?;
/// sorter.push([3, 1])?;
/// sorter.push([2, 9])?;
/// let sorted: Result<Vec<[u64; 2]>, _> = sorter.finish()?.collect();
/// assert_eq!(sorted?, [[2, 9], [3, 1]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sorter<const N: usize> {
    folder: PathBuf,
    memory_bytes: usize,
    capacity: usize,
    buffer: Vec<[u64; N]>,
    spilled: Option<Spilled>,
}

/// Sorted runs in one file.
#[derive(Debug)]
struct Spilled {
    file: BufWriter<File>,
    runs: Vec<Run>,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    offset: u64,
    records: u64,
}

impl<const N: usize> Sorter<N> {
    /// A sorter that holds at most `memory_bytes` and spills into unnamed files in `folder`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the limit is below [`MIN_MEMORY_BYTES`].
    pub fn new(folder: impl AsRef<Path>, memory_bytes: u64) -> Result<Self, DatasetError> {
        if memory_bytes < MIN_MEMORY_BYTES {
            return Err(option_error("memory_bytes", "at least 65536", memory_bytes));
        }
        let memory_bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            folder: folder.as_ref().to_owned(),
            memory_bytes,
            // While a vector grows, old and new exist together: 1.5 times half the limit.
            capacity: memory_bytes / 2 / (8 * N.max(1)),
            buffer: Vec::new(),
            spilled: None,
        })
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    #[inline]
    pub fn push(&mut self, record: [u64; N]) -> Result<(), DatasetError> {
        if self.buffer.len() == self.buffer.capacity() {
            self.make_room()?;
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Grows the buffer by doubling as far as the limit allows, then spills it.
    fn make_room(&mut self) -> Result<(), DatasetError> {
        let len = self.buffer.len();
        if len >= self.capacity {
            return self.spill();
        }
        let target = (len * 2).clamp(64.min(self.capacity), self.capacity);
        self.buffer.reserve_exact(target - len);
        Ok(())
    }

    fn spill(&mut self) -> Result<(), DatasetError> {
        self.buffer.par_sort_unstable();
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            empty => empty.insert(Spilled::create(&self.folder)?),
        };
        let records = self.buffer.drain(..).map(Ok);
        spilled.append(&self.folder, records)
    }

    /// Sorts what is left and returns all records in order.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be read or written.
    pub fn finish(mut self) -> Result<Sorted<N>, DatasetError> {
        if self.spilled.is_none() {
            self.buffer.par_sort_unstable();
            return Ok(Sorted { source: Source::Memory(self.buffer.into_iter()) });
        }
        self.spill()?;
        self.buffer = Vec::new();
        let mut spilled = self.spilled.expect("a run was just written");
        // One read buffer is left for the writer of a merge.
        let fan_in = (self.memory_bytes / READ_BYTES).saturating_sub(1).max(2);
        while spilled.runs.len() > fan_in {
            spilled = merge_groups::<N>(&self.folder, spilled, (fan_in, self.memory_bytes))?;
        }
        let merge = Merge::new(self.folder, spilled, self.memory_bytes)?;
        Ok(Sorted { source: Source::Merge(merge) })
    }
}

/// Merges each group of `fan_in` runs into one run of a new file.
fn merge_groups<const N: usize>(
    folder: &Path,
    spilled: Spilled,
    (fan_in, memory_bytes): (usize, usize),
) -> Result<Spilled, DatasetError> {
    let mut merged = Spilled::create(folder)?;
    let (mut file, runs) = spilled.into_parts(folder)?;
    for group in runs.chunks(fan_in) {
        let mut merge = Merge::<N>::over(folder.to_owned(), file, group, memory_bytes)?;
        merged.append(folder, &mut merge)?;
        file = merge.file;
    }
    Ok(merged)
}

impl Spilled {
    fn create(folder: &Path) -> Result<Self, DatasetError> {
        let file = tempfile::tempfile_in(folder).map_err(DatasetError::io("write", folder))?;
        Ok(Self { file: BufWriter::with_capacity(READ_BYTES, file), runs: Vec::new(), bytes: 0 })
    }

    fn append<const N: usize>(
        &mut self,
        folder: &Path,
        records: impl Iterator<Item = Result<[u64; N], DatasetError>>,
    ) -> Result<(), DatasetError> {
        let offset = self.bytes;
        let mut count = 0_u64;
        for record in records {
            for number in record? {
                self.file
                    .write_all(&number.to_le_bytes())
                    .map_err(DatasetError::io("write", folder))?;
            }
            count += 1;
        }
        self.bytes += count * 8 * N as u64;
        if count > 0 {
            self.runs.push(Run { offset, records: count });
        }
        Ok(())
    }

    fn into_parts(self, folder: &Path) -> Result<(File, Vec<Run>), DatasetError> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        Ok((file.map_err(DatasetError::io("write", folder))?, self.runs))
    }
}

/// All records in order. After an error there are no more.
#[derive(Debug)]
pub struct Sorted<const N: usize> {
    source: Source<N>,
}

#[derive(Debug)]
enum Source<const N: usize> {
    Memory(std::vec::IntoIter<[u64; N]>),
    Merge(Merge<N>),
}

impl<const N: usize> Iterator for Sorted<N> {
    type Item = Result<[u64; N], DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Memory(records) => records.next().map(Ok),
            Source::Merge(merge) => merge.next(),
        }
    }
}

/// A k-way merge of runs in one file.
#[derive(Debug)]
struct Merge<const N: usize> {
    folder: PathBuf,
    file: File,
    readers: Vec<RunReader<N>>,
    heads: BinaryHeap<Reverse<([u64; N], usize)>>,
}

#[derive(Debug)]
struct RunReader<const N: usize> {
    run: Run,
    buffer: Vec<u8>,
    at: usize,
    buffer_bytes: usize,
}

impl<const N: usize> Merge<N> {
    fn new(folder: PathBuf, spilled: Spilled, memory: usize) -> Result<Self, DatasetError> {
        let (file, runs) = spilled.into_parts(&folder)?;
        Self::over(folder, file, &runs, memory)
    }

    fn over(
        folder: PathBuf,
        file: File,
        runs: &[Run],
        memory: usize,
    ) -> Result<Self, DatasetError> {
        let share = (memory / runs.len().max(1)).clamp(READ_BYTES, MAX_READ_BYTES);
        let buffer_bytes = share / (8 * N) * (8 * N);
        let readers = runs
            .iter()
            .map(|&run| RunReader { run, buffer: Vec::new(), at: 0, buffer_bytes })
            .collect();
        let mut merge = Self { folder, file, readers, heads: BinaryHeap::new() };
        for reader in 0..merge.readers.len() {
            merge.advance(reader)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, reader: usize) -> Result<(), DatasetError> {
        let next = self.readers[reader].next(&mut self.file);
        if let Some(head) = next.map_err(DatasetError::io("read", &self.folder))? {
            self.heads.push(Reverse((head, reader)));
        }
        Ok(())
    }
}

impl<const N: usize> Iterator for Merge<N> {
    type Item = Result<[u64; N], DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((record, reader)) = self.heads.pop()?;
        if let Err(error) = self.advance(reader) {
            self.heads.clear();
            return Some(Err(error));
        }
        Some(Ok(record))
    }
}

impl<const N: usize> RunReader<N> {
    fn next(&mut self, file: &mut File) -> std::io::Result<Option<[u64; N]>> {
        if self.at == self.buffer.len() {
            let left = self.run.records * 8 * N as u64;
            let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer_bytes);
            if bytes == 0 {
                return Ok(None);
            }
            self.buffer.resize(bytes, 0);
            file.seek(SeekFrom::Start(self.run.offset))?;
            file.read_exact(&mut self.buffer)?;
            self.run.offset += bytes as u64;
            self.run.records -= (bytes / (8 * N)) as u64;
            self.at = 0;
        }
        let (numbers, _) = self.buffer[self.at..][..8 * N].as_chunks::<8>();
        self.at += 8 * N;
        Ok(Some(std::array::from_fn(|i| u64::from_le_bytes(numbers[i]))))
    }
}
