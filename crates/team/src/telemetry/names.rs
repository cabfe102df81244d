//! The names of what is traced and measured: those of OpenTelemetry's conventions for generative AI, and our own.
//!
//! The conventions are those of semantic-conventions 1.41, the last release before they moved to a repository of their own
//! and began to be renamed there. They are written here and not taken from a crate, so that no release of one renames what
//! dashboards ask for.

/// The operation, of each span and measure of a model's call, an agent or a tool: `chat`, `invoke_agent` or `execute_tool`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Who stands behind a model.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The agent's name in its team.
pub const AGENT: &str = "gen_ai.agent.name";
/// The model that is asked.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// The longest answer that is asked for, in tokens.
pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// Why the model stopped: a list of one.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Tokens read, those from a cache included.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Of the tokens read, those from the provider's cache.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Of the tokens read, those written to the provider's cache.
pub const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Tokens written.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Which tokens are counted: `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// The tool that is called.
pub const TOOL: &str = "gen_ai.tool.name";
/// Which call of the model's answer it is.
pub const TOOL_CALL: &str = "gen_ai.tool.call.id";
/// What kind of tool: `function`, as all tools of a team run where the team does.
pub const TOOL_TYPE: &str = "gen_ai.tool.type";
/// The provider's host.
pub const SERVER: &str = "server.address";
/// The provider's port.
pub const SERVER_PORT: &str = "server.port";
/// What kind of error ended it; missing where none did.
pub const ERROR: &str = "error.type";
/// The exit code of a check or a gate; missing if it was ended.
pub const EXIT_CODE: &str = "process.exit.code";

/// The run, by the id of its record.
pub const RUN: &str = "agent_team.run.id";
/// The agent's role.
pub const ROLE: &str = "agent_team.agent.role";
/// The task.
pub const TASK: &str = "agent_team.task.id";
/// What is done with the task: `work` or `review`.
pub const STAGE: &str = "agent_team.task.stage";
/// The status of the tasks that are counted.
pub const STATUS: &str = "agent_team.task.status";
/// Which attempt at the task it is, from 1.
pub const ATTEMPT: &str = "agent_team.attempt.number";
/// The attempt's claim: the name of its folder, which holds its transcript.
pub const CLAIM: &str = "agent_team.attempt.id";
/// What came of a run, an attempt or a merge.
pub const OUTCOME: &str = "agent_team.outcome";
/// Whether a check or a gate held.
pub const PASSED: &str = "agent_team.passed";

/// A histogram: tokens that calls used.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// A histogram: how long calls of models took, in seconds.
pub const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// A counter: what calls cost, in dollars.
pub const COST: &str = "agent_team.cost";
/// A counter: attempts that ended.
pub const ATTEMPTS: &str = "agent_team.attempts";
/// A counter: turns of the merge queue that ended.
pub const MERGES: &str = "agent_team.merges";
/// A gauge: tasks of the team. Nobody is told of it: whoever exports it asks the [`TaskQueue`](crate::TaskQueue).
pub const TASKS: &str = "agent_team.tasks";

#[cfg(test)]
mod tests {
    #[test]
    fn all_names_stand_in_the_documentation() {
        let text = include_str!("../../../../docs/telemetry.md");
        let names = include_str!("names.rs").lines().filter_map(|line| line.strip_prefix("pub const "));
        let names: Vec<&str> = names.filter_map(|line| line.split('"').nth(1)).collect();
        assert!(names.len() > 30);
        let missing: Vec<&&str> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
