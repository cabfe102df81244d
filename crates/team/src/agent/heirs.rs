//! What an agent makes of a task is held to what that task was held to: nobody gets rid of a review, of an approval, of a budget
//! or of the user's check by adding other tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use agent_team_core::machine::State;
use agent_team_core::record::TaskSpec;

use crate::{Account, Bounds, Error, NewTask, TaskBudget, TaskId};

/// Tasks in the place of one, and what is left of its budget then: they have equal parts of it, or less if they ask for less. If the
/// user gave that one a check, the last of them is proved by it, too: a lead may give other checks only to what a lead has added.
///
/// # Errors
/// An input error, for the lead to mend, when it is not clear which of them is the last.
pub(super) fn heirs(
    of: &TaskSpec,
    left: TaskBudget,
    tasks: Vec<NewTask>,
) -> Result<(Vec<NewTask>, TaskBudget), Error> {
    // What a lead adds is a part of what it works on, or stands beside such parts.
    let check = of.check.as_deref().filter(|_| of.parent.is_none());
    let last = check.map(|_| last(of, &tasks)).transpose()?;
    let part = part(left, tasks.len());
    let heir = |(place, task): (usize, NewTask)| {
        let check = if last == Some(place) { with_check(task.check, check) } else { task.check };
        held_to(of, part, NewTask { check, ..task })
    };
    let tasks: Vec<NewTask> = tasks.into_iter().enumerate().map(heir).collect();
    let rest = without_those_of(left, &tasks);
    Ok((tasks, rest))
}

/// Tasks that somebody adds who works on one: what they may use is taken from what is left of that one's budget. Gives what is
/// left of it then.
pub(super) fn helpers(of: &TaskSpec, left: TaskBudget, tasks: Vec<NewTask>) -> (Vec<NewTask>, TaskBudget) {
    let part = part(left, tasks.len() + 1);
    let tasks: Vec<NewTask> = tasks.into_iter().map(|task| held_to(of, part, task)).collect();
    let rest = without_those_of(left, &tasks);
    (tasks, rest)
}

/// What is left of a budget from which the budgets of tasks are taken.
fn without_those_of(left: TaskBudget, tasks: &[NewTask]) -> TaskBudget {
    tasks.iter().fold(left, |left, task| TaskBudget {
        micro_usd: less(left.micro_usd, task.budget.micro_usd),
        tokens: less(left.tokens, task.budget.tokens),
        turns: less(left.turns, task.budget.turns),
        time: left.time.map(|time| time.saturating_sub(task.budget.time.unwrap_or_default())),
    })
}

/// The bounds of a task's budget of which so much was left, when so much is left.
pub(super) fn bounds_with(bounds: Bounds, left: TaskBudget, rest: TaskBudget) -> Bounds {
    let (left, rest) = (left.bounds(), rest.bounds());
    let of = |bound: Option<u64>, left: Option<u64>, rest: Option<u64>| {
        bound.map(|bound| bound.saturating_sub(left.unwrap_or(0).saturating_sub(rest.unwrap_or(0))))
    };
    Bounds {
        micro_usd: of(bounds.micro_usd, left.micro_usd, rest.micro_usd),
        tokens: of(bounds.tokens, left.tokens, rest.tokens),
        calls: of(bounds.calls, left.calls, rest.calls),
        time_ms: of(bounds.time_ms, left.time_ms, rest.time_ms),
        ..bounds
    }
}

fn less(number: Option<u64>, by: Option<u64>) -> Option<u64> {
    number.map(|number| number.saturating_sub(by.unwrap_or_default()))
}

/// What is left of a task's budget.
pub(super) fn left_of(state: &State, task: &TaskId) -> TaskBudget {
    let account = Account::Task(task.clone());
    let (limit, spent) = (state.ledger().limit(&account).bounds, state.ledger().spent(&account));
    TaskBudget {
        micro_usd: less(limit.micro_usd, Some(spent.micro_usd)),
        tokens: less(limit.tokens, Some(spent.tokens())),
        turns: less(limit.calls, Some(spent.calls)),
        time: less(limit.time_ms, Some(spent.time_ms)).map(Duration::from_millis),
    }
}

