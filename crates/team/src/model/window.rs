//! How much a model can read at once, where that is known.

/// The most that well-known models read at once, in tokens, by how their names begin; the longest beginning that fits
/// counts. As LiteLLM's list gave it on 27 November 2026 (release 1.110.2).
const KNOWN: [(&str, u64); 20] = [
    ("anthropic:claude-", 200_000),
    ("anthropic:claude-fable-", 1_000_000),
    ("anthropic:claude-haiku-5", 1_000_000),
    ("anthropic:claude-opus-4-6", 1_000_000),
    ("anthropic:claude-opus-4-7", 1_000_000),
    ("anthropic:claude-opus-4-8", 1_000_000),
    ("anthropic:claude-opus-5", 1_000_000),
    ("anthropic:claude-sonnet-4-6", 1_000_000),
    ("anthropic:claude-sonnet-5", 1_000_000),
    ("openai:gpt-5", 272_000),
    ("openai:gpt-5-chat", 128_000),
    ("openai:gpt-5.6", 922_000),
    ("openai:gpt-6", 922_000),
    ("openai:gpt-4.1", 1_047_576),
    ("openai:gpt-4o", 128_000),
    ("openai:o3", 200_000),
    ("openai:o4-mini", 200_000),
    ("gemini:gemini-2", 1_048_576),
    ("gemini:gemini-3", 1_048_576),
    ("gemini:gemini-4", 1_048_576),
];

/// The most that the model `name` reads at once, in tokens; `None` if that is not known. Local servers decide it
/// themselves.
pub(crate) fn context_window(name: &str) -> Option<u64> {
    let fitting = KNOWN.iter().filter(|(beginning, _)| name.starts_with(beginning));
    fitting.max_by_key(|(beginning, _)| beginning.len()).map(|(_, tokens)| *tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts_and_a_stranger_has_no_window() {
        assert_eq!(context_window("anthropic:claude-sonnet-4-5-20250929"), Some(200_000));
        assert_eq!(context_window("openai:gpt-5.1-codex"), Some(272_000));
        assert_eq!(context_window("openai:gpt-5-chat-latest"), Some(128_000));
        assert_eq!(context_window("ollama:qwen3:8b"), None);
        assert_eq!(context_window("script"), None);
    }
}
