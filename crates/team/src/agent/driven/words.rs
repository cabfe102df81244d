//! What a driven agent is told besides its task.

use crate::agent::journal::Line;
use crate::agent::verdict::NoVerdict;
use crate::agent::{handoff, prompt};
use crate::{AgentId, Role, Stage};

/// After it was broken off.
pub(super) const GO_ON: &str = "Go on with your task where you left off. Look at what is there first: what you did last may \
                                not have had its effect.\n";
/// After its plan was approved: what it did then was broken off, so that it can do more.
pub(super) const MAY_WORK: &str = "You may change files now: do what you have planned. If something says that a call was refused or \
                                   interrupted, it means no more than that.\n";
/// After it said nothing.
pub(super) const SAY_RESULT: &str =
    "You said nothing. Go on with your task; when it is done, say what you did and why it is right.\n";

/// After it delivered what nobody has agreed to.
pub(super) const PLAN_FIRST: &str = "Nothing counts before your plan is approved: call the tool of the server `team` that submits \
                                     it, or `give_up` with the reason.\n";

/// Who it is, and how it shall work.
pub(super) fn system(agent: &AgentId, role: Role, extra: &str, stage: Stage, has_tools: bool) -> String {
    let mut text = prompt::of_role(role, false);
    let works = stage == Stage::Work && matches!(role, Role::Worker | Role::Specialist);
    text += match works {
        true => {
            "You work in the folder that you were started in, a copy of the project; nobody else changes it, and your \
             changes reach the others only through the merge queue, after the task's check and the team's gate have passed on \
             them. Look before you change. Make the smallest change that does the task well. Run the check yourself. Do not \
             change the files that judge you, and do not commit: what lies in the folder in the end is what you deliver.\n"
        }
        false => {
            "You change no file and run nothing that does: you look at the folder that you were started in.\n"
        }
    };
    text += match (has_tools, stage) {
        (true, Stage::Review) => {
            "The server `team` has the tools of your team. Give your verdict by its tool `review`, which ends the review.\n"
        }
        (true, _) => {
            "The server `team` has the tools of your team. When you are done, call its tool `finish` with a short account of \
             what you did and why it is right; if the task cannot be done, `give_up` with the reason.\n"
        }
        (false, Stage::Review) => {
            "End with your verdict: `APPROVE` or `REJECT` as its first word, then what the author should know.\n"
        }
        (false, _) => {
            "When you are done, say what you did and why it is right: your last words are your result.\n"
        }
    };
    prompt::add_own(&mut text, agent, extra);
    text
}

/// What it did so far in another conversation, which is lost.
pub(super) fn note(lines: &[Line]) -> String {
    format!(
        "\n## What you did so far\n\nYou were cut off, and this is a new conversation. Your folder is as you left it. From the \
         transcript of what you did:\n\n{}\n",
        handoff::note(lines)
    )
}

/// What a reviewer is told whose words are no verdict.
pub(super) fn verdict_wanted(fault: NoVerdict) -> String {
    format!(
        "Your answer is no verdict: {fault}. Answer with `APPROVE` or `REJECT` as the first word, then what the author \
         should know.\n"
    )
}