/// A task that is planned and reviewed at least as another one, takes no longer and uses no more.
fn held_to(of: &TaskSpec, budget: TaskBudget, task: NewTask) -> NewTask {
    // One reviewer is meant where no number is said.
    let reviews = task.reviews.unwrap_or((task.review || task.refute).into());
    let reviews = reviews.max(if of.review { of.reviews } else { 0 });
    let labels = task.labels.iter().chain(&of.labels).cloned().collect::<BTreeSet<String>>();
    NewTask {
        plan: task.plan || of.plan,
        approver: if of.plan { of.approver.as_ref().map(ToString::to_string) } else { task.approver },
        review: reviews > 0,
        reviews: (reviews > 0).then_some(reviews),
        refute: task.refute || of.refute,
        review_rounds: least(task.review_rounds, of.review_rounds),
        time_limit: least(task.time_limit, of.time_limit_ms.map(Duration::from_millis)),
        priority: if task.priority == 0 { of.priority } else { task.priority },
        labels: labels.into_iter().collect(),
        budget: at_most(task.budget, budget),
        ..task
    }
}

/// One of so many equal parts of a budget.
fn part(of: TaskBudget, count: usize) -> TaskBudget {
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    let of_number = |number: Option<u64>| number.map(|number| number / u64::from(count));
    TaskBudget {
        micro_usd: of_number(of.micro_usd),
        tokens: of_number(of.tokens),
        turns: of_number(of.turns),
        time: of.time.map(|time| time / count),
    }
}

/// The smaller of two bounds of each thing.
fn at_most(budget: TaskBudget, most: TaskBudget) -> TaskBudget {
    TaskBudget {
        micro_usd: least(budget.micro_usd, most.micro_usd),
        tokens: least(budget.tokens, most.tokens),
        turns: least(budget.turns, most.turns),
        time: least(budget.time, most.time),
    }
}

/// The smaller of two bounds, if there is any.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The place of the one task that waits, directly or not, for all others.
fn last(of: &TaskSpec, tasks: &[NewTask]) -> Result<usize, Error> {
    let awaited: BTreeSet<&str> = tasks.iter().flat_map(|task| &task.after).map(String::as_str).collect();
    let is_awaited = |task: &NewTask| task.id.as_deref().is_some_and(|id| awaited.contains(id));
    let mut ends = tasks.iter().enumerate().filter(|(_, task)| !is_awaited(task)).map(|(place, _)| place);
    match (ends.next(), ends.next()) {
        (Some(end), None) => Ok(end),
        _ => Err(Error::Input(format!(
            "the user has {} proved by a check, which what takes its place must pass: let one of the tasks be the last, which \
             comes `after` the others and is proved by that check",
            of.id
        ))),
    }
}

/// Both checks in one.
fn with_check(own: Option<String>, users: Option<&str>) -> Option<String> {
    match (own, users) {
        (Some(own), Some(users)) if own.trim() != users.trim() => Some(both(users.trim(), own.trim())),
        (own, users) => users.map(str::to_owned).or(own),
    }
}

