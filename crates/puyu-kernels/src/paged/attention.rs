//! The public function: checks, then one task after the other.

use super::SPAN;
#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::cache::KvLayer;
use super::format::{Bf16, F16, F32, Int4, Int8, Stored};
use super::kernel::Kernel;
use super::layout::{KvLayout, KvType};
use super::plan::{Plan, Task};
use super::portable;
use super::scratch::Scratch;
use super::segment::Segment;
use super::worker::Worker;
use crate::shared::SharedSlice;
use crate::{Isa, pool};

/// Lets new tokens attend to all tokens of their sequence up to themselves.
///
/// A query at position `p` sees the positions `0..=p`: its output is the sum of their values with
/// the weights `softmax(scale * query · key)`. Query head `h` sees the keys and values of head
/// `h / (n_heads / n_kv_heads)`. The keys and values of the new tokens must be in the cache
/// already, see [`KvPool::append`](super::KvPool::append).
///
/// Sums are in `f32`. The error of an output is below `(head_dim + context) * 2^-22` times the
/// largest value of its head in magnitude, if all scores are below 10 in magnitude; it grows with
/// them. A score that is infinite or NaN makes the output NaN.
///
/// On one machine the bits of an output depend on its query, its position and the cached numbers
/// alone: not on the other queries of the call, on how a prompt was cut into calls, on
/// `block_tokens`, on the numbers of the blocks, or on the number of threads. So decoding and
/// prefill agree.
///
/// # Shapes
///
/// With `N` queries of all segments together, one segment after the other, `H` query heads and
/// head width `E`:
///
/// - `queries`: `[N, H, E]`
/// - `out`: `[N, H, E]`
///
/// # Panics
///
/// If the slices do not have these shapes, `H` is not a positive multiple of `n_kv_heads`, a
/// segment has more queries than context, its table is too short for its context, or names a block
/// that does not exist.
///
/// # Examples
///
/// See [`KvPool`](super::KvPool).
///
/// # Source
///
/// Milakov and Gimelshein, *Online normalizer calculation for softmax*; Dao, *FlashAttention-2*;
/// Kwon and others, *Efficient Memory Management for Large Language Model Serving with
/// PagedAttention*.
pub fn paged_attention(
    cache: KvLayer<'_>,
    queries: &[f32],
    segments: &[Segment<'_>],
    scale: f32,
    out: &mut [f32],
) {
    let n_queries = Segment::check_all(segments, cache);
    assert_eq!(queries.len(), out.len(), "queries and output must have the same length");
    if n_queries == 0 {
        assert!(queries.is_empty(), "no segment has queries, yet there are {}", queries.len());
        return;
    }
    let layout = cache.layout();
    let row_len = queries.len() / n_queries;
    let group_heads = row_len / (layout.n_kv_heads * layout.head_dim);
    assert!(
        group_heads > 0
            && n_queries.checked_mul(group_heads * layout.n_kv_heads * layout.head_dim)
                == Some(queries.len()),
        "{} values are not {n_queries} queries of a multiple of {} heads of {}",
        queries.len(),
        layout.n_kv_heads,
        layout.head_dim
    );
    let call = Call { cache, layout, queries, segments, scale, group_heads };
    attention_on(Isa::detect(), &call, out);
}

/// The inputs of a call, checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) cache: KvLayer<'a>,
    pub(super) layout: KvLayout,
    pub(super) queries: &'a [f32],
    pub(super) segments: &'a [Segment<'a>],
    pub(super) scale: f32,
    /// Query heads that share one head of keys and values.
    pub(super) group_heads: usize,
}

impl Call<'_> {
    /// Rows of a task.
    pub(super) fn n_rows(&self, task: &Task) -> usize {
        task.queries.len() * self.group_heads
    }

    /// Tokens that a row of a task sees.
    pub(super) fn seen(&self, task: &Task, row: usize) -> usize {
        let first = self.segments[task.segment].first_position();
        first + task.queries.start + row / self.group_heads + 1
    }

    /// Where the query, and the output, of a row begin.
    pub(super) fn row_start(&self, task: &Task, row: usize) -> usize {
        let query = task.first_row + row / self.group_heads;
        let head = task.kv_head * self.group_heads + row % self.group_heads;
        (query * self.layout.n_kv_heads * self.group_heads + head) * self.layout.head_dim
    }

    /// Multiply-adds of a task, about.
    pub(super) fn cost(&self, task: &Task) -> usize {
        2 * self.n_rows(task) * task.spans.len() * SPAN * self.layout.head_dim
    }

    /// Floats that a part keeps of one span: for each row a maximum, a sum and the values.
    pub(super) fn part_len(&self, task: &Task) -> usize {
        self.n_rows(task) * (2 + self.layout.head_dim)
    }
}

/// `isa` comes from `Isa::detect` or `Isa::available`, which name only what the processor has.
pub(super) fn attention_on(isa: Isa, call: &Call<'_>, out: &mut [f32]) {
    match isa {
        // SAFETY: the processor has this instruction set, see above; AVX-512 is only reported
        // together with it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => dispatch(unsafe { avx2::Avx2::new() }, call, out),
        _ => dispatch(portable::Portable, call, out),
    }
}

fn dispatch<K: Kernel>(kernel: K, call: &Call<'_>, out: &mut [f32]) {
    match call.layout.kv_type {
        KvType::F32 => compute::<K, F32>(kernel, call, out),
        KvType::F16 => compute::<K, F16>(kernel, call, out),
        KvType::Bf16 => compute::<K, Bf16>(kernel, call, out),
        KvType::Int8 => compute::<K, Int8>(kernel, call, out),
        KvType::Int4 => compute::<K, Int4>(kernel, call, out),
    }
}

fn compute<K: Kernel, F: Stored>(kernel: K, call: &Call<'_>, out: &mut [f32]) {
    let plan = Plan::new(call, pool::n_threads());
    let mut parts = vec![0.0; plan.parts_len];
    let (out, shared_parts) = (SharedSlice::new(out), SharedSlice::new(&mut parts));
    for_each_task(&plan.tasks, plan.n_threads, |scratch, task| {
        let mut worker = Worker::new(kernel, call, task, scratch);
        match task.part_start {
            None => worker.run::<F>(&out),
            Some(_) => worker.run_part::<F>(&shared_parts),
        }
    });
    for_each_task(&plan.merges, plan.n_threads, |scratch, task| {
        Worker::new(kernel, call, task, scratch).merge(&parts, &out);
    });
}

fn for_each_task(tasks: &[Task], n_threads: usize, run: impl Fn(&mut Scratch, &Task) + Sync) {
    if n_threads == 1 || tasks.len() < 2 {
        let mut scratch = Scratch::default();
        tasks.iter().for_each(|task| run(&mut scratch, task));
    } else {
        pool::for_each_init(tasks.len(), Scratch::default, |scratch, i| run(scratch, &tasks[i]));
    }
}
