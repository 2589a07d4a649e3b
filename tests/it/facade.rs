//! The facade: every path that it promises leads to the layer's own item, and works.

use std::any::type_name;
use std::ops::ControlFlow;

use puyu::core::sampler::{argmax, token_logprob};
use puyu::core::{
    CancelToken, Capability, Completion, Constraint, ContentPart, Continuation, DryOptions,
    FinishReason, FunctionCall, FunctionDefinition, Generation, History, ImageUrl, InputAudio,
    MessageError, Modality, ModelError, ModelInfo, OptionsError, Role, SampleError, SampledToken,
    Sampler, Score, ScoreRequest, TokenLogprob, ToolCall, ToolDefinition, Usage, VideoUrl,
    validate_conversation,
};
use puyu::dataset::manifest::{FileRows, Manifest};
use puyu::dataset::mix::{MixProgress, MixedRows, Mixture};
use puyu::dataset::order::{Consumers, Permutation, Progress, RowOrder, ShuffledRows};
use puyu::dataset::pack::{PackOptions, PackPlan, PackReport, PackedSample, TokenDataset};
use puyu::dataset::record::{AnyRecord, CcDocument, Conversation, Document, Interleaved};
use puyu::dataset::stream::{Policy, ReadReport, RecordStream, StreamOptions, StreamPosition};
use puyu::dataset::tokens::{CacheWriter, Claim, Job, TokenCache};
use puyu::dataset::{BadRow, DatasetError, Fault, FaultKind, Fingerprint, Location, RowSource};
use puyu::deploy::engine::{
    Batch, Draft, Engine, EngineEvent, EngineOptions, EngineStatistics, LogitsProcessor,
    PromptLookup, Request, Runner, Watcher,
};
use puyu::deploy::{Chat, ModelRunner, PipelineError, Pool, RunnerOptions};
use puyu::model::{
    CheckpointError, ComputeDtype, ConfigError, DecoderConfig, DecoderLayer, Family, ForwardError,
    GenerationConfig, Head, HfConfig, HfQuantization, Linear, LinearWeight, LoadOptions, Mlp,
    NtkRule, Observer, PagedCache, PagedSegment, Preset, QkvProjection, QuantizedWeight, RmsNorm,
    RopeConfig, RopeScaling, SaveOptions, SelfAttention, SeparateQkv, Tap, Unobserved, WeightDtype,
    open_device, read, write_random,
};
use puyu::prelude::{
    ChatTemplate, Checkpoint, Decoder, DeviceSpec, Event, GenerateOptions, GenerateRequest,
    KvCache, LanguageModel, Message, Pipeline, PipelineOptions, Prompt, SequencePlan, Tokenizer,
};
use puyu::text::{
    AssistantOutput, CalendarTime, ChatError, ChatOptions, DecodeStream, Ending, JinjaTemplate,
    SpecialText, SpecialToken, SpecialTokens, SystemText, TextError, parse_assistant,
};

use crate::tiny::{silent_model, speaking_model, tokenizer_json};

/// Checks that types seen through the facade are those of the layer's crate, so that a program
/// may mix both.
macro_rules! check_origin {
    ($crate_name:literal: $($type:ty),+ $(,)?) => {
        $(assert!(
            type_name::<$type>().contains(concat!($crate_name, "::")),
            "{} is not of {}", type_name::<$type>(), $crate_name
        );)+
    };
}

#[test]
fn core_is_the_crate_of_the_contracts() {
    check_origin!("puyu_core":
        dyn LanguageModel, CancelToken, Capability, Completion, Constraint, ContentPart,
        Continuation, DeviceSpec, DryOptions, Event, FinishReason, FunctionCall, FunctionDefinition,
        GenerateOptions, GenerateRequest, Generation, History<'static>, ImageUrl, InputAudio,
        Message, MessageError, Modality, ModelError, ModelInfo, OptionsError, Prompt, Role,
        SampleError, SampledToken, Sampler, Score, ScoreRequest, TokenLogprob, ToolCall,
        ToolDefinition, Usage, VideoUrl, puyu::core::DeviceError,
    );
}

#[test]
fn text_is_the_crate_of_tokens_and_templates() {
    check_origin!("puyu_text":
        AssistantOutput, CalendarTime, ChatError, ChatOptions, ChatTemplate, DecodeStream, Ending,
        JinjaTemplate, SpecialText, SpecialToken, SpecialTokens, SystemText, TextError, Tokenizer,
    );
}

