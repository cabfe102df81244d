//! What a run exports where OpenTelemetry's variables name a collector, and that no collector disturbs it.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clients;
use crate::collector::{Answers, Collector, Span, attribute};
use crate::driven;
use crate::support::{Ran, Team};

/// The most that a short run may take on a busy machine, whatever its collector does.
const RUN_MAX: Duration = Duration::from_secs(60);

/// A team whose worker needs a second attempt, since the first fails its check.
fn team() -> Team {
    let team = clients::team_in_a_repository();
    let calls = |name: &str, input: Value| {
        json!({
            "tool_calls": [{"name": name, "input": input}],
            "usage": {"input_tokens": 100, "cached_tokens": 40, "output_tokens": 7},
        })
    };
    let finish = || calls("finish", json!({"result": "Written."}));
    let words = json!({"rules": [
        {"when": {"role": "reviewer"}, "give": calls("review", json!({"approve": true, "feedback": "Good."}))},
        {"when": {"attempt": 1}, "steps": [calls("write", json!({"path": "a", "content": "wrong"})), finish()]},
        {"steps": [
            calls("read", json!({"path": "nothing"})),
            calls("write", json!({"path": "a", "content": "right"})),
            finish(),
        ]},
    ]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = "with = 'script:words.json'\ngate = 'true'\n\
                  [prices.script]\ninput = 1.5\noutput = 20\n\
                  [[agent]]\nname = 'worker-1'\n[[agent]]\nname = 'reviewer-1'\nrole = 'reviewer'\n\
                  [[task]]\nid = 'a'\ntitle = 'Write it'\ncheck = 'grep -q right a'\nreviews = 1\n";
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);
    team
}

fn run(team: &Team, export: impl FnOnce(&mut Command)) -> Ran {
    let mut command = team.command(["run", "--yes"]);
    export(&mut command);
    Ran::of(command.output().unwrap())
}

fn warnings(ran: &Ran) -> usize {
    ran.stderr.matches("WARNING").count()
}

#[test]
fn a_run_is_exported_as_one_tree_of_spans() {
    let (team, collector) = (team(), Collector::start(Answers::Takes));

    let ran = run(&team, |command| collector.gets(command, "http/json"));

    assert_eq!((ran.code, warnings(&ran)), (0, 0), "{ran:?}");
    assert_eq!(collector.resource("service.name"), "agent-team");
    let spans = collector.spans();
    let traces: std::collections::BTreeSet<_> = spans.iter().map(|span| span.0["traceId"].as_str()).collect();
    assert_eq!(traces.len(), 1, "{spans:?}");
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name() == name).collect() };
    let [run] = named("agent_team.run")[..] else { panic!("{spans:?}") };
    assert_eq!((run.parent(), run.attribute("agent_team.outcome")), (&json!(""), json!("completed")));
    assert_eq!(run.attribute("agent_team.run.id").as_str().map(str::len), Some(32), "{run:?}");

    let [first, second] = named("invoke_agent worker-1")[..] else { panic!("{spans:?}") };
    for (attempt, number) in [(first, 1), (second, 2)] {
        assert_eq!(attempt.parent(), run.id());
        assert_eq!(attempt.attribute("gen_ai.operation.name"), "invoke_agent");
        assert_eq!(attempt.attribute("gen_ai.agent.name"), "worker-1");
        assert_eq!(attempt.attribute("gen_ai.provider.name"), "script");
        assert_eq!(attempt.attribute("agent_team.task.id"), "a");
        assert_eq!(attempt.attribute("agent_team.task.stage"), "work");
        assert_eq!(attempt.attribute("agent_team.attempt.number"), number);
        assert_eq!(attempt.attribute("agent_team.outcome"), "delivered");
        let folder = attempt.attribute("agent_team.attempt.id");
        assert!(team.path().join(".agent-team/attempts").join(folder.as_str().unwrap()).is_dir());
    }
    let of_second = |name: &str| -> Vec<&Span> {
        named(name).into_iter().filter(|span| span.parent() == second.id()).collect()
    };
    let chats = of_second("chat script");
    assert_eq!(chats.len(), 3, "{spans:?}");
    for chat in chats {
        assert_eq!(chat.0["kind"], 3, "a client's: {chat:?}");
        assert_eq!(chat.attribute("gen_ai.request.model"), "script");
        assert_eq!(chat.attribute("gen_ai.usage.input_tokens"), 100);
        assert_eq!(chat.attribute("gen_ai.usage.cache_read.input_tokens"), 40);
        assert_eq!(chat.attribute("gen_ai.usage.output_tokens"), 7);
        let reasons = chat.attribute("gen_ai.response.finish_reasons");
        assert_eq!(reasons, json!({"values": [{"stringValue": "tool_call"}]}));
    }
    let [write] = of_second("execute_tool write")[..] else { panic!("{spans:?}") };
    assert_eq!(write.attribute("gen_ai.tool.name"), "write");
    assert!(write.attribute("gen_ai.tool.call.id").is_string() && write.attribute("error.type").is_null());
    let [read] = of_second("execute_tool read")[..] else { panic!("{spans:?}") };
    assert_eq!((read.attribute("error.type"), &read.0["status"]["code"]), (json!("tool_error"), &json!(2)));

    let [review] = named("invoke_agent reviewer-1")[..] else { panic!("{spans:?}") };
    assert_eq!(review.attribute("agent_team.task.stage"), "review");
    assert_eq!((review.parent(), review.attribute("agent_team.outcome")), (run.id(), json!("approved")));
    let [merge] = named("agent_team.merge")[..] else { panic!("{spans:?}") };
    assert_eq!((merge.parent(), merge.attribute("agent_team.outcome")), (run.id(), json!("merged")));
    let within = |name: &str, parent: &Span| {
        let spans = named(name).into_iter().filter(|span| span.parent() == parent.id());
        spans.map(|span| span.attribute("agent_team.passed")).collect::<Vec<_>>()
    };
    assert_eq!(within("agent_team.check", run), [json!(false), json!(true)]);
    assert_eq!(within("agent_team.check", merge), [json!(true)]);
    assert_eq!(within("agent_team.gate", merge), [json!(true)]);
    assert_eq!(within("agent_team.gate", run), [json!(true)], "on the untouched target");
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "a few dollars")]
fn metrics_add_up_to_what_the_team_has_spent() {
    let (team, collector) = (team(), Collector::start(Answers::Takes));
    let ran = run(&team, |command| collector.gets(command, "http/json"));
    assert_eq!(ran.code, 0, "{ran:?}");

    let spent = team.json(["status"])["spent"].clone();
    let of = |name: &str, attributes: &[(&str, &str)]| -> Vec<Value> {
        let fits = |point: &Value| attributes.iter().all(|(name, value)| attribute(point, name) == *value);
        collector.points(name).into_iter().filter(fits).collect()
    };
    for kind in ["input", "output"] {
        let points = of(
            "gen_ai.client.token.usage",
            &[("gen_ai.token.type", kind), ("gen_ai.request.model", "script")],
        );
        let [point] = &points[..] else { panic!("{points:?}") };
        let sum = point["sum"].as_f64().unwrap();
        assert_eq!(Some(sum), spent[format!("{kind}_tokens")].as_f64(), "{spent}");
        assert_eq!(point["explicitBounds"][13], 67_108_864.0);
    }
    let cost: f64 = of("agent_team.cost", &[]).iter().map(|point| point["asDouble"].as_f64().unwrap()).sum();
    let micro_usd = spent["micro_usd"].as_u64().unwrap();
    assert!(micro_usd > 0 && (cost * 1e6 - micro_usd as f64).abs() < 0.5, "{cost} {micro_usd}");
    let [calls] = &of("gen_ai.client.operation.duration", &[("gen_ai.operation.name", "chat")])[..] else {
        panic!("no durations")
    };
    assert_eq!(calls["count"], json!(spent["calls"].as_u64().unwrap().to_string()));
    assert_eq!(calls["explicitBounds"][0], 0.01);
    let count = |name: &str, attribute: (&str, &str)| {
        let points = of(name, &[attribute]);
        points.iter().map(|point| point["asInt"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(count("agent_team.attempts", ("agent_team.outcome", "delivered")), ["2"]);
    assert_eq!(count("agent_team.attempts", ("agent_team.task.stage", "review")), ["1"]);
    assert_eq!(count("agent_team.merges", ("agent_team.outcome", "merged")), ["1"]);
    assert_eq!(count("agent_team.tasks", ("agent_team.task.status", "completed")), ["1"]);
}

#[test]
fn a_program_that_is_driven_has_its_attempt_its_calls_of_the_team_and_what_it_used() {
    let (team, collector) = (driven::project(), Collector::start(Answers::Takes));
    let script = json!({"Write a": [
        {"write": ["a.txt", "hello\n"]},
        {"team": ["send", {"to": "human", "text": "Nearly done."}]},
        driven::finishes("a.txt says hello."),
    ]});
    let with = driven::acp(&team, &script);
    let check = "grep -q hello a.txt";
    let mut command =
        team.command(["run", "Write a", "--with", &with, "--check", check, "--yes", "--no-sandbox"]);
    collector.gets(&mut command, "http/json");
    let ran = Ran::of(command.output().unwrap());

    assert_eq!((ran.code, warnings(&ran)), (0, 0), "{ran:?}");
    let spans = collector.spans();
    let named =
        |name: &str| spans.iter().find(|span| span.name() == name).unwrap_or_else(|| panic!("{spans:?}"));
    let (run, attempt) = (named("agent_team.run"), named("invoke_agent worker-1"));
    assert_eq!(attempt.parent(), run.id());
    assert_eq!(named("execute_tool send").parent(), attempt.id());
    assert_eq!(named("execute_tool finish").parent(), attempt.id());
    let used = collector.points("gen_ai.client.token.usage");
    let read = used.iter().find(|point| attribute(point, "gen_ai.token.type") == "input").unwrap();
    assert_eq!(read["sum"].as_f64(), team.json(["status"])["spent"]["input_tokens"].as_f64());
    assert_eq!(attribute(read, "gen_ai.operation.name"), "invoke_agent");
    // Its command may hold anything.
    collector.sent(|sent| {
        assert!(sent.iter().all(|sent| !String::from_utf8_lossy(&sent.body).contains("script.json")));
    });
}

#[test]
fn protobuf_is_what_is_spoken_if_nothing_is_said_with_the_headers_that_are_wanted() {
    let (team, collector) = (team(), Collector::start(Answers::Takes));
    let ran = run(&team, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", collector.port));
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=the-one").env("OTEL_SERVICE_NAME", "my-team");
    });
    assert_eq!((ran.code, warnings(&ran)), (0, 0), "{ran:?}");
    collector.sent(|sent| {
        for path in ["/v1/traces", "/v1/metrics"] {
            let sent = sent.iter().find(|sent| sent.path == path).unwrap();
            let has = |name: &str, value: &str| sent.headers.contains(&(name.to_owned(), value.to_owned()));
            assert!(has("content-type", "application/x-protobuf") && has("x-team", "the-one"));
            assert!(String::from_utf8_lossy(&sent.body).contains("my-team"));
        }
        let traces = sent.iter().filter(|sent| sent.path == "/v1/traces");
        let all: String = traces.map(|sent| String::from_utf8_lossy(&sent.body).into_owned()).collect();
        assert!(all.contains("invoke_agent worker-1"), "{all}");
    });
}

#[test]
fn without_an_endpoint_or_switched_off_nobody_is_called() {
    let (team, collector) = (team(), Collector::start(Answers::Takes));
    let ran = run(&team, |command| {
        collector.gets(command, "http/json");
        command.env("OTEL_SDK_DISABLED", "true");
    });
    assert_eq!((ran.code, collector.connections()), (0, 0), "{ran:?}");
    // What is not spoken is said, with what is.
    let ran = run(&team, |command| collector.gets(command, "grpc"));
    assert_eq!((ran.code, warnings(&ran), collector.connections()), (0, 1, 0), "{ran:?}");
    assert!(ran.stderr.contains("set it to http/protobuf or http/json"), "{ran:?}");
    let mut other = team.command(["status"]);
    collector.gets(&mut other, "http/json");
    assert!(other.output().unwrap().status.success());
    assert_eq!(collector.connections(), 0, "only runs are exported");
}

/// A run goes its way, whatever its collector does, and says so once.
fn is_not_disturbed(export: impl FnOnce(&mut Command), words: &str) {
    let team = team();
    let began = Instant::now();
    let ran = run(&team, export);
    assert_eq!((ran.code, warnings(&ran)), (0, 1), "{ran:?}");
    assert!(ran.stderr.contains(words), "{ran:?}");
    assert!(began.elapsed() < RUN_MAX, "{:?}", began.elapsed());
    assert_eq!(team.count("completed"), 1);
}

#[test]
fn a_collector_that_is_not_there_disturbs_no_run() {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let export = |command: &mut Command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://me:hidden-0123@{free}"));
    };
    is_not_disturbed(export, "the collector cannot be reached");
}

#[test]
fn a_collector_that_never_answers_disturbs_no_run() {
    let collector = Collector::start(Answers::Never);
    let export = |command: &mut Command| {
        collector.gets(command, "http/json");
        // Ten minutes: whoever waits for the answer is seen.
        command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "600000");
    };
    is_not_disturbed(export, "the collector has not taken the last in time");
    assert!(collector.connections() > 0);
}

