//! How a user names a model: `anthropic:claude-opus-4-5`, `ollama:qwen3:8b`, `script:demo.json`.
//!
//! Only the name is judged here; nothing is connected and no file is opened.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which model is wanted, and where it is found.
///
/// ```
/// use agent_team::model::{ModelSpec, Provider};
///
/// let spec: ModelSpec = "ollama:qwen3:8b".parse()?;
/// assert_eq!(spec, ModelSpec::Provider(Provider::Ollama, "qwen3:8b".into()));
/// assert_eq!(spec.to_string(), "ollama:qwen3:8b");
/// # Ok::<(), agent_team::model::SpecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ModelSpec {
    /// A provider's model, by the name that the provider gives it.
    Provider(Provider, String),
    /// A scripted model, by its file.
    Script(PathBuf),
}

/// A protocol by which models are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's chat completions.
    OpenAi,
    /// Google's Gemini API.
    Gemini,
    /// Ollama's own API.
    Ollama,
    /// Any server that speaks OpenAI's chat completions: llama.cpp, vLLM, LM Studio and others.
    OpenAiCompatible,
}

/// A text that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// What stands before the colon is no provider.
    #[error("`{given}` is no provider of models{suggestion}; choose {CHOICES}")]
    UnknownProvider {
        /// What was given.
        given: String,
        /// What was perhaps meant, in words.
        suggestion: String,
    },
    /// There is no colon, or nothing after it.
    #[error("`{given}` names no model{suggestion}; choose {CHOICES}")]
    NoModel {
        /// What was given.
        given: String,
        /// What was perhaps meant, in words.
        suggestion: String,
    },
}

const CHOICES: &str = "anthropic:MODEL, openai:MODEL, gemini:MODEL, ollama:MODEL, openai-compatible:MODEL \
                       (with a base URL), script:FILE; or an agent to drive: claude, codex, gemini, opencode, \
                       qwen, goose, claude:headless, codex:headless, acp:COMMAND or exec:COMMAND";

/// What people write when they mean a provider: its models, its company, its programs.
const ALSO_CALLED: [(&str, &str); 11] = [
    ("claude", "anthropic"),
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("google", "gemini"),
    ("vertex", "gemini"),
    ("llama.cpp", "openai-compatible"),
    ("llamacpp", "openai-compatible"),
    ("vllm", "openai-compatible"),
    ("lmstudio", "openai-compatible"),
    ("local", "openai-compatible"),
    ("rehearsal", "script"),
];

impl Provider {
    /// All providers, in the order in which they are offered.
    pub const ALL: [Self; 5] =
        [Self::Anthropic, Self::OpenAi, Self::Gemini, Self::Ollama, Self::OpenAiCompatible];

    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenAiCompatible => "openai-compatible",
        }
    }
}

impl Provider {
    /// The variable that holds its key.
    #[cfg(feature = "drivers")]
    pub(crate) fn key_variable(self) -> &'static str {
        match self {
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::OpenAi | Self::Ollama | Self::OpenAiCompatible => "OPENAI_API_KEY",
        }
    }
}

impl FromStr for ModelSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let Some((prefix, model)) = text.split_once(':') else {
            return Err(SpecError::NoModel { given: text.to_owned(), suggestion: completion(text) });
        };
        if model.trim().is_empty() {
            return Err(SpecError::NoModel { given: text.to_owned(), suggestion: String::new() });
        }
        if prefix == "script" {
            return Ok(Self::Script(PathBuf::from(model)));
        }
        match Provider::ALL.into_iter().find(|provider| provider.name() == prefix) {
            Some(provider) => Ok(Self::Provider(provider, model.to_owned())),
            None => {
                let suggestion = near_miss(prefix)
                    .map(|name| format!(", did you mean `{name}:{model}`?"))
                    .unwrap_or_default();
                Err(SpecError::UnknownProvider { given: prefix.to_owned(), suggestion })
            }
        }
    }
}

impl TryFrom<String> for ModelSpec {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<ModelSpec> for String {
    fn from(spec: ModelSpec) -> Self {
        spec.to_string()
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(provider, model) => write!(formatter, "{}:{model}", provider.name()),
            Self::Script(file) => write!(formatter, "script:{}", file.display()),
        }
    }
}

/// A suggestion for a text without colon: a bare model, or a file.
fn completion(text: &str) -> String {
    let provider = if text.ends_with(".json") {
        "script"
    } else if text.starts_with("claude") {
        "anthropic"
    } else if text.starts_with("gpt-") {
        "openai"
    } else if text.starts_with("gemini-") {
        "gemini"
    } else {
        return String::new();
    };
    format!(", did you mean `{provider}:{text}`?")
}

/// The provider that `given` was perhaps meant to be.
fn near_miss(given: &str) -> Option<&'static str> {
    let given = given.to_lowercase().replace('_', "-");
    let names = || Provider::ALL.into_iter().map(Provider::name).chain(["script"]);
    let called = ALSO_CALLED.iter().find(|(other, _)| *other == given).map(|(_, name)| *name);
    called.or_else(|| {
        let (distance, name) = names().map(|name| (edit_distance(&given, name), name)).min()?;
        (distance <= 1 + name.len() / 4).then_some(name)
    })
}

/// The number of letters to change, insert or delete between two words (Levenshtein 1966).
pub(crate) fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (other, above) in to.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(letter != *other);
            left = changed.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<ModelSpec>().unwrap_err().to_string()
    }

    #[test]
    fn every_provider_is_read_and_written() {
        for provider in Provider::ALL {
            let text = format!("{}:some-model:8b", provider.name());
            let spec: ModelSpec = text.parse().unwrap();
            assert_eq!(spec, ModelSpec::Provider(provider, "some-model:8b".into()));
            assert_eq!(spec.to_string(), text);
        }
        let script: ModelSpec = "script:a/b.json".parse().unwrap();
        assert_eq!(script, ModelSpec::Script("a/b.json".into()));
        assert_eq!(script.to_string(), "script:a/b.json");
        assert_eq!(serde_json::from_str::<ModelSpec>(r#""script:a/b.json""#).unwrap(), script);
    }

    #[test]
    fn near_misses_are_suggested() {
        for (given, meant) in [
            ("antropic:m", "`anthropic:m`"),
            ("Anthropic:m", "`anthropic:m`"),
            ("open-ai:m", "`openai:m`"),
            ("claude:m", "`anthropic:m`"),
            ("openai_compatible:m", "`openai-compatible:m`"),
            ("openaicompatible:m", "`openai-compatible:m`"),
            ("google:m", "`gemini:m`"),
            ("scrpt:f", "`script:f`"),
            ("claude-opus-4-5", "`anthropic:claude-opus-4-5`"),
            ("demo.json", "`script:demo.json`"),
        ] {
            let error = error(given);
            assert!(
                error.contains(&format!("did you mean {meant}?; choose anthropic:MODEL, ")),
                "{given}: {error}"
            );
        }
    }

    #[test]
    fn what_is_like_nothing_gets_the_choices_alone() {
        assert_eq!(error("mistralai:m"), format!("`mistralai` is no provider of models; choose {CHOICES}"));
        assert_eq!(error("anthropic:"), format!("`anthropic:` names no model; choose {CHOICES}"));
        assert_eq!(error(""), format!("`` names no model; choose {CHOICES}"));
    }

    #[test]
    fn edit_distances_are_right() {
        for (from, to, distance) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2)]
        {
            assert_eq!(edit_distance(from, to), distance);
        }
    }
}
