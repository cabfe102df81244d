//! What the team is, what its tasks are, and what its models say: all of it from a seed.

use std::path::Path;

use serde_json::{Value, json};

use crate::seeded::Seeded;

/// A task that the human cancels.
pub(super) const UNWANTED: &str = "unwanted";

/// The task that the first lead delegates, and the lead below it who hands it out in parts to a team of its own.
const WHOLE: &str = "whole";
const NESTED_LEAD: &str = "inner-lead";
/// The part that fails until it is planned anew, and the words that help.
const TOO_MUCH: &str = "p1";
const LESS: &str = "Only one line.";

/// What is special about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file is written.
    Plain,
    /// A command takes a while first.
    Slow,
    /// A plan, which is good at once.
    Planned,
    /// A plan that is sent back once.
    Vague,
    /// A plan that the human judges.
    ForHuman,
    /// A question to the lead.
    AsksLead,
    /// A question to the human.
    AsksHuman,
    /// A review, which finds nothing.
    Reviewed,
    /// A review that sends the first result back.
    Draft,
    /// A review whose rounds are over: the human judges.
    Stubborn,
    /// A line at the end of a file that others write to, too.
    Shared,
    /// The check is red once.
    Wrong,
    /// The first attempt gives up.
    GivesUp,
    /// Every attempt gives up, until the task has other words.
    TooMuch,
}

const KINDS: [Kind; 16] = [
    Kind::Plain,
    Kind::Slow,
    Kind::Vague,
    Kind::Reviewed,
    Kind::Shared,
    Kind::AsksLead,
    Kind::Draft,
    Kind::Planned,
    Kind::Wrong,
    Kind::Slow,
    Kind::Shared,
    Kind::GivesUp,
    Kind::Plain,
    Kind::AsksHuman,
    Kind::Stubborn,
    Kind::ForHuman,
];

/// One task of the plot.
#[derive(Debug)]
struct Planned {
    id: String,
    kind: Kind,
    after: Vec<String>,
    skill: bool,
}

/// A team and its tasks.
#[derive(Debug)]
pub(super) struct Plot {
    tasks: Vec<Planned>,
    /// How many the lead adds; the human adds the others.
    leads_tasks: usize,
    /// What the lead below adds.
    parts: Vec<Planned>,
    /// How many do the parts.
    inner: u64,
    workers: u64,
    reviewers: u64,
}

#[expect(clippy::needless_pass_by_value, reason = "what calls it makes the value for it")]
fn call(name: &str, input: Value) -> Value {
    json!({"tool_calls": [{"name": name, "input": input}]})
}

fn write(id: &str, words: &str) -> Value {
    call("write", json!({"path": format!("done/{id}.txt"), "content": format!("{words} {id}\n")}))
}

fn plan(words: &str) -> Value {
    call("submit_plan", json!({"plan": words}))
}

impl Plot {
    pub fn new(count: u64, seed: u64) -> Self {
        let mut random = Seeded::new(seed).branch(16);
        let mut tasks: Vec<Planned> = Vec::new();
        let many = usize::try_from(count).unwrap_or(200);
        for number in 0..many {
            let kind = KINDS[(number + random.index(3)) % KINDS.len()];
            let mut after = Vec::new();
            // A task waits for up to two of the twenty before it.
            for _ in 0..random.below(3) {
                let from = number.saturating_sub(20);
                if let Some(earlier) = tasks.get(from + random.index((number - from).max(1))) {
                    after.push(earlier.id.clone());
                }
            }
            after.dedup();
            let skill = kind == Kind::Plain && number % 5 == 0;
            tasks.push(Planned { id: format!("t{number}"), kind, after, skill });
        }
        let (workers, inner, reviewers) = if many >= 200 { (8, 2, 3) } else { (3, 1, 2) };
        let kinds = [Kind::Plain, Kind::TooMuch, Kind::Slow, Kind::Wrong];
        let part = |number: usize| Planned {
            id: format!("p{number}"),
            kind: kinds[number % kinds.len()],
            after: Vec::new(),
            skill: false,
        };
        let parts = (0..kinds.len()).map(part).collect();
        Self { leads_tasks: many / 2, tasks, parts, workers, inner, reviewers }
    }

    pub fn tasks(&self) -> u64 {
        self.tasks.len() as u64
    }

    /// Two leads, workers of both, reviewers, and one with a skill.
    pub fn agents(&self) -> u64 {
        2 + self.workers + self.inner + self.reviewers + 1
    }

    pub fn workers(&self) -> u64 {
        self.workers
    }