#[test]
fn a_collector_that_answers_errors_disturbs_no_run() {
    let collector = Collector::start(Answers::Status("503 Service Unavailable"));
    is_not_disturbed(|command| collector.gets(command, "http/protobuf"), "the collector answers 503");
}

#[test]
fn no_secret_and_no_text_is_exported() {
    let canary = "canary-0123456789";
    let (team, collector) = (clients::team_in_a_repository(), Collector::start(Answers::Takes));
    let says = |name: &str, input: Value| json!({"tool_calls": [{"name": name, "input": input}]});
    let words = json!({"rules": [{"steps": [
        says(canary, json!({"path": "a"})),
        says("run", json!({"command": format!("echo only-said-here {canary}")})),
        says("give_up", json!({"reason": format!("only-said-here: {canary}")})),
    ]}]});
    std::fs::write(team.path().join("words.json"), words.to_string()).unwrap();
    let config = format!(
        "with = 'script:words.json'\ngate = 'true'\n[[agent]]\nname = '{canary}'\n[[task]]\nid = 'a'\ntitle = 'only-said-here'\n"
    );
    std::fs::write(team.path().join("team.toml"), config).unwrap();
    team.ok(["trust", "--yes"]);

    let ran = run(&team, |command| {
        collector.gets(command, "http/json");
        command.env("DEPLOY_TOKEN", canary).env("OTEL_RESOURCE_ATTRIBUTES", format!("deploy={canary}"));
        command.env("OTHER_VALUE", "only-said-here");
    });

    assert_eq!(ran.code, 5, "{ran:?}");
    let spans = collector.spans();
    let attempt = spans.iter().find(|span| span.name().starts_with("invoke_agent")).unwrap();
    assert_eq!(attempt.name(), "invoke_agent [redacted]");
    assert_eq!(attempt.attribute("agent_team.outcome"), "failed");
    assert_eq!(attempt.attribute("error.type"), "failed");
    collector.sent(|sent| {
        assert!(sent.len() >= 2);
        for sent in sent {
            let body = String::from_utf8_lossy(&sent.body);
            assert!(!body.contains(canary) && !body.contains("only-said-here"), "{body}");
        }
    });
}
