use std::ffi::OsStr;

use super::*;
use crate::TaskBudget;
use crate::model::{Provider, Usage};

const DOCUMENTATION: &str = include_str!("../../../../docs/team-toml.md");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("team.toml")).map_err(|error| error.to_string())
}

/// The first line of the error.
fn mistake(text: &str) -> String {
    parse(text).unwrap_err().lines().next().unwrap_or_default().to_owned()
}

fn names(config: &Config) -> Vec<&str> {
    config.agents.iter().flat_map(|agent| &agent.names).map(AgentId::as_str).collect()
}

#[test]
fn the_documented_example_of_leads_is_read() {
    let page = include_str!("../../../../docs/lead.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = parse(example).unwrap();
    assert_eq!((config.replans, config.max_depth), (Some(3), Some(3)));
    assert_eq!(config.agents[1].members, ["api-1", "api-2"].map(|name| name.parse::<AgentId>().unwrap()));
}

#[test]
fn the_documented_example_is_read_whole() {
    let example = DOCUMENTATION.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = parse(example).unwrap();
    assert_eq!(config.goal.as_deref(), Some("Port the parser to the new grammar"));
    assert_eq!(
        config.with,
        Some(ModelSpec::Provider(Provider::Anthropic, "claude-sonnet-5-5".into()).into())
    );
    assert_eq!((config.durability, config.into.as_deref()), (Durability::Power, Some("main")));
    assert_eq!(
        (config.gate.as_deref(), config.check.as_deref()),
        (Some("make test"), Some("make acceptance"))
    );
    assert_eq!(config.gate_time_limit, Some(Duration::from_secs(600)));
    assert_eq!(config.timeout, Some(Duration::from_secs(7_200)));
    assert_eq!(config.protect, ["tests/**", "Makefile"]);
    assert_eq!(config.max_file_bytes, Some(52_428_800));
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
    let budget = Budget {
        micro_usd: Some(5_000_000),
        tokens: Some(2_000_000),
        turns: Some(2_000),
        attempts: Some(100),
        time: hours(16),
        elapsed: hours(3),
    };
    assert_eq!((config.budget, config.max_agents), (budget, Some(20)));
    let each = AgentBudget { micro_usd: Some(2_000_000), attempts: Some(20), ..AgentBudget::default() };
    let budgets: Vec<_> = config.agents.iter().map(|agent| agent.budget).collect();
    let none = AgentBudget::default();
    assert_eq!(budgets, [none, each, none, none]);
    assert_eq!(names(&config), ["lead", "worker-1", "worker-2", "worker-3", "reviewer", "sql"]);
    let roles: Vec<_> = config.agents.iter().map(|agent| agent.role).collect();
    assert_eq!(roles, [Role::Lead, Role::Worker, Role::Reviewer, Role::Specialist]);
    let grammar = NewTask::new("Write the grammar")
        .id("grammar")
        .description("As in docs/grammar.md. Keep the old one until the parser is ported.")
        .check("make test-grammar")
        .time_limit(Duration::from_secs(1_800))
        .attempts(3)
        .priority(2)
        .budget(TaskBudget {
            turns: Some(60),
            time: Some(Duration::from_secs(7_200)),
            ..TaskBudget::default()
        });
    let parser =
        NewTask::new("Port the parser").id("parser").after("grammar").check("make test-parser").review(true);
    assert_eq!(config.tasks, [grammar, parser]);
    let million = Usage { input_tokens: 1_000_000, ..Usage::default() };
    assert_eq!(config.prices.cost("my-model", million), Some(3_000_000));
}

#[test]
fn an_empty_file_is_a_team_of_defaults() {
    assert_eq!(parse(""), Ok(Config::default()));
}

#[test]
fn a_mistake_is_marked_in_its_line() {
    let text = "gate = \"make test\"\n\n[[agent]]\nname = \"a\"\n\trole = \"wroker\" # ?\n";
    assert_eq!(
        parse(text).unwrap_err(),
        "team.toml:5:9: unknown value `wroker`, did you mean `worker`? (known here: lead, worker, reviewer, specialist)\n  \
         |\n\
         5 | \trole = \"wroker\" # ?\n  \
         | \t       ^^^^^^^^"
    );
    let text = "goal = \"größer\"\ntimeout = 'zwölf'";
    let ConfigError::Invalid(mistake) = Config::parse(text, Path::new("a/team.toml")).unwrap_err() else {
        panic!("the text was there to be read");
    };
    assert_eq!((mistake.line, mistake.column, mistake.width), (2, 11, 7));
    assert_eq!(mistake.excerpt, "timeout = 'zwölf'");
}

#[test]
fn what_is_wrong_in_itself_is_refused_at_its_place() {
    let cases = [
        (
            "gaet = 'make'",
            "1:1: unknown key `gaet`, did you mean `gate`? (known here: goal, approve_plan, with, ",
        ),
        (
            "[budget]\ndollars = 3",
            "2:1: unknown key `dollars` (known here: usd, tokens, turns, attempts, time, elapsed)",
        ),
        ("[[task]]\ntitel = 'x'", "2:1: unknown key `titel`, did you mean `title`? (known here: "),
        ("[[agent]]\nrole = 'lead'", "1:1: the key `name` is missing"),
        ("gate = ' '", "1:8: nothing is written here: say something, or leave the key out"),
        ("gate = ", "1:8: "),
        ("gate = 'a'\ngate = 'b'", "2:1: duplicate key"),
        ("timeout = '90'", "1:11: `90` is no duration: write whole numbers with a unit"),
        ("timeout = '0s'", "1:11: a time of nothing lets nothing happen"),
        ("timeout = 90", "1:11: invalid type: integer `90`, expected a string"),
        ("with = 'claude:opus'", "1:8: `claude` is no provider of models, did you mean `anthropic:opus`?"),
        ("base_url = 'localhost:80'", "1:12: \"localhost:80\" is no base URL"),
        ("durability = 'disk'", "1:14: unknown value `disk` (known here: power, process)"),
        ("protect = ['a/**', 'b/{']", "1:20: protect pattern \"b/{\" cannot be read: "),
        ("[budget]\nusd = 0", "2:7: a budget is more than 0 US dollars"),
        ("[budget]\nusd = -1.5", "2:7: a budget is more than 0 US dollars"),
        ("[budget]\nusd = nan", "2:7: a budget is more than 0 US dollars"),
        ("max_file_bytes = 0", "1:18: a file has more than 0 bytes"),
        ("context_tokens = 100", "1:18: a conversation holds at least 4000 tokens, not 100"),
        (
            "max_output_tokens = 100",
            "1:21: an answer holds at least 256 tokens, or no call of a tool fits into it, not 100",
        ),
        ("[[agent]]\nname = 'a'\nmax_output_tokens = -1", "3:21: an answer holds at least 256 tokens"),
        ("[budget]\ntokens = 0", "2:10: a budget is more than 0 tokens"),
        ("[budget]\nattempts = 0", "2:12: a budget is more than 0: leave it out"),
        ("[budget]\ntime = '8'", "2:8: `8` is no duration"),
        ("[[agent]]\nname = 'a'\nbudget = { usd = 0 }", "3:18: a budget is more than 0 US dollars"),
        ("[[agent]]\nname = 'a'\n[agent.budget]\ntokens = 0", "4:10: a budget is more than 0 tokens"),
        (
            "[[agent]]\nname = 'a'\nbudget = { elapsed = '2h' }",
            "3:12: unknown key `elapsed`: only a run has a clock, by `elapsed` in the `[budget]` of the team (known here: usd, tokens, turns, attempts, time)",
        ),
        ("[[task]]\ntitle = 'x'\nbudget = { turns = 0 }", "3:20: a budget is more than 0: leave it out"),
        (
            "[[task]]\ntitle = 'x'\n[task.budget]\nattempts = 3",
            "4:1: unknown key `attempts`: how many may fail is said beside the title, by `attempts` (known here: usd, tokens, turns, time)",
        ),
        ("[[task]]\ntitle = 'x'\nbudget = { turn = 1 }", "3:12: unknown key `turn`, did you mean `turns`?"),
        ("max_agents = 0", "1:14: a team may have 1 to 10000 agents, not 0"),
        ("[[agent]]\nname = 'a b'", "2:8: `a b` is no agent"),
        ("[[agent]]\nname = 'a'\ncount = 0", "3:9: there can be 1 to 10000 of it, not 0"),
        ("[prices.m]\ninput = -1.0\noutput = 1", "1:1: a price is US dollars for a million tokens"),
        ("[environment]\npass = ['HOME', 'OPENAI_API_KEY']", "2:17: commands never see OPENAI_API_KEY: "),
        ("[environment]\nset = { 'A=B' = 'x' }", "2:17: \"A=B\" is no name of a variable"),
        ("[[task]]\ntitle = 'x'\nreviews = 0", "3:11: it is one at least"),
        ("[[task]]\ntitle = 'x'\ntime_limit = '5 m'", "3:14: `5 m` is no duration"),
    ];
    for (text, expected) in cases {
        let mistake = mistake(text);
        assert!(
            mistake.starts_with(&format!("team.toml:{expected}")),
            "{text}\ngives {mistake}\nnot   {expected}"
        );
    }
}

#[test]
fn what_is_wrong_together_is_refused_at_the_later_place() {
    let cases = [
        ("no_gate = true\ngate = 'make'", "1:11: there is a gate: leave out `no_gate`, or the gate"),
        (
            "[[agent]]\nname = 'w'\ncount = 2\n[[agent]]\nname = 'w-2'",
            "5:8: there is an agent w-2 already: every agent needs a name of its own",
        ),
        (
            "[[agent]]\nname = 'a'\nrole = 'lead'\n[[agent]]\nname = 'b'\nrole = 'lead'",
            "6:8: a team has one lead, and there is another: give this one `members` of its own, or make it a worker",
        ),
        (
            "[[agent]]\nname = 'a'\nrole = 'lead'\ncount = 2",
            "3:8: a team has one lead, and there is another: give this one `members` of its own, or make it a worker",
        ),
        ("[[agent]]\nname = 'a'\nmembers = ['b']\n[[agent]]\nname = 'b'", "3:12: only a lead has members"),
        (
            "[[agent]]\nname = 'a'\nrole = 'lead'\nmembers = ['bo']\n[[agent]]\nname = 'bob'",
            "4:12: there is no agent bo, did you mean `bob`?",
        ),
        ("[[agent]]\nname = 'a'\nrole = 'lead'\nmembers = ['a']", "4:12: a cannot be in its own team"),
        (
            "[[agent]]\nname = 'a'\nrole = 'lead'\nmembers = ['b', 'b']\n[[agent]]\nname = 'b'",
            "4:17: b is in another team already",
        ),
        ("[[task]]\npriority = 1", "1:1: a task needs a title or a description"),
        ("[[task]]\ntitle = 'x'\ncheck = ''", "3:9: the check is empty: give a command, or leave it out"),
        (
            "[[task]]\ntitle = 'x'\nattempts = 0",
            "3:12: a task without an attempt is never done: give 1 or more",
        ),
        ("[[task]]\ntitle = 'x'\nid = '../x'", "3:6: `../x` is no task"),
        (
            "[[task]]\ntitle = 'x'\nid = 'x'\n[[task]]\ntitle = 'y'\nid = 'x'",
            "6:6: there is a task x already: every task needs an id of its own",
        ),
        (
            "[[task]]\ntitle = 'x'\nid = 'parser'\n[[task]]\ntitle = 'y'\nafter = ['parser', 'praser']",
            "6:20: no task here has the id `praser`, did you mean `parser`?",
        ),
        ("[[task]]\ntitle = 'x'\nid = 'x'\nafter = ['x']", "4:10: task x cannot wait for itself"),
        ("[[task]]\ntitle = 'x'\nparent = 'epic'", "3:10: no task here has the id `epic`"),
    ];
    for (text, expected) in cases {
        let mistake = mistake(text);
        assert!(
            mistake.starts_with(&format!("team.toml:{expected}")),
            "{text}\ngives {mistake}\nnot   {expected}"
        );
    }
}

#[test]
fn tasks_may_refer_forward() {
    let text = "[[task]]\ntitle = 'b'\nafter = ['a']\n[[task]]\ntitle = 'a'\nid = 'a'";
    assert_eq!(parse(text).unwrap().tasks, [NewTask::new("b").after("a"), NewTask::new("a").id("a")]);
}

#[test]
fn scripts_are_found_from_the_folder_of_the_file() {
    let text = "with = 'script:demo.json'\n[[agent]]\nname = 'a'\nwith = 'script:/b.json'";
    let config = Config::parse(text, Path::new("/project/team.toml")).unwrap();
    assert_eq!(config.with, Some(ModelSpec::Script("/project/demo.json".into()).into()));
    assert_eq!(config.agents[0].with, Some(ModelSpec::Script("/b.json".into()).into()));
}

#[test]
fn commands_get_what_the_file_names() {
    let text = "[environment]\npass = ['CARGO_HOME', 'NOT_SET']\nset = { LANG = 'de_DE.UTF-8' }";
    let parent = [("PATH", "/bin"), ("CARGO_HOME", "/cargo"), ("EDITOR", "vi"), ("OPENAI_API_KEY", "no")];
    let parent = parent.map(|(name, value)| (name.into(), value.into()));
    let environment = parse(text).unwrap().environment.environment(parent);
    let variables: Vec<_> = environment.iter().collect();
    let expected = [("CARGO_HOME", "/cargo"), ("LANG", "de_DE.UTF-8"), ("PATH", "/bin"), ("TERM", "dumb")];
    assert_eq!(variables, expected.map(|(name, value)| (OsStr::new(name), OsStr::new(value))));
}

/// Texts that would mislead files, refs, terminals or people if they were names.
fn hostile_names() -> Vec<String> {
    let plain =
        ["", ".", "..", "../x", "a..b", "/", "a/b", "-x", "--help", "@{u}", "HEAD^", "a:b", "a b", "x.lock"];
    let marks = [
        "a\\u202eb",
        "a\\u200b",
        "\\uFEFFa",
        "a\\u0000",
        "a\\u001b[2J",
        "a\\nb",
        "\\u0430dmin",
        "a\\U000E0041",
    ];
    plain.into_iter().chain(marks).map(str::to_owned).chain(["x".repeat(65), "x".repeat(300)]).collect()
}

#[test]
fn a_hostile_name_is_refused_at_its_place() {
    for name in hostile_names() {
        for text in [
            format!("[[agent]]\nname = \"{name}\""),
            format!("[[agent]]\nname = 'a'\nskills = [\"{name}\"]"),
            format!("[[task]]\ntitle = 'x'\nid = \"{name}\""),
            format!("[[task]]\ntitle = 'x'\nafter = [\"{name}\"]"),
            format!("[[task]]\ntitle = 'x'\nagent = \"{name}\""),
            format!("[[task]]\ntitle = 'x'\nskill = \"{name}\""),
            format!("[[task]]\ntitle = 'x'\nparent = \"{name}\""),
        ] {
            let mistake = mistake(&text);
            let line = text.lines().count();
            assert!(mistake.starts_with(&format!("team.toml:{line}:")), "{text}\ngives {mistake}");
            let acts =
                |c: char| c.is_control() || matches!(c, '\u{200b}' | '\u{202e}' | '\u{feff}' | '\u{e0041}');
            assert_eq!(mistake.chars().find(|c| acts(*c)), None, "{mistake:?}");
        }
    }
}

#[test]
fn numbers_nesting_and_texts_that_nobody_means_are_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let tables = format!("{}1{}", "{a=".repeat(10_000), "}".repeat(10_000));
    for text in [
        "[budget]\ntokens = 9223372036854775808".to_owned(),
        "[budget]\ntokens = -9223372036854775808".to_owned(),
        "[budget]\ntokens = 1e400".to_owned(),
        "[budget]\nusd = 1e400".to_owned(),
        "[budget]\nusd = 1e300".to_owned(),
        "[[agent]]\nname = 'a'\ncount = 9007199254740993".to_owned(),
        "[[task]]\ntitle = 'x'\npriority = 2147483648".to_owned(),
        "[[task]]\ntitle = 'x'\nattempts = 4294967296".to_owned(),
        format!("goal = {deep}"),
        format!("x = {deep}"),
        format!("goal = {tables}"),
        format!("[{}]", vec!["a"; 10_000].join(".")),
        "goal = \"\\ud800\"".to_owned(),
        "goal = 'a\u{0}'".to_owned(),
        "[\"\\u202e\"]".to_owned(),
    ] {
        let mistake = mistake(&text);
        assert!(mistake.starts_with("team.toml:"), "{mistake}");
        assert!(mistake.len() < 1_000, "it is said shortly: {}", mistake.len());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.toml");
    std::fs::write(&path, b"goal = '\xff'").unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().starts_with("cannot read "));
}

#[test]
fn a_file_from_another_system_is_read() {
    let config = parse("\u{feff}goal = 'x'\r\n[[agent]]\r\nname = 'a'\r\n").unwrap();
    assert_eq!((config.goal.as_deref(), names(&config)), (Some("x"), vec!["a"]));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/team.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/team.toml: "), "{error}");
}

#[test]
fn the_schema_is_the_documented_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/team.schema.json");
    let derived = serde_json::to_string_pretty(&Config::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &derived).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    // Compared as values: the order of keys depends on what else is in the build.
    let values = [&documented, &derived]
        .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default());
    assert_eq!(values[0], values[1], "run this test with UPDATE=1 and commit docs/team.schema.json");
    for role in Role::ALL {
        assert!(derived.contains(&format!("\"{role}\"")), "the schema lacks the role {role}");
    }
}
