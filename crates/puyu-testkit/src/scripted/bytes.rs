//! The toy vocabulary of the scripted model, and its rule of probabilities.

use puyu_core::{ModelError, Prompt, Role, TokenLogprob, validate_conversation};

/// Stands at the start of every text and chat.
pub const BEGIN: u32 = 256;
/// Ends each message and each answer.
pub const END: u32 = 257;
/// Bytes, begin, end, and a token for each of the five roles.
pub const VOCAB_SIZE: usize = 263;

/// The bytes of a text.
pub(super) fn encode(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

/// The tokens as they are, if they are of the vocabulary.
pub(super) fn checked(tokens: &[u32]) -> Result<Vec<u32>, ModelError> {
    match tokens.iter().position(|&id| id as usize >= VOCAB_SIZE) {
        Some(index) => {
            let found = tokens[index];
            Err(ModelError::UnknownToken { index, found, vocab_size: VOCAB_SIZE })
        }
        None => Ok(tokens.to_vec()),
    }
}

pub(super) fn encode_prompt(prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
    let mut tokens = vec![BEGIN];
    match prompt {
        Prompt::Tokens(tokens) if tokens.is_empty() => return Err(ModelError::EmptyPrompt),
        Prompt::Tokens(tokens) => return checked(tokens),
        Prompt::Text(text) => tokens.extend(encode(text)),
        Prompt::Chat { messages, .. } => {
            validate_conversation(messages)?;
            for message in messages {
                tokens.push(role_token(message.role));
                tokens.extend(encode(&message.text()));
                tokens.push(END);
            }
            tokens.push(role_token(Role::Assistant));
        }
        _ => return Err(ModelError::invalid_prompt("the script knows no such prompt")),
    }
    Ok(tokens)
}

pub(super) fn decode(tokens: &[u32]) -> Result<String, ModelError> {
    let mut bytes = Vec::new();
    for id in checked(tokens)? {
        match u8::try_from(id) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(special_text(id).bytes()),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn role_token(role: Role) -> u32 {
    match role {
        Role::System => 258,
        Role::User => 259,
        Role::Assistant => 260,
        Role::Tool => 261,
        Role::Environment => 262,
    }
}

fn special_text(id: u32) -> &'static str {
    match id {
        BEGIN => "<s>",
        END => "</s>",
        258 => "<system>",
        259 => "<user>",
        260 => "<assistant>",
        261 => "<tool>",
        _ => "<environment>",
    }
}

/// A token's share after another one: 1 to 16, by a hash, so that the shares of all tokens are
/// the same on every machine and add up.
fn share(previous: u32, id: u32) -> u32 {
    let mixed = (previous.wrapping_mul(0x9E37_79B9) ^ id.wrapping_mul(0x85EB_CA6B)).rotate_left(13);
    1 + (mixed.wrapping_mul(0xC2B2_AE35) >> 28)
}

/// The token with the greatest share, the lowest id of equal ones.
pub(super) fn most_probable(previous: u32) -> u32 {
    ranked(previous)[0]
}

fn ranked(previous: u32) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..VOCAB_SIZE as u32).collect();
    ids.sort_by_key(|&id| (u32::MAX - share(previous, id), id));
    ids
}

/// The log-probability of a token after another one, and those of the most probable.
pub(super) fn logprob(previous: u32, id: u32, n_top: usize) -> TokenLogprob {
    let total: u32 = (0..VOCAB_SIZE as u32).map(|id| share(previous, id)).sum();
    let logprob = |id: u32| (f64::from(share(previous, id)) / f64::from(total)).ln() as f32;
    let top = ranked(previous).into_iter().take(n_top).map(|id| (id, logprob(id))).collect();
    TokenLogprob { id, logprob: logprob(id), top }
}

pub(super) fn prompt_logprobs(prompt: &[u32], n_top: usize) -> Vec<Option<TokenLogprob>> {
    let rest = prompt.windows(2).map(|pair| Some(logprob(pair[0], pair[1], n_top)));
    prompt.first().map(|_| None).into_iter().chain(rest).collect()
}
