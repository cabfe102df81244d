//! A file of tasks: one JSON object per line. What is wrong is named by line, column and field.

use std::fmt::Display;

use agent_team_core::id::{AgentId, BadName, Skill, TaskId};

use crate::new_task::NewTask;

/// What is wrong with a file of tasks, and where. Written `3:17: field `after`: …`, so that a file's name can stand
/// before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {}{problem}", field.as_ref().map(|field| format!("field `{field}`: ")).unwrap_or_default())]
pub struct TaskFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in bytes.
    pub column: usize,
    /// The field, where one is to blame.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl NewTask {
    /// Reads tasks, one JSON object per line. Empty lines are left out.
    ///
    /// ```
    /// use agent_team::NewTask;
    ///
    /// let tasks = NewTask::parse_lines("{\"title\":\"A\",\"id\":\"a\"}\n\n{\"title\":\"B\",\"after\":[\"a\"]}\n")?;
    /// assert_eq!(tasks[1].after, ["a"]);
    /// let error = NewTask::parse_lines("{\"title\":\"A\",\"priority\":\"high\"}").unwrap_err();
    /// assert_eq!((error.line, error.field.as_deref()), (1, Some("priority")));
    /// # Ok::<(), agent_team::TaskFileError>(())
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong, names that cannot be one included.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, TaskFileError> {
        // Editors of some systems put a mark of the byte order in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let tasks: Vec<Self> = lines.map(|(index, line)| parse(index + 1, line)).collect::<Result<_, _>>()?;
        if tasks.is_empty() {
            return Err(TaskFileError {
                line: 1,
                column: 1,
                field: None,
                problem: "there is no task in it".into(),
            });
        }
        Ok(tasks)
    }
}

fn parse(number: usize, line: &str) -> Result<NewTask, TaskFileError> {
    // A list would be read by the order of the fields, which nobody is told.
    if line.trim_start().starts_with('[') {
        let problem = "a task is an object, `{…}`, and this is a list".to_owned();
        return Err(TaskFileError { line: number, column: 1, field: None, problem });
    }
    let mut json = serde_json::Deserializer::from_str(line);
    let task: NewTask = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        let field = Some(path).filter(|path| path != "." && source.is_data());
        TaskFileError { line: number, column: source.column().max(1), field, problem: without_place(&source) }
    })?;
    json.end().map_err(|error| TaskFileError {
        line: number,
        column: error.column().max(1),
        field: None,
        problem: "there is more on the line than one JSON object".into(),
    })?;
    check_names(number, line, &task)?;
    if task.title.trim().is_empty() && task.description.trim().is_empty() {
        let problem = "a task needs a title or a description".to_owned();
        return Err(TaskFileError { line: number, column: 1, field: Some("title".into()), problem });
    }
    Ok(task)
}

/// What the JSON library says, without the place: it knows only its own line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(problem, _)| problem.to_owned())
}

fn check_names(number: usize, line: &str, task: &NewTask) -> Result<(), TaskFileError> {
    let wrong = |field: &str, problem: &dyn Display| TaskFileError {
        line: number,
        column: line.find(&format!("\"{field}\"")).map_or(1, |at| at + 1),
        field: Some(field.to_owned()),
        problem: problem.to_string(),
    };
    let is_task = |name: &String| TaskId::try_from(name.as_str()).map(|_| ());
    let is_skill = |name: &String| Skill::try_from(name.as_str()).map(|_| ());
    let is_agent = |name: &String| AgentId::try_from(name.as_str()).map(|_| ());
    let all = |field, names: &mut dyn Iterator<Item = Result<(), BadName>>| {
        names.collect::<Result<(), BadName>>().map_err(|bad| wrong(field, &bad))
    };
    all("id", &mut task.id.iter().map(is_task))?;
    all("after", &mut task.after.iter().map(is_task))?;
    all("parent", &mut task.parent.iter().map(is_task))?;
    all("skill", &mut task.skill.iter().map(is_skill))?;
    all("agent", &mut task.agent.iter().map(is_agent))?;
    all("team", &mut task.team.iter().map(is_agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        NewTask::parse_lines(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert_eq!(
            error("{\"title\":\"a\"}\n{\"title\":7}"),
            "2:10: field `title`: invalid type: integer `7`, expected a string"
        );
        assert!(error("{\"titel\":\"a\"}").starts_with("1:8: field `titel`: unknown field `titel`"));
        assert!(
            error("\n{\"title\":\"a\",\"after\":[\"a b\"]}")
                .starts_with("2:14: field `after`: `a b` is no task id")
        );
        assert!(error("{\"title\":").starts_with("1:9: EOF"), "{}", error("{\"title\":"));
        assert!(error("{\"title\":\"a\"} {\"title\":\"b\"}").contains("more on the line"));
        assert!(error("{\"id\":\"a\"}").contains("field `title`: a task needs"));
        assert!(error(" \n").contains("no task"));
    }
}
