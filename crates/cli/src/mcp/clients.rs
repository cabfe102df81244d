//! The configurations of known clients: which file they read, and what in it starts `agent-team mcp`.
//!
//! What else stands in a file stays as it is.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure};

/// What the server is called in a client's configuration.
const SERVER: &str = "team";

/// A client that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// Claude Code
    Claude,
    /// Codex
    Codex,
    /// Gemini CLI
    Gemini,
    /// OpenCode
    Opencode,
    /// Qwen Code
    Qwen,
}

/// What a client is to start.
pub struct Start {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder that the team works for.
    pub workspace: PathBuf,
}

impl Client {
    /// The file that it reads: of the project, where it has one of its own for each.
    pub fn file(self, start: &Start) -> Result<PathBuf, Failure> {
        let project = &start.workspace;
        Ok(match self {
            Self::Claude => project.join(".mcp.json"),
            Self::Gemini => project.join(".gemini/settings.json"),
            Self::Qwen => project.join(".qwen/settings.json"),
            Self::Opencode => project.join("opencode.json"),
            Self::Codex => {
                let home = std::env::var_os("CODEX_HOME").map(PathBuf::from);
                let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".codex")));
                home.ok_or_else(|| Failure::usage("neither $CODEX_HOME nor $HOME is set"))?
                    .join("config.toml")
            }
        })
    }

    /// What is to stand in that file, if nothing else does.
    pub fn text(self, start: &Start) -> String {
        match self {
            Self::Codex => self.table(start),
            _ => pretty(&Value::Object(self.object(Map::new(), start).unwrap_or_default())),
        }
    }

    /// Writes it into the file beside what is there. Says whether anything changed by that.
    pub fn write(self, file: &Path, start: &Start) -> Result<bool, Failure> {
        let broken = |error: &std::io::Error| Failure::io(&file.display().to_string(), error);
        let known = match fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            known => known.map_err(|error| broken(&error))?,
        };
        let Some(text) = self.merged(&known, start).map_err(|words| {
            Failure::refused(format!("{}: {words}", file.display()))
                .hint("without --write it is printed, for you to put in")
        })?
        else {
            return Ok(false);
        };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| broken(&error))?;
        }
        let begun = file.with_extension("agent-team.tmp");
        fs::write(&begun, text).and_then(|()| fs::rename(&begun, file)).map_err(|error| broken(&error))?;
        Ok(true)
    }

    /// The file's new text; `None` if it says so already.
    fn merged(self, known: &str, start: &Start) -> Result<Option<String>, String> {
        if self == Self::Codex {
            let table = self.table(start);
            return match known.contains(&table) {
                true => Ok(None),
                false if known.lines().any(|line| line.trim_start().starts_with("[mcp_servers.team")) => {
                    Err(format!("there is another server `{SERVER}`"))
                }
                false if known.trim().is_empty() => Ok(Some(table)),
                false => Ok(Some(format!("{}\n\n{table}", known.trim_end()))),
            };
        }
        let before = match known.trim() {
            "" => Map::new(),
            text => serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))?,
        };
        let after = self.object(before.clone(), start)?;
        Ok((after != before).then(|| pretty(&Value::Object(after))))
    }

    /// An object with the server in it.
    fn object(self, mut object: Map<String, Value>, start: &Start) -> Result<Map<String, Value>, String> {
        let (section, server) = match self {
            Self::Opencode => {
                let command: Vec<&String> = std::iter::once(&start.program).chain(&start.arguments).collect();
                ("mcp", json!({ "type": "local", "command": command, "enabled": true }))
            }
            _ => ("mcpServers", json!({ "command": start.program, "args": start.arguments })),
        };
        let servers = object.entry(section).or_insert_with(|| Value::Object(Map::new()));
        let servers = servers.as_object_mut().ok_or_else(|| format!("`{section}` is no object"))?;
        match servers.get(SERVER) {
            Some(known) if *known != server => Err(format!("there is another server `{SERVER}`")),
            _ => {
                servers.insert(SERVER.to_owned(), server);
                Ok(object)
            }
        }
    }

    /// The table of TOML that Codex reads.
    fn table(self, start: &Start) -> String {
        // A string of JSON is one of TOML, too.
        let quoted = |text: &String| Value::from(text.as_str()).to_string();
        let arguments: Vec<String> = start.arguments.iter().map(quoted).collect();
        format!(
            "[mcp_servers.{SERVER}]\ncommand = {}\nargs = [{}]\nrequired = true\n",
            quoted(&start.program),
            arguments.join(", ")
        )
    }
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Says what a client needs, or writes it.
pub fn configure(
    client: Client,
    start: &Start,
    writes: bool,
    out: &mut crate::output::Output,
) -> Result<Exit, Failure> {
    let file = client.file(start)?;
    if writes {
        let changed = client.write(&file, start)?;
        let word = if changed { "written" } else { "was there already" };
        let value = json!({ "file": file, "changed": changed });
        out.answer(&value, |out| out.line(&format!("{}: {word}", file.display())))?;
        return Ok(Exit::Done);
    }
    let text = client.text(start);
    out.answer(&json!({ "file": file, "text": text }), |out| out.block("", &text))?;
    if !out.is_json() {
        out.flush()?;
        crate::output::note(&format!("goes into {}; --write puts it there", file.display()), false);
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        let arguments = ["-C", "/a \"b\"", "mcp"].map(String::from).to_vec();
        Start { program: "/bin/agent-team".into(), arguments, workspace: "/a".into() }
    }

    #[test]
    fn what_else_stands_in_a_configuration_stays() {
        let known = "{\"theme\": \"dark\", \"mcpServers\": {\"other\": {\"command\": \"x\"}}}";
        let text = Client::Gemini.merged(known, &start()).unwrap().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["theme"], &value["mcpServers"]["other"]["command"]),
            (&json!("dark"), &json!("x"))
        );
        assert_eq!(value["mcpServers"]["team"]["args"], json!(start().arguments));
        assert_eq!(Client::Gemini.merged(&text, &start()), Ok(None), "it is there already");
        let table = Client::Codex.merged("model = \"m\"\n", &start()).unwrap().unwrap();
        assert!(table.starts_with("model = \"m\"\n\n[mcp_servers.team]\n"), "{table}");
        assert!(table.contains("args = [\"-C\", \"/a \\\"b\\\"\", \"mcp\"]"), "{table}");
        assert_eq!(Client::Codex.merged(&table, &start()), Ok(None));
    }

    #[test]
    fn a_configuration_that_is_not_understood_is_left_alone() {
        for known in ["// a comment\n{}", "[]", "{\"mcpServers\": 1}", "{\"mcpServers\": {\"team\": 1}}"] {
            assert!(Client::Claude.merged(known, &start()).is_err(), "{known}");
        }
        assert!(Client::Codex.merged("[mcp_servers.team]\ncommand = \"x\"\n", &start()).is_err());
    }
}
