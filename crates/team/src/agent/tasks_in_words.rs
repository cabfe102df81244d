//! Tasks that a lead without tools asks for: as JSON in its answer.

use serde_json::Value;

use super::asked_tasks::AddTasksInput;

/// What a lead without tools is told besides.
pub(super) const HOW: &str = "\nYou have no tools. Where you are told to call `add_tasks`, answer with the tasks as JSON, and whoever \
                              runs you adds them: {\"tasks\": [{\"id\": \"lexer\", \"title\": \"Mend the lexer\", \"description\": \
                              \"all that whoever does it must know\", \"check\": \"make lexer\"}, {\"id\": \"parser\", \"title\": \
                              \"Mend the parser\", \"after\": [\"lexer\"]}]}. Only `title` is needed, and the `id` of what others wait for. What you are told of `finish` and \
                              `wait` happens by itself.\n";

/// How many brackets are tried: an answer that hides its tasks behind more is no answer.
const BRACKETS_MAX: usize = 100;

/// The tasks in an answer, whatever stands around them: the first JSON that is some.
///
/// # Errors
/// What is wrong, in words for whoever answered.
pub(super) fn tasks_in(answer: &str) -> Result<AddTasksInput, String> {
    let mut fault = None;
    for (begin, _) in answer.match_indices(['{', '[']).take(BRACKETS_MAX) {
        let rest = answer.get(begin..).unwrap_or_default();
        match serde_json::Deserializer::from_str(rest).into_iter().next() {
            Some(Ok(value)) => match tasks_of(value) {
                Ok(input) if input.tasks.is_empty() => fault = Some("it names no task".to_owned()),
                Ok(input) => return Ok(input),
                // What is wrong with the whole says more than what is wrong with its parts.
                Err(error) => drop(fault.get_or_insert(format!("its JSON does not fit: {error}"))),
            },
            Some(Err(error)) if error.is_eof() => drop(fault.get_or_insert("its JSON has no end".to_owned())),
            Some(Err(_)) | None => {}
        }
    }
    Err(fault.unwrap_or_else(|| "there is no JSON in it".to_owned()))
}

fn tasks_of(value: Value) -> serde_json::Result<AddTasksInput> {
    match value {
        Value::Array(_) => serde_json::from_value(value).map(|tasks| AddTasksInput { tasks }),
        _ => serde_json::from_value(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_found_in_whatever_stands_around_them() {
        for answer in [
            r#"{"tasks": [{"title": "A"}, {"title": "B", "after": ["a"]}]}"#,
            r#"[{"title": "A"}, {"title": "B"}]"#,
            "I use {a} style, as in [1].\n{\"tasks\": [{\"title\": \"A\"}, {\"title\": \"B\"}]} and {\"more\": 1}",
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
            ("I use {a} style.", "no JSON"),
        ] {
            let said = tasks_in(answer).err().unwrap();
            assert!(said.contains(fault), "{answer}: {said}");
        }
    }
}
