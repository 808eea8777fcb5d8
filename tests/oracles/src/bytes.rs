//! Choices drawn from the first bytes of an input.

use mesh_wire::Protocol;

/// Every protocol that has a reader.
pub(crate) const PROTOCOLS: [Protocol; 14] = [
    Protocol::OpenAiChat,
    Protocol::OpenAiCompletions,
    Protocol::OpenAiResponses,
    Protocol::OpenAiEmbeddings,
    Protocol::AnthropicMessages,
    Protocol::Gemini,
    Protocol::Ollama,
    Protocol::BedrockConverse,
    Protocol::BedrockInvoke,
    Protocol::A2a,
    Protocol::A2aHttp,
    Protocol::Mcp,
    Protocol::Json,
    Protocol::Text,
];

/// Takes one byte, zero at the end.
pub(crate) fn take(data: &mut &[u8]) -> u8 {
    match data.split_first() {
        Some((first, rest)) => {
            *data = rest;
            *first
        }
        None => 0,
    }
}

/// One of these.
pub(crate) fn pick<T: Copy>(of: &[T], data: &mut &[u8]) -> T {
    of[usize::from(take(data)) % of.len()]
}

/// The bytes in chunks of sizes that follow from `seed`: whole, single bytes, or one to sixteen at a time.
pub(crate) fn chunks(data: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    let mut rest = data;
    let mut out = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let size = if seed == 0 { 1 } else { 1 + (state >> 8) as usize % 16 };
        let (chunk, left) = rest.split_at(size.min(rest.len()));
        out.push(chunk);
        rest = left;
    }
    out
}

/// The text in pieces, at most `most` of them, cut where `seed` says.
pub(crate) fn pieces(text: &str, seed: u8, most: usize) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761).wrapping_add(7);
    while !rest.is_empty() && out.len() + 1 < most {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = rest.floor_char_boundary(1 + (state >> 16) as usize % 24).max(1);
        let at = (at..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, left) = rest.split_at(at);
        out.push(piece);
        rest = left;
    }
    if !rest.is_empty() {
        out.push(rest);
    }
    out
}
