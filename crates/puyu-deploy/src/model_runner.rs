//! The engine's runner: a decoder with blocks of keys and values.

use puyu_kernels::Pool;
use puyu_model::{
    Decoder, ForwardError, KvError, KvType, NtkRule, PagedCache, PagedSegment, read, select_rows,
};

use crate::engine::{Batch, BlockId, Limits, Output, RunError, Runner, Segment};

/// Runs a [`Decoder`] for an [`Engine`](crate::engine::Engine).
///
/// On the CPU the rows that come out for a sequence do not depend on the batch, on how it is cut,
/// on the blocks, or on the number of threads.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use puyu_core::GenerateOptions;
/// use puyu_deploy::engine::{Engine, EngineOptions, Request};
/// use puyu_deploy::{ModelRunner, RunnerOptions};
/// use puyu_model::{Decoder, Preset, open_device};
///
/// let model = Decoder::init(&Preset::Tiny.config(), 7, &open_device("cpu".parse()?)?)?;
/// let options = RunnerOptions::default().with_n_blocks(8);
/// let mut engine = Engine::new(ModelRunner::new(model, &options)?, EngineOptions::default())?;
/// engine.submit(Request::generate([1, 5, 9], GenerateOptions::greedy().with_max_new_tokens(4)))?;
/// while !engine.is_idle() {
///     for event in engine.step() {
///         println!("{event:?}");
///     }
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ModelRunner {
    model: Decoder,
    cache: PagedCache,
    limits: Limits,
    pool: Option<Pool>,
}

/// How a [`ModelRunner`] keeps keys and values.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunnerOptions {
    /// Blocks of the cache. Memory is taken as they are written. Default 256: with
    /// [`block_tokens`](Self::block_tokens) room for 16,384 tokens.
    pub n_blocks: usize,
    /// Tokens of a block, a multiple of 16. Default 64: long enough for the memory to be read at
    /// full speed, short enough for starts to be shared.
    pub block_tokens: usize,
    /// How a number of the cache is stored. Default `f32`, which keeps every bit; `f16` halves the
    /// memory, `int8` and `int4` take a quarter and an eighth of it.
    pub kv_type: KvType,
    /// Tokens of a sequence at most. The trained length by default.
    pub context_tokens: Option<usize>,
    /// The rule for dynamic NTK scaling. That of the model's own code by default.
    pub ntk_rule: Option<NtkRule>,
    /// The threads that compute. The rayon pool of the caller by default.
    pub pool: Option<Pool>,
}

impl Default for RunnerOptions {
    /// Each field gives the reason for its value.
    fn default() -> Self {
        Self {
            n_blocks: 256,
            block_tokens: 64,
            kv_type: KvType::F32,
            context_tokens: None,
            ntk_rule: None,
            pool: None,
        }
    }
}

impl RunnerOptions {
    /// Sets [`n_blocks`](Self::n_blocks).
    #[must_use]
    pub fn with_n_blocks(mut self, n_blocks: usize) -> Self {
        self.n_blocks = n_blocks;
        self
    }

    /// Sets [`block_tokens`](Self::block_tokens).
    #[must_use]
    pub fn with_block_tokens(mut self, block_tokens: usize) -> Self {
        self.block_tokens = block_tokens;
        self
    }

    /// Sets [`kv_type`](Self::kv_type).
    #[must_use]
    pub fn with_kv_type(mut self, kv_type: KvType) -> Self {
        self.kv_type = kv_type;
        self
    }

    /// Sets [`context_tokens`](Self::context_tokens).
    #[must_use]
    pub fn with_context_tokens(mut self, context_tokens: usize) -> Self {
        self.context_tokens = Some(context_tokens);
        self
    }

    /// Sets [`ntk_rule`](Self::ntk_rule).
    #[must_use]
    pub fn with_ntk_rule(mut self, rule: NtkRule) -> Self {
        self.ntk_rule = Some(rule);
        self
    }

    /// Sets [`pool`](Self::pool).
    #[must_use]
    pub fn with_pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }
}

impl ModelRunner {
    /// Reserves the blocks.
    ///
    /// # Errors
    ///
    /// [`KvError`] if the blocks cannot be had.
    pub fn new(model: Decoder, options: &RunnerOptions) -> Result<Self, KvError> {
        let config = model.config();
        let RunnerOptions { n_blocks, block_tokens, kv_type, .. } = *options;
        let n_blocks_of_engine =
            u32::try_from(n_blocks).map_err(|_| KvError::TooLarge { n_blocks })?;
        let mut cache = PagedCache::new(config, n_blocks, block_tokens, kv_type)?;
        if let Some(rule) = options.ntk_rule {
            cache = cache.with_ntk_rule(rule);
        }
        let limits = Limits {
            n_blocks: n_blocks_of_engine,
            block_tokens,
            vocab_size: config.vocab_size,
            hidden_size: config.hidden_size,
            context_tokens: options.context_tokens.unwrap_or(config.max_position_embeddings),
        };
        Ok(Self { model, cache, limits, pool: options.pool.clone() })
    }

    /// The model.
    pub fn model(&self) -> &Decoder {
        &self.model
    }

    fn compute(&mut self, batch: &Batch) -> Result<Output, ForwardError> {
        let tables: Vec<Vec<u32>> = batch.segments.iter().map(table).collect();
        let segments: Vec<_> = batch
            .segments
            .iter()
            .zip(&tables)
            .map(|(segment, blocks)| paged(segment, blocks))
            .collect();
        let states = self.model.hidden_paged(&segments, &mut self.cache)?;
        let logit_rows = wanted(batch, Segment::n_logit_rows);
        let hidden_rows = wanted(batch, Segment::n_hidden_rows);
        let mut output = Output::default();
        if !logit_rows.is_empty() {
            let states = select_rows(states.clone(), &logit_rows);
            output.logits = read(self.model.project(states))?;
        }
        if !hidden_rows.is_empty() {
            output.hidden = read(select_rows(states, &hidden_rows))?;
        }
        Ok(output)
    }
}

impl Runner for ModelRunner {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn run(&mut self, batch: &Batch) -> Result<Output, RunError> {
        let output = match self.pool.clone() {
            Some(pool) => pool.install(|| self.compute(batch)),
            None => self.compute(batch),
        };
        output.map_err(RunError::new)
    }

    fn copy_block(&mut self, from: BlockId, to: BlockId) -> Result<(), RunError> {
        for BlockId(block) in [from, to] {
            let n_blocks = self.cache.n_blocks();
            if block as usize >= n_blocks {
                return Err(RunError::new(ForwardError::NoSuchBlock { row: 0, block, n_blocks }));
            }
        }
        self.cache.copy_block(from.0, to.0);
        Ok(())
    }
}

fn table(segment: &Segment) -> Vec<u32> {
    segment.blocks.iter().map(|block| block.0).collect()
}

fn paged<'a>(segment: &'a Segment, blocks: &'a [u32]) -> PagedSegment<'a> {
    let Segment { tokens, start, prompt_tokens, .. } = segment;
    PagedSegment { tokens, start: *start, blocks, prompt_tokens: *prompt_tokens }
}

/// Which of a batch's tokens have a row that is wanted: the last `n_rows` of each segment.
fn wanted(batch: &Batch, n_rows: fn(&Segment) -> usize) -> Vec<usize> {
    let mut rows = Vec::new();
    let mut end = 0;
    for segment in &batch.segments {
        end += segment.tokens.len();
        rows.extend(end - n_rows(segment)..end);
    }
    rows
}
