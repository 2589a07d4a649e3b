//! Cutting a call into tasks.

use std::ops::Range;

use super::{Call, SPAN, TASK_ROWS};

/// Multiply-adds from which several threads are used: some 30 microseconds of one thread.
const PARALLEL_PRODUCTS: usize = 1 << 20;

/// Tasks for each thread, so that a late thread can be helped.
const TASKS_PER_THREAD: usize = 2;

/// Fewest spans in a task that is a part of another, lest keeping their results costs more than a
/// few per cent.
const MIN_PART_SPANS: usize = 2;

/// Some queries of a segment, for one head of keys and values, over some of the context.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) segment: usize,
    pub(super) kv_head: usize,
    /// Queries of the segment.
    pub(super) queries: Range<usize>,
    /// Place of the first of these among the queries of the call.
    pub(super) first_row: usize,
    /// Spans of the context.
    pub(super) spans: Range<usize>,
    /// Where in the buffer of parts its results go, if it is a part.
    pub(super) part_start: Option<usize>,
}

/// The tasks of a call, the longest first.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// Tasks that were cut into parts: each merges them, from its place in the buffer on.
    pub(super) merges: Vec<Task>,
    /// Floats of all parts.
    pub(super) parts_len: usize,
    /// Threads that are worth their waking.
    pub(super) n_threads: usize,
}

impl Plan {
    pub(super) fn new(call: &Call<'_>, n_threads: usize) -> Self {
        let tasks = whole_tasks(call);
        let products = tasks.iter().map(|task| call.cost(task)).fold(0, usize::saturating_add);
        let n_threads = if products < PARALLEL_PRODUCTS { 1 } else { n_threads };

        let mut plan = Self { tasks: Vec::new(), merges: Vec::new(), parts_len: 0, n_threads };
        let wanted = if n_threads == 1 { 1 } else { n_threads * TASKS_PER_THREAD };
        let n_parts = wanted.div_ceil(tasks.len().max(1));
        for task in tasks {
            plan.add(call, task, n_parts);
        }
        plan.tasks.sort_by_key(|task| std::cmp::Reverse(call.cost(task)));
        plan
    }

    /// Adds a task, in parts if there are to be several.
    fn add(&mut self, call: &Call<'_>, task: Task, n_parts: usize) {
        let n_spans = task.spans.len();
        let part_spans = n_spans.div_ceil(n_parts).max(MIN_PART_SPANS);
        if part_spans >= n_spans {
            self.tasks.push(task);
            return;
        }
        let span_len = call.part_len(&task);
        let merge_start = self.parts_len;
        for start in task.spans.clone().step_by(part_spans) {
            let spans = start..task.spans.end.min(start + part_spans);
            let part_start = Some(self.parts_len);
            self.parts_len += spans.len() * span_len;
            self.tasks.push(Task { spans, part_start, ..task.clone() });
        }
        self.merges.push(Task { part_start: Some(merge_start), ..task });
    }
}

/// One task for each head and each [`TASK_ROWS`] rows of each segment.
fn whole_tasks(call: &Call<'_>) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut first_row = 0;
    for (index, segment) in call.segments.iter().enumerate() {
        let most = (TASK_ROWS / call.group_heads).max(1);
        let n_tiles = segment.n_queries.div_ceil(most);
        let step = segment.n_queries.div_ceil(n_tiles.max(1)).max(1);
        for start in (0..segment.n_queries).step_by(step) {
            let queries = start..segment.n_queries.min(start + step);
            let seen = segment.first_position() + queries.end;
            for kv_head in 0..call.layout.n_kv_heads {
                tasks.push(Task {
                    segment: index,
                    kv_head,
                    queries: queries.clone(),
                    first_row: first_row + start,
                    spans: 0..seen.div_ceil(SPAN),
                    part_start: None,
                });
            }
        }
        first_row += segment.n_queries;
    }
    tasks
}