    /// `team.toml`.
    pub fn team(&self, gate: &str, script: &Path) -> String {
        let members: Vec<String> = (1..=self.inner).map(|number| format!("'inner-{number}'")).collect();
        let team = format!(
            "with = 'script:{}'\ngate = '''{gate}'''\ncontext_tokens = 60_000\n\
             [[agent]]\nname = 'lead'\nrole = 'lead'\n\
             [[agent]]\nname = 'worker'\ncount = {}\n\
             [[agent]]\nname = 'critic'\nrole = 'reviewer'\ncount = {}\n\
             [[agent]]\nname = 'sql'\nrole = 'specialist'\nskills = ['sql']\n",
            script.display(),
            self.workers,
            self.reviewers
        );
        let members = members.join(", ");
        let nested = format!("[[agent]]\nname = '{NESTED_LEAD}'\nrole = 'lead'\nmembers = [{members}]\n");
        let inner = (1..=self.inner).map(|number| format!("[[agent]]\nname = 'inner-{number}'\n"));
        [team, nested].into_iter().chain(inner).collect()
    }

    /// The tasks that the human adds, a line each.
    pub fn humans_tasks(&self) -> String {
        let tasks = self.tasks.iter().skip(self.leads_tasks).map(|task| {
            let mut wanted = self.wanted(task);
            let kind = task.kind;
            if matches!(kind, Kind::Reviewed | Kind::Draft) {
                wanted["reviews"] = 2.into();
            }
            if kind == Kind::Stubborn {
                wanted["review_rounds"] = 1.into();
            }
            if kind == Kind::ForHuman {
                wanted["approver"] = "human".into();
            }
            wanted["attempts"] = 9.into();
            wanted["backoff_ms"] = 0.into();
            format!("{wanted}\n")
        });
        let unwanted = json!({"id": UNWANTED, "title": "Nobody wants this", "after": ["t0"], "priority": -5});
        tasks.chain([format!("{unwanted}\n")]).collect()
    }

    fn wanted(&self, task: &Planned) -> Value {
        let mut wanted = json!({
            "id": task.id, "title": format!("Write done/{}.txt", task.id), "after": task.after,
            "check": format!("grep -q '^ok' done/{}.txt", task.id), "labels": ["long"],
        });
        let kind = task.kind;
        if matches!(kind, Kind::Planned | Kind::Vague | Kind::ForHuman) {
            wanted["plan"] = true.into();
        }
        if matches!(kind, Kind::Reviewed | Kind::Draft | Kind::Stubborn) {
            wanted["review"] = true.into();
        }
        if task.skill {
            wanted["skill"] = "sql".into();
        }
        wanted
    }

    /// What the models say.
    pub fn script(&self) -> Value {
        let mut rules = self.leads();
        rules.extend(self.storms());
        rules.push(json!({"when": {"role": "reviewer", "contains": "ok draft"},
            "give": call("review", json!({"approve": false, "feedback": "Not before it is final."}))}));
        rules.push(json!({"when": {"role": "reviewer"},
            "give": call("review", json!({"approve": true, "feedback": "I found nothing."}))}));
        self.tasks.iter().chain(&self.parts).for_each(|task| rules.extend(task.says()));
        json!({"rules": rules})
    }

    /// The lead splits the goal, judges plans, answers questions, and sums up.
    fn leads(&self) -> Vec<Value> {
        let mut rules = vec![
            json!({"when": {"role": "lead", "contains": "A question"}, "give": {"text": "As you like it."}}),
            json!({"when": {"role": "lead", "contains": "vague"}, "give": {"text": "REJECT: Say which file."}}),
            json!({"when": {"role": "lead", "contains": "A plan waits"}, "give": {"text": "APPROVE: good."}}),
        ];
        let mut own: Vec<Value> =
            self.tasks.iter().take(self.leads_tasks).map(|task| self.wanted(task)).collect();
        own.push(json!({"id": WHOLE, "title": "The parts", "delegate": true, "lead": NESTED_LEAD}));
        let mut steps: Vec<Value> =
            own.chunks(25).map(|tasks| call("add_tasks", json!({"tasks": tasks}))).collect();
        steps.push(call("finish", json!({"result": "These are the tasks."})));
        rules.push(json!({"when": {"role": "lead", "task": "plan"}, "steps": steps}));
        rules.extend(self.nested_leads());
        rules.push(json!({"when": {"role": "lead"}, "give": {"text": "All of it is done."}}));
        rules
    }

