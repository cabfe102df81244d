//! The demo's scripted team builds the demo's repository: real files, commands, checks, commits and merges.
#![expect(clippy::unwrap_used, reason = "the tests' own functions fail by panicking")]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_team::config::Config;
use agent_team::model::ModelSpec;
use agent_team::{
    Durability, Progress, Reporter, RunOutcome, Stage, Surroundings, TeamFolder, TeamLog, assemble, demo,
};

/// The environment of everything that runs here: programs are found, and the user's own settings are not.
fn environment(home: &Path) -> Vec<(OsString, OsString)> {
    vec![("PATH".into(), std::env::var_os("PATH").unwrap()), ("HOME".into(), home.into())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scripted_team_builds_the_text_tools() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("text-tools");
    let variables = environment(folder.path());
    demo::create_repository(&project, variables.clone()).unwrap();
    let script = folder.path().join("demo.json");
    std::fs::write(&script, demo::SCRIPT).unwrap();
    let mut config = Config::load(&project.join("team.toml")).unwrap();
    config.with = Some(ModelSpec::Script(script).into());

    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let reporter = {
        let seen = seen.clone();
        Reporter::to(move |progress| seen.lock().unwrap().push(progress))
    };
    let team_log = TeamLog::open_or_create(&TeamFolder::of(&project), Durability::Process).unwrap();
    let assembled = assemble(&team_log, &config, &Surroundings::of(variables.clone()), reporter).unwrap();
    assert!(!assembled.rehearses && assembled.paid_models.is_empty());
    let report = assembled.team.run(Some(Duration::from_secs(300))).await.unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!(report.outcome, RunOutcome::Completed, "{report:#?}\n{seen:#?}");
    assert!(report.summary.is_some_and(|summary| summary.starts_with("text-tools is complete: ")));
    assert!(report.check.is_some_and(|check| check.passed));
    let second_attempts = seen.iter().filter_map(|progress| match progress {
        Progress::Began { task, stage: Stage::Work, attempt: 2, .. } => Some(task.as_str()),
        _ => None,
    });
    let second_attempts: Vec<&str> = second_attempts.collect();
    assert!(second_attempts.contains(&"uniq"), "a check failed and was mended: {second_attempts:?}");
    assert!(
        second_attempts.contains(&"head") != second_attempts.contains(&"tail"),
        "one of two conflicting edits was resolved: {second_attempts:?}"
    );
    assert_eq!(second_attempts.len(), 2, "and nothing else failed: {second_attempts:?}");
    let reviewed =
        seen.iter().filter(|progress| matches!(progress, Progress::Reviewed { approved: true, .. }));
    assert_eq!(reviewed.count(), 2);

    let gate =
        Command::new("tests/complete").current_dir(&project).env_clear().envs(variables).output().unwrap();
    assert!(gate.status.success(), "{}", String::from_utf8_lossy(&gate.stderr));
}
