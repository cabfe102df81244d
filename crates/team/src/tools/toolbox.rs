//! The tools that one agent has, by name.

use std::sync::Arc;

use serde_json::Value;

use super::{Edit, List, Read, Run, Search, Tool, ToolContext, ToolOutput, Write};
use crate::model::ToolSpec;

/// A set of tools, in the order in which a model is told of them.
///
/// ```
/// use agent_team::tools::Toolbox;
///
/// let names: Vec<String> = Toolbox::reading().specs().into_iter().map(|spec| spec.name).collect();
/// assert_eq!(names, ["read", "list", "search"]);
/// ```
#[derive(Clone, Default)]
pub struct Toolbox {
    tools: Vec<Arc<dyn Tool>>,
}

impl Toolbox {
    /// No tools yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a role needs that looks and does not touch: read, list and search.
    pub fn reading() -> Self {
        Self::new().with(Read).with(List).with(Search)
    }

    /// What a coding agent needs: the reading tools, write, edit and run.
    pub fn coding() -> Self {
        Self::reading().with(Write).with(Edit).with(Run)
    }

    /// With one tool more. It takes the place of one with the same name.
    #[must_use]
    pub fn with(mut self, tool: impl Tool + 'static) -> Self {
        let name = tool.spec().name;
        self.tools.retain(|other| other.spec().name != name);
        self.tools.push(Arc::new(tool));
        self
    }

    /// What a model is told.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec()).collect()
    }

    /// Calls the tool of that name; if there is none, the model is told which there are.
    pub async fn call(&self, name: &str, input: Value, context: &ToolContext) -> ToolOutput {
        match self.tools.iter().find(|tool| tool.spec().name == name) {
            Some(tool) => tool.call(input, context).await,
            None => ToolOutput::failure(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<String> = self.specs().into_iter().map(|spec| spec.name).collect();
        format!("There is no tool `{name}`. The tools are: {}.", names.join(", "))
    }
}

impl std::fmt::Debug for Toolbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.specs().into_iter().map(|spec| spec.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::testing::Project;

    #[tokio::test]
    async fn an_unknown_tool_is_corrected_with_those_there_are() {
        let project = Project::new();
        let output = Toolbox::reading().call("bash", json!({}), &project.context()).await;
        assert!(output.is_error);
        assert_eq!(output.text, "There is no tool `bash`. The tools are: read, list, search.");
    }

    #[test]
    fn every_tool_is_described_down_to_its_arguments() {
        for spec in Toolbox::coding().specs() {
            assert!(spec.description.len() > 60, "{}", spec.name);
            let properties = spec.input_schema["properties"].as_object().unwrap();
            assert!(!properties.is_empty());
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{}: {name}", spec.name);
                assert!(property["type"].is_string(), "{}: {name}", spec.name);
            }
        }
    }
}