    /// The lead below adds the parts and waits for them; a part that failed is to be tried again with other words.
    fn nested_leads(&self) -> [Value; 4] {
        let parts: Vec<Value> = self.parts.iter().map(|part| self.wanted(part)).collect();
        let all_there = call("finish", json!({"result": "All parts are there."}));
        let steps = [call("add_tasks", json!({"tasks": parts})), call("wait", json!({})), all_there.clone()];
        let again = call("retry_task", json!({"id": TOO_MUCH, "description": LESS}));
        [
            json!({"when": {"task": WHOLE}, "steps": steps}),
            json!({"when": {"task": WHOLE}, "give": all_there}),
            json!({"when": {"agent": NESTED_LEAD, "turn": 0}, "give": again}),
            json!({"when": {"agent": NESTED_LEAD}, "give": call("finish", json!({"result": "It may try again."}))}),
        ]
    }

    /// The provider refuses calls: many at once twice, and one now and then.
    fn storms(&self) -> Vec<Value> {
        let many = self.tasks.len();
        let length = usize::try_from(self.workers).unwrap_or(1);
        let refused = |kind: &str, wait_ms: u64| json!({"error": {"kind": kind, "message": "Too many requests", "retry_after_ms": wait_ms}});
        let storm = |from: usize| from..from + length;
        let in_storm =
            |number: &usize| storm(many / 6).contains(number) || storm(many * 2 / 3).contains(number);
        let rules = (0..many).filter_map(|number| {
            let task = &self.tasks.get(number)?.id;
            let (turn, give) = match number {
                _ if in_storm(&number) => (0, refused("rate_limited", 300)),
                _ if number % 23 == 7 => (1, refused("overloaded", 100)),
                _ => return None,
            };
            Some(json!({"when": {"task": task, "turn": turn, "retry": 0, "attempt": 1}, "give": give}))
        });
        rules.collect()
    }
}

impl Planned {
    /// What whoever works on it says. The last rule fits whatever happened before; what came of it then is for the check.
    fn says(&self) -> Vec<Value> {
        let id = &self.id;
        let when = |more: Value, give: Value| {
            let mut when = json!({"task": id});
            if let (Value::Object(when), Value::Object(more)) = (&mut when, more) {
                when.extend(more);
            }
            json!({"when": when, "give": give})
        };
        let first = |give: Value| when(json!({"attempt": 1, "turn": 0}), give);
        let ok = || write(id, "ok");
        let good = || plan(&format!("Write done/{id}.txt."));
        let mut says = match self.kind {
            Kind::Plain | Kind::Reviewed => Vec::new(),
            Kind::Slow => vec![
                first(call("run", json!({"command": "sleep 0.4; echo awake"}))),
                when(json!({"turn": 1}), ok()),
            ],
            Kind::Planned | Kind::Vague | Kind::ForHuman => {
                let words = if self.kind == Kind::Vague { "Something vague." } else { "Write the file." };
                vec![
                    when(json!({"contains": "You may begin now"}), ok()),
                    when(json!({"contains": "Say which file"}), good()),
                    when(json!({"contains": "`submit_plan`"}), good()),
                    first(plan(words)),
                    // The attempt before may have ended before anybody planned.
                    when(json!({"contains": "Until it is approved you can only read"}), good()),
                ]
            }
            Kind::AsksLead | Kind::AsksHuman => {
                let whom = if self.kind == Kind::AsksLead { "lead" } else { "human" };
                let ask = call("ask", json!({"question": format!("How shall I do {id}?"), "to": whom}));
                vec![first(ask), when(json!({"turn": 1}), ok())]
            }
            Kind::Draft => vec![first(write(id, "ok draft"))],
            Kind::Stubborn => vec![when(json!({"turn": 0}), write(id, "ok draft"))],
            Kind::Shared => vec![
                first(call("run", json!({"command": format!("echo {id} >> shared.txt")}))),
                when(
                    json!({"turn": 0}),
                    call(
                        "run",
                        json!({"command": "grep -v '^[<=>|]' shared.txt > $TMPDIR/s; cat $TMPDIR/s > shared.txt; rm $TMPDIR/s"}),
                    ),
                ),
                when(json!({"turn": 1}), ok()),
            ],
            Kind::Wrong => vec![first(write(id, "no"))],
            Kind::GivesUp => vec![first(call("give_up", json!({"reason": "Not today."})))],
            Kind::TooMuch => vec![
                when(json!({"contains": LESS}), ok()),
                when(json!({"turn": 0}), call("give_up", json!({"reason": "It is too much."}))),
            ],
        };
        says.push(when(json!({"turn": 0}), ok()));
        says.push(when(json!({}), call("finish", json!({"result": format!("done/{id}.txt is there.")}))));
        says
    }
}