#[test]
fn dataset_is_the_crate_of_data() {
    check_origin!("puyu_dataset":
        dyn RowSource<Row = Document>, AnyRecord, BadRow, CacheWriter, CcDocument, Claim, Consumers,
        Conversation, DatasetError, Document, Fault, FaultKind, FileRows<Document>, Fingerprint,
        Interleaved, Job, Location, Manifest, MixProgress, MixedRows<PackedSample>, Mixture,
        PackOptions, PackPlan, PackReport, PackedSample, Permutation, Policy, Progress, ReadReport,
        RecordStream<Document>, RowOrder, ShuffledRows<PackedSample>, StreamOptions, StreamPosition,
        TokenCache, TokenDataset, puyu::dataset::clean::Pipeline, puyu::dataset::clean::Retention,
        puyu::dataset::container::Container, puyu::dataset::dedup::ExactDedup,
        puyu::dataset::dedup::MinHashOptions, puyu::dataset::dedup::Decontaminator,
        puyu::dataset::report::Table,
    );
}

#[test]
fn model_is_the_crate_of_the_decoder() {
    check_origin!("puyu_model":
        dyn Observer, Checkpoint, CheckpointError, ComputeDtype, ConfigError, Decoder,
        DecoderConfig, DecoderLayer, Family, ForwardError, GenerationConfig, Head, HfConfig,
        HfQuantization, KvCache, Linear, LinearWeight, LoadOptions, Mlp, NtkRule, PagedCache,
        PagedSegment<'static>, Preset, QkvProjection, QuantizedWeight, RmsNorm,
        RopeConfig, RopeScaling, SaveOptions, SelfAttention, SeparateQkv, SequencePlan, Tap,
        Unobserved, WeightDtype, puyu::model::DeviceError,
    );
}

#[test]
fn deploy_is_the_crate_of_inference() {
    check_origin!("puyu_deploy":
        dyn Draft, dyn LogitsProcessor, dyn Runner, dyn Watcher, Batch, Chat, Engine<ModelRunner>,
        EngineEvent, EngineOptions, EngineStatistics, ModelRunner, Pipeline, PipelineError,
        PipelineOptions, PromptLookup, Request, RunnerOptions,
    );
    check_origin!("puyu_kernels": Pool, puyu::model::KvType, puyu::model::KvError);
}

/// The greedy tokens after a prompt, drawn with the model layer alone.
fn greedy_by_hand(model: &Decoder, prompt: &[u32], n_tokens: usize) -> Vec<u32> {
    let plan = SequencePlan::unpadded(vec![prompt.len()]);
    let mut cache = KvCache::new(model.config(), plan, prompt.len() + n_tokens);
    let mut step = prompt.to_vec();
    let mut drawn = Vec::new();
    while drawn.len() < n_tokens {
        let logits = read(model.forward_last(&[step], &mut cache).unwrap()).unwrap();
        let id = argmax(&logits).unwrap();
        drawn.push(id);
        step = vec![id];
    }
    drawn
}

#[test]
fn the_prelude_is_enough_to_open_a_model_and_ask_it() {
    let folder = silent_model();
    let device: DeviceSpec = "cpu".parse().unwrap();
    let options = PipelineOptions::default().with_device(device);
    let pipeline = Pipeline::open_with(folder.path(), &options).unwrap();
    let prompt = vec![1, 5, 9];
    let options = GenerateOptions::greedy().with_max_new_tokens(6);
    let request = GenerateRequest::new(Prompt::Tokens(prompt.clone()), options);

    let mut streamed = Vec::new();
    let mut n_other_events = 0;
    let generation = pipeline.generate(&request, &mut |event| {
        match event {
            Event::Token { id, .. } => streamed.push(id),
            _ => n_other_events += 1,
        }
        ControlFlow::Continue(())
    });
    let generation = generation.unwrap();
    assert_eq!(streamed, generation.completions[0].tokens);
    assert_eq!(n_other_events, 2, "one event at the start and one at the end");
    assert_eq!(generation.completions[0].reason, FinishReason::Length);

    // The same through the trait alone, and with nothing but the decoder.
    let model: &dyn LanguageModel = &pipeline;
    assert_eq!(model.complete(&request).unwrap(), generation);
    assert_eq!(greedy_by_hand(pipeline.model(), &prompt, 6), streamed);
}

#[test]
fn a_model_is_made_saved_and_opened_through_the_facade() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("第二"));
    let device = open_device(DeviceSpec::Cpu).unwrap();
    write_random(&first, &Preset::Tiny.config(), 7).unwrap();
    let checkpoint = Checkpoint::open(&first).unwrap();
    assert_eq!(checkpoint.config().family, Family::InternLm2);
    let model = checkpoint.load(&LoadOptions::default(), &device).unwrap();
    model.save(&second, &checkpoint.save_options()).unwrap();

    let again = Checkpoint::open(&second).unwrap().load(&LoadOptions::default(), &device).unwrap();
    let drawn = greedy_by_hand(&model, &[1, 5, 9], 6);
    assert_eq!(greedy_by_hand(&again, &[1, 5, 9], 6), drawn);

    // With weights widened to the type of the activations the numbers stay the same.
    let wide = LoadOptions { weights: WeightDtype::F32, ..LoadOptions::default() };
    let wide = checkpoint.load(&wide, &device).unwrap();
    assert_eq!(greedy_by_hand(&wide, &[1, 5, 9], 6), drawn);
}

