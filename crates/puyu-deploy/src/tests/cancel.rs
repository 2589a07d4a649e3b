//! Requests that are taken back.

use puyu_core::{CancelToken, FinishReason};

use super::*;

fn n_told(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Token { .. })).count()
}

fn n_finished(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Finished { .. })).count()
}

fn is_token(event: &Event) -> bool {
    matches!(event, Event::Token { .. })
}

#[test]
fn what_is_broken_off_keeps_what_is_there() {
    for (prompt, words) in [("你好", ZH), ("hello", EN)] {
        let whole = ask(prompt, only(&words)).completions.remove(0);
        for n_wanted in 1..4 {
            let request = GenerateRequest::new(prompt, only(&words).with_n_samples(2));
            let mut n_tokens = 0;
            let (events, generation) = listen_until(tiny(), &request, |event| {
                n_tokens += usize::from(is_token(event));
                n_tokens == n_wanted
            });
            let [first, second] = &generation.completions[..] else { panic!("two samples") };
            assert_eq!(first.tokens, whole.tokens[..n_wanted]);
            assert_eq!(first.text, text_of(&first.tokens));
            assert!(second.tokens.is_empty() && second.text.is_empty(), "{second:?}");
            assert_eq!((&first.reason, &second.reason), (&FinishReason::Cancelled, &first.reason));
            assert_eq!((n_told(&events), n_finished(&events)), (n_wanted, 2));
            assert_eq!(generation.usage.completion_tokens, n_wanted);
        }
    }
}

#[test]
fn a_break_takes_back_its_own_request_only() {
    let cancel = CancelToken::new();
    for (prompt, words) in [("你好", ZH), ("hello", EN)] {
        let request = GenerateRequest::new(prompt, only(&words)).with_cancel(cancel.clone());
        let (_, broken_off) = listen_until(tiny(), &request, is_token);
        assert_eq!(broken_off.completions[0].reason, FinishReason::Cancelled);
        assert!(!cancel.is_cancelled(), "others may share the token");
        let (_, whole) = listen(tiny(), &request);
        assert_eq!(whole.completions[0].reason, FinishReason::Length);
    }
}

#[test]
fn a_cancelled_token_ends_the_answer_at_the_next_step() {
    for (prompt, words) in [("上海", ZH), ("hello", EN)] {
        let request = GenerateRequest::new(prompt, only(&words));
        let from_elsewhere = request.cancel.clone();
        let mut n_tokens = 0;
        let (events, generation) = listen_until(tiny(), &request, |event| {
            n_tokens += usize::from(is_token(event));
            if n_tokens == 3 {
                from_elsewhere.cancel();
            }
            false
        });
        let completion = &generation.completions[0];
        assert_eq!((completion.tokens.len(), n_told(&events)), (3, 3));
        assert_eq!(completion.text, text_of(&completion.tokens));
        assert_eq!(completion.reason, FinishReason::Cancelled);
    }
}

#[test]
fn a_request_taken_back_before_it_starts_is_no_error_and_says_nothing() {
    let cancelled = CancelToken::new();
    cancelled.cancel();
    for prompt in prompts() {
        for max_new_tokens in [0, 8] {
            let options = only(&EN).with_n_samples(2).with_max_new_tokens(max_new_tokens);
            let request = GenerateRequest::new(prompt.clone(), options);
            let by_token = request.clone().with_cancel(cancelled.clone());
            let answers = [
                listen(tiny(), &by_token),
                listen_until(tiny(), &request, |event| matches!(event, Event::Started { .. })),
            ];
            for (events, generation) in answers {
                assert_eq!((events.len(), n_finished(&events)), (3, 2), "{events:?}");
                assert_eq!(generation.usage.completion_tokens, 0);
                for completion in &generation.completions {
                    assert!(completion.tokens.is_empty() && completion.text.is_empty());
                    assert_eq!(completion.reason, FinishReason::Cancelled);
                }
            }
        }
    }
}

#[test]
fn breaking_after_a_sample_leaves_it_whole_and_takes_the_others_back() {
    for (prompt, words) in [("你好", ZH), ("hello", EN)] {
        let request = GenerateRequest::new(prompt, only(&words).with_n_samples(3));
        let whole = ask(prompt, only(&words)).completions.remove(0);
        let (_, generation) = listen_until(tiny(), &request, |event| {
            matches!(event, Event::Finished { sample: 0, .. })
        });
        assert_eq!(generation.completions[0], whole);
        for other in &generation.completions[1..] {
            assert!(other.tokens.is_empty(), "{other:?}");
            assert_eq!(other.reason, FinishReason::Cancelled);
        }
        // The last token is the natural end, whoever breaks there.
        let mut n_tokens = 0;
        let (_, generation) = listen_until(tiny(), &request, |event| {
            n_tokens += usize::from(is_token(event));
            n_tokens == whole.tokens.len()
        });
        assert_eq!(generation.completions[0], whole);
    }
}

#[test]
fn text_held_back_is_part_of_what_is_returned() {
    for (word, stop) in [("你好", "你好你好你好。"), ("hello", "hellohellohello!")] {
        let options = only(&[word]).with_stop_strings([stop]);
        let mut n_tokens = 0;
        let request = GenerateRequest::new("上海 hello", options);
        let (events, generation) = listen_until(tiny(), &request, |event| {
            n_tokens += usize::from(is_token(event));
            n_tokens == 2
        });
        assert_eq!(generation.text(), word.repeat(2));
        let told = events.iter().all(|event| match event {
            Event::Token { text, .. } => text.is_empty(),
            _ => true,
        });
        assert!(told, "it was not certain when the caller broke off: {events:?}");
    }
}
