//! What takes the place of a task is held to what that task was held to: nobody gets rid of a review, of an approval or of
//! the user's check by planning anew.

use std::collections::BTreeSet;

use agent_team_core::record::TaskSpec;

use crate::{Error, NewTask, TaskBudget};

/// Tasks in the place of one, each planned and reviewed at least as that was to be; what is left of its budget is theirs in
/// equal parts. If the user gave that one a check, the last of them is proved by it, too: a lead may give other checks only to
/// what a lead has added.
///
/// # Errors
/// An input error, for the lead to mend, when it is not clear which of them is the last.
pub(super) fn heirs(of: &TaskSpec, left: TaskBudget, tasks: Vec<NewTask>) -> Result<Vec<NewTask>, Error> {
    // What a lead adds is a part of what it works on, or stands beside such parts.
    let check = of.check.as_deref().filter(|_| of.parent.is_none());
    let last = check.map(|_| last(of, &tasks)).transpose()?;
    let part = part(left, tasks.len());
    let heir = |(place, task): (usize, NewTask)| {
        let check = if last == Some(place) { with_check(task.check, check) } else { task.check };
        // One reviewer is meant where no number is said.
        let reviews = |reviews: Option<u32>, review: bool| reviews.unwrap_or(review.into());
        let wanted =
            reviews(task.reviews, task.review || task.refute).max(if of.review { of.reviews } else { 0 });
        NewTask {
            check,
            plan: task.plan || of.plan,
            approver: if of.plan { of.approver.as_ref().map(ToString::to_string) } else { task.approver },
            review: wanted > 0,
            reviews: (wanted > 0).then_some(wanted),
            refute: task.refute || of.refute,
            review_rounds: task.review_rounds.or(of.review_rounds),
            budget: at_most(task.budget, part),
            ..task
        }
    };
    Ok(tasks.into_iter().enumerate().map(heir).collect())
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
    fn less<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
    TaskBudget {
        micro_usd: less(budget.micro_usd, most.micro_usd),
        tokens: less(budget.tokens, most.tokens),
        turns: less(budget.turns, most.turns),
        time: less(budget.time, most.time),
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
}