#[test]
fn observers_see_the_layers_through_the_facade() {
    let folder = silent_model();
    let pipeline = Pipeline::open(folder.path()).unwrap();
    let model = pipeline.model();
    let mut outputs = Vec::new();
    let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![3]), 3);
    let mut observer = |tap: Tap, _x_btd: &_| {
        if let Tap::LayerOutput { layer } = tap {
            outputs.push(layer);
        }
    };
    let observed = model.hidden(&[vec![1, 5, 9]], &mut cache, &mut observer).unwrap();
    assert_eq!(outputs, [0, 1, 2]);

    let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![3]), 3);
    let unobserved = model.hidden(&[vec![1, 5, 9]], &mut cache, &mut Unobserved).unwrap();
    assert_eq!(read(observed).unwrap(), read(unobserved).unwrap(), "looking changes nothing");
}

#[test]
fn a_tokenizer_reads_and_streams_through_the_facade() {
    let tokenizer = Tokenizer::from_hf_bytes(tokenizer_json().to_string().as_bytes()).unwrap();
    for text in ["你好，浦语！", "Hello, Puyu!", "hi 你好 😀"] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        let mut stream = tokenizer.decode_stream(SpecialTokens::Write);
        let mut streamed: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
        streamed += &stream.flush().unwrap();
        assert_eq!(streamed, text);
    }
}

#[test]
fn a_conversation_is_rendered_and_a_call_read_through_the_facade() {
    let conversation = [Message::system("请用中文回答。"), Message::user("What is 1 + 1?")];
    validate_conversation(&conversation).unwrap();
    let prompt = ChatTemplate::InternLm2.render(&conversation, &ChatOptions::default()).unwrap();
    assert_eq!(
        prompt,
        "<|im_start|>system\n请用中文回答。<|im_end|>\n<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n\
         <|im_start|>assistant\n"
    );
    assert!(matches!(validate_conversation(&[]), Err(MessageError::EmptyConversation)));

    let written = "我查一下。<|action_start|><|plugin|>\n{\"name\": \"get_weather\", \
                   \"parameters\": {\"city\": \"上海\"}}<|action_end|>";
    let output = parse_assistant(written).unwrap();
    assert_eq!(output.content, "我查一下。");
    assert_eq!(output.tool_calls[0].function.parse_arguments().unwrap()["city"], "上海");
}

#[test]
fn a_folder_with_a_tokenizer_chats_through_the_facade() {
    let folder = speaking_model();
    let pipeline = Pipeline::open(folder.path()).unwrap();
    let mut chat = pipeline.chat();
    chat.set_system("Answer briefly.");
    chat.set_system("请简短回答。");
    let roles = chat.messages().iter().map(|message| message.role).collect::<Vec<_>>();
    assert_eq!(roles, [Role::System], "a second system message replaces the first");
    assert_eq!(chat.messages()[0].text(), "请简短回答。");

    let prompt = Prompt::chat(chat.messages().to_vec());
    let ids = pipeline.encode(&prompt).unwrap();
    assert_eq!(ids[0], 1, "a prompt begins with `<s>`");
    assert!(pipeline.decode(&ids).unwrap().contains("请简短回答。"));
}

#[test]
fn tokens_are_sampled_through_the_facade() {
    let logits = [0.5_f32, 3.0, -1.0, 2.9];
    let mut greedy = Sampler::new(&GenerateOptions::greedy()).unwrap();
    let mut row = logits;
    let token = greedy.sample(&mut row, History::default()).unwrap();
    assert_eq!(token.id, argmax(&logits).unwrap());

    let (logprob, top) = token_logprob(&logits, 1, 2).unwrap();
    assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3]);
    assert!(logprob < 0.0 && (logprob - top[0].1).abs() < 1e-6, "{logprob}, {top:?}");
}

#[test]
fn continuations_are_scored_through_the_facade() {
    let folder = silent_model();
    let pipeline = Pipeline::open(folder.path()).unwrap();
    let drawn = greedy_by_hand(pipeline.model(), &[1, 5, 9], 2);
    let other = vec![drawn[0], (drawn[1] + 1) % 384];
    let request = |tokens: Vec<u32>| ScoreRequest::new(vec![1_u32, 5, 9], tokens);
    let scores = pipeline.score(&[request(drawn), request(other)]).unwrap();
    assert!(scores[0].is_greedy && !scores[1].is_greedy, "{scores:?}");
    assert!(scores[0].logprob() > scores[1].logprob(), "{scores:?}");
    assert_eq!(scores[0].context_tokens, 3);
}