fn both(first: &str, second: &str) -> String {
    // A comment or a text of several lines must not swallow the bracket.
    let is_plain = |check: &str| !check.contains(['\n', '#']);
    match is_plain(first) && is_plain(second) {
        true => format!("({first}) && ({second})"),
        false => format!("(\n{first}\n) && (\n{second}\n)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskQueue;

    /// The tasks alone.
    fn heirs(of: &TaskSpec, left: TaskBudget, tasks: Vec<NewTask>) -> Result<Vec<NewTask>, Error> {
        super::heirs(of, left, tasks).map(|(tasks, _)| tasks)
    }

    /// A task as it was added.
    fn added(task: NewTask) -> TaskSpec {
        TaskQueue::in_memory().unwrap().check_tasks(&[task]).unwrap().remove(0)
    }

    #[test]
    fn what_takes_a_tasks_place_is_planned_and_reviewed_as_it_was_to_be() {
        let human = || Some("human".to_owned());
        let of =
            added(NewTask { approver: human(), reviews: Some(2), refute: true, ..NewTask::new("t").id("t") });
        let own = NewTask { approver: Some("lead-1".into()), reviews: Some(3), ..NewTask::new("b") };
        let tasks = heirs(&of, TaskBudget::default(), vec![NewTask::new("a"), own]).unwrap();
        let asks =
            |task: &NewTask| (task.plan, task.approver.clone(), task.review, task.reviews, task.refute);
        assert_eq!(asks(&tasks[0]), (true, human(), true, Some(2), true));
        assert_eq!(asks(&tasks[1]), (true, human(), true, Some(3), true), "and as itself wants to be");
        let free = added(NewTask::new("t").id("t"));
        assert_eq!(
            heirs(&free, TaskBudget::default(), vec![NewTask::new("a")]).unwrap(),
            [NewTask::new("a")]
        );
    }

    #[test]
    fn the_last_one_is_proved_by_the_users_check() {
        let of = added(NewTask::new("t").id("t").check("make t"));
        let [first, other] = ["first", "other"].map(|id| NewTask::new(id).id(id));
        let end = NewTask::new("end").after("first").after("other");
        let tasks =
            heirs(&of, TaskBudget::default(), vec![first.clone(), end.clone(), other.clone()]).unwrap();
        let checks: Vec<Option<&str>> = tasks.iter().map(|task| task.check.as_deref()).collect();
        assert_eq!(checks, [None, Some("make t"), None]);
        let checked = heirs(&of, TaskBudget::default(), vec![first.clone().check("make first")]).unwrap();
        assert_eq!(checked[0].check.as_deref(), Some("(make t) && (make first)"));
        let checked =
            heirs(&of, TaskBudget::default(), vec![first.clone().check("make first # alone")]).unwrap();
        assert_eq!(checked[0].check.as_deref(), Some("(\nmake t\n) && (\nmake first # alone\n)"));
        let refused = heirs(&of, TaskBudget::default(), vec![first, other]).unwrap_err().to_string();
        assert!(refused.contains("let one of the tasks be the last"), "{refused}");
        let of = TaskSpec { parent: Some("plan".parse().unwrap()), ..of };
        assert_eq!(
            heirs(&of, TaskBudget::default(), vec![end.check("other")]).unwrap()[0].check.as_deref(),
            Some("other"),
            "a lead's own"
        );
    }

    #[test]
    fn what_is_left_of_a_tasks_budget_is_divided() {
        let of = added(NewTask::new("t").id("t"));
        let left = TaskBudget { micro_usd: Some(900), turns: Some(5), ..TaskBudget::default() };
        let own = TaskBudget { micro_usd: Some(100), tokens: Some(7), ..TaskBudget::default() };
        let tasks =
            heirs(&of, left, vec![NewTask::new("a"), NewTask { budget: own, ..NewTask::new("b") }]).unwrap();
        assert_eq!(
            tasks[0].budget,
            TaskBudget { micro_usd: Some(450), turns: Some(2), ..TaskBudget::default() }
        );
        assert_eq!(
            tasks[1].budget,
            TaskBudget { turns: Some(2), ..own },
            "what it asks for itself may be less"
        );
    }

    #[test]
    fn who_gives_others_something_to_do_gives_them_a_part_of_its_own_budget() {
        let of = added(NewTask::new("t").id("t").review(true));
        let left =
            TaskBudget { turns: Some(9), time: Some(Duration::from_secs(60)), ..TaskBudget::default() };
        let frugal = TaskBudget { turns: Some(1), ..TaskBudget::default() };
        let tasks = vec![NewTask::new("a"), NewTask { budget: frugal, ..NewTask::new("b") }];
        let (tasks, rest) = helpers(&of, left, tasks);
        let turns: Vec<Option<u64>> = tasks.iter().map(|task| task.budget.turns).collect();
        assert_eq!(turns, [Some(3), Some(1)]);
        assert_eq!(rest, TaskBudget { turns: Some(5), time: Some(Duration::from_secs(20)), ..left });
        assert!(
            tasks.iter().all(|task| task.review),
            "what it was to be reviewed for may lie in any of them"
        );
    }

    #[test]
    fn what_bounds_a_task_bounds_what_is_made_of_it() {
        let of = NewTask {
            priority: 3,
            review_rounds: Some(2),
            time_limit: Some(Duration::from_secs(5)),
            labels: vec!["parser".into()],
            ..NewTask::new("t").id("t").review(true)
        };
        let asked = NewTask {
            review_rounds: Some(9),
            time_limit: Some(Duration::from_secs(60)),
            labels: vec!["lexer".into()],
            ..NewTask::new("a")
        };
        let task = heirs(&added(of), TaskBudget::default(), vec![asked]).unwrap().remove(0);
        assert_eq!((task.review_rounds, task.time_limit), (Some(2), Some(Duration::from_secs(5))));
        assert_eq!((task.priority, task.labels), (3, vec!["lexer".to_owned(), "parser".to_owned()]));
    }
}
