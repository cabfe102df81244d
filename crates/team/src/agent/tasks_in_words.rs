//! Tasks that a lead without tools asks for: as JSON in its answer.

use super::asked_tasks::AddTasksInput;

/// What a lead without tools is told besides.
pub(super) const HOW: &str = "\nYou have no tools. Where you are told to call `add_tasks`, answer with the tasks as JSON, and whoever \
                              runs you adds them: {\"tasks\": [{\"id\": \"lexer\", \"title\": \"Mend the lexer\", \"description\": \
                              \"all that whoever does it must know\", \"check\": \"make lexer\"}, {\"id\": \"parser\", \"title\": \
                              \"Mend the parser\", \"after\": [\"lexer\"]}]}. Only `title` is needed. What you are told of `finish` and \
                              `wait` happens by itself.\n";

/// The tasks in an answer: the whole of it, or what stands in it between the first bracket and the last.
///
/// # Errors
/// What is wrong, in words for whoever answered.
pub(super) fn tasks_in(answer: &str) -> Result<AddTasksInput, String> {
    let begin = answer.find(['{', '[']).ok_or("there is no JSON in it")?;
    let end = answer.rfind(['}', ']']).filter(|end| *end > begin).ok_or("its JSON has no end")?;
    let json = answer.get(begin..=end).unwrap_or_default();
    // What is wrong is said of the form that was meant.
    let read = match json.starts_with('[') {
        true => serde_json::from_str(json).map(|tasks| AddTasksInput { tasks }),
        false => serde_json::from_str(json),
    };
    let read = read.map_err(|error| format!("its JSON does not fit: {error}"))?;
    if read.tasks.is_empty() { Err("it names no task".to_owned()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_found_in_whatever_stands_around_them() {
        for answer in [
            r#"{"tasks": [{"title": "A"}, {"title": "B", "after": ["a"]}]}"#,
            r#"[{"title": "A"}, {"title": "B"}]"#,
            "Here is my plan:\n```json\n{\"tasks\": [{\"title\": \"A\"}, {\"title\": \"B\"}]}\n```\nTwo tasks.",
        ] {
            assert_eq!(tasks_in(answer).unwrap().tasks.len(), 2, "{answer}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (answer, fault) in [
            ("1. Write it. 2. Test it.", "no JSON"),
            ("{\"tasks\": [", "no end"),
            ("{\"tasks\": []}", "no task"),
            ("{\"tasks\": [{\"titel\": \"A\"}]}", "titel"),
            ("} {", "no end"),
        ] {
            let said = tasks_in(answer).err().unwrap();
            assert!(said.contains(fault), "{answer}: {said}");
        }
    }
}
