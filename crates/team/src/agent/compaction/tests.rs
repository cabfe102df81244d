use serde_json::json;

use super::*;
use crate::agent::journal::testing::{answered, call, result, told};
use crate::model::{Message, StopReason, Usage};

/// An attempt of so many turns, each with a call and its result.
fn journal(turns: u32) -> Journal {
    let mut journal = Journal::in_memory();
    journal.write(told("# Task wc: Write wc")).unwrap();
    for turn in 1..=turns {
        add_turn(&mut journal, turn, "done");
    }
    journal
}

fn add_turn(journal: &mut Journal, turn: u32, output: &str) {
    let path = format!("file-{turn}");
    let said = Part::text(format!("Now turn {turn}."));
    journal.write(answered(turn, vec![said, call("c", "write", json!({ "path": path }))])).unwrap();
    journal.write(result("c", output, false)).unwrap();
}

fn compact(journal: &mut Journal, limit_tokens: u64, account: &str) {
    let compaction = Compaction::of(journal, limit_tokens).unwrap();
    let answer = says(account);
    let line = compaction.line(journal, Some(&answer), &nothing(&me()));
    journal.write(line).unwrap();
}

fn me() -> AgentId {
    "worker-1".parse().unwrap()
}

/// Nothing that an account may have left out.
fn nothing(me: &AgentId) -> Kept<'_> {
    Kept { plan: None, orders: Vec::new(), open: Vec::new(), me }
}

fn says(text: &str) -> Response {
    Response { parts: vec![Part::text(text)], usage: Usage::default(), stop: StopReason::End }
}

/// All texts of a conversation.
fn words(journal: &Journal) -> String {
    let conversation = journal.conversation();
    let texts = conversation.iter().flat_map(Message::parts).filter_map(|part| match part {
        Part::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Messages take turns, each call has its result right behind it, and no result stands without its call.
fn is_sound(conversation: &[Message]) -> bool {
    let ids = |message: &Message| {
        let ids = message.parts().iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { call_id: id, .. } => Some(id.clone()),
            _ => None,
        });
        ids.collect::<Vec<_>>()
    };
    conversation.iter().enumerate().all(|(place, message)| {
        let is_users = matches!(message, Message::User(_));
        let answers = is_users && place > 0;
        is_users == (place % 2 == 0) && (!answers || ids(message) == ids(&conversation[place - 1]))
    })
}

#[test]
fn the_task_stays_whole_the_account_follows_and_then_the_last_turns() {
    let mut journal = journal(20);
    compact(&mut journal, 100_000, "## Task\nWrite wc.\n## Next step\nTest it.");
    let conversation = journal.conversation();
    assert!(is_sound(&conversation), "{conversation:#?}");
    assert_eq!(conversation.len(), 1 + 2 * KEPT_TURNS_MAX);
    let Message::User(first) = &conversation[0] else { panic!("{conversation:?}") };
    let Part::Text { text } = &first[0] else { panic!("{first:?}") };
    assert_eq!(text, "# Task wc: Write wc");
    let words = words(&journal);
    let places = ["# Task wc", "# Your own notes", "Test it.", "file-1", "Now turn 17.", "Now turn 20."];
    let places: Vec<_> = places.iter().map(|wanted| words.find(wanted).expect(wanted)).collect();
    assert!(places.is_sorted(), "{words}");
    assert!(!words.contains("Now turn 16."), "{words}");
    assert_eq!((journal.turns(), journal.turns_left_out()), (20, 16));
}

#[test]
fn turns_that_do_not_fit_are_not_kept_and_never_torn() {
    for kept in 0..4_u32 {
        let mut journal = journal(10 - kept);
        add_turn(&mut journal, 11 - kept, &"x".repeat(4_000));
        for turn in 12 - kept..12 {
            add_turn(&mut journal, turn, "small");
        }
        compact(&mut journal, 1_000, "Notes.");
        let conversation = journal.conversation();
        assert!(is_sound(&conversation), "{conversation:#?}");
        assert_eq!(conversation.len(), usize::try_from(1 + 2 * kept).unwrap());
    }
}

#[test]
fn what_came_after_the_last_turn_stays_even_if_no_turn_does() {
    let mut journal = journal(1);
    journal.write(told("News from worker-2.")).unwrap();
    compact(&mut journal, 1_000, "Notes.");
    let conversation = journal.conversation();
    assert_eq!(conversation.len(), 1, "{conversation:?}");
    assert!(words(&journal).ends_with("News from worker-2."), "{}", words(&journal));
    add_turn(&mut journal, 2, "done");
    assert!(is_sound(&journal.conversation()));
}

#[test]
fn a_second_compaction_holds_nothing_twice_and_brings_nothing_back() {
    let mut journal = journal(8);
    compact(&mut journal, 100_000, "The first notes.");
    add_turn(&mut journal, 9, "done");
    compact(&mut journal, 100_000, "The second notes.");
    add_turn(&mut journal, 10, "done");
    let words = words(&journal);
    assert!(is_sound(&journal.conversation()));
    assert!(!words.contains("The first notes.") && words.contains("The second notes."), "{words}");
    let kept: Vec<u32> = (1..=10).filter(|turn| words.contains(&format!("Now turn {turn}."))).collect();
    assert_eq!(kept, [8, 9, 10]);
    assert_eq!(words.matches("# Task wc").count(), 1);
    assert_eq!(journal.turns_left_out(), 7);
}

#[test]
fn a_journal_that_is_read_again_gives_the_same_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = Journal::open(folder.path()).unwrap();
    for line in journal(6).lines() {
        written.write(line.clone()).unwrap();
    }
    compact(&mut written, 100_000, "Notes.");
    add_turn(&mut written, 7, "done");
    let read = Journal::open(folder.path()).unwrap();
    assert_eq!(read.conversation(), written.conversation());
    assert_eq!((read.turns(), read.turns_left_out()), (7, 3));
    assert_eq!(tokens(&read), tokens(&written));
}

#[test]
fn what_the_model_does_not_say_is_taken_from_the_journal() {
    let mut journal = journal(3);
    let calls = Response { parts: vec![call("x", "run", json!({}))], ..says("") };
    for answer in [None, Some(says("  ")), Some(calls)] {
        let compaction = Compaction::of(&journal, 100_000).unwrap();
        let line = compaction.line(&journal, answer.as_ref(), &nothing(&me()));
        let text = texts(&line).concat();
        assert!(text.contains("these notes were made from your transcript"), "{text}");
        assert!(text.contains("- said: Now turn 1.\n- write file-1 -> done\n"), "{text}");
    }
    compact(&mut journal, 100_000, "Decided: no tables.");
    let line = Compaction::of(&journal, 100_000).unwrap();
    let line = line.line(&journal, None, &nothing(&me()));
    assert!(texts(&line).concat().contains("Decided: no tables."), "earlier notes are not lost");
}

#[test]
fn the_plan_the_humans_words_the_open_questions_and_the_files_do_not_depend_on_the_model() {
    let journal = journal(3);
    let message = |id: u128, from: &str, text: &str| AgentMessage {
        id: crate::RecordId(id),
        seq: 1,
        from: from.parse().unwrap(),
        to: crate::Recipient::Everyone,
        text: text.into(),
        task: None,
        at_ms: 0,
        returned: false,
        urgent: false,
        asks: true,
        reply_to: None,
    };
    let me = me();
    let kept = Kept {
        plan: Some(JudgedPlan { author: me.clone(), text: "Small steps.".into(), rejected: None }),
        orders: vec![message(3, "human", "Call it wc.")],
        open: vec![message(1, "worker-2", "Which name?"), message(2, "worker-1", "May I?")],
        me: &me,
    };
    let compaction = Compaction::of(&journal, 100_000).unwrap();
    let line = compaction.line(&journal, Some(&says("Notes.")), &kept);
    let text = texts(&line).concat();
    for wanted in ["Small steps.", "Call it wc.", "Which name?", "May I?", "Changed: file-3, file-2, file-1"]
    {
        assert!(text.contains(wanted), "{text}");
    }
    let rejected = Some(("lead-1".parse().unwrap(), "Too large.".to_owned()));
    let plan = JudgedPlan { author: me.clone(), text: "All at once.".into(), rejected };
    let line = compaction.line(&journal, None, &Kept { plan: Some(plan.clone()), ..nothing(&me) });
    let text = texts(&line).concat();
    assert!(
        text.contains("All at once.") && text.contains("lead-1 rejected it") && text.contains("Too large."),
        "{text}"
    );

    let mut journal = Journal::in_memory();
    journal.write(told(&format!("# Task wc: Write wc\n{}", prompt::judged_plan(&plan)))).unwrap();
    add_turn(&mut journal, 1, "done");
    let line = compaction.line(&journal, None, &Kept { plan: Some(plan), ..nothing(&me) });
    assert!(!texts(&line).concat().contains("All at once."), "the task's own words hold it");
}

#[test]
fn what_the_model_is_asked_fits_into_half_of_the_limit_and_keeps_earlier_notes() {
    let mut journal = journal(4);
    compact(&mut journal, 100_000, "The first notes.");
    for turn in 5..200 {
        add_turn(&mut journal, turn, &"x".repeat(1_000));
    }
    let question = Compaction::of(&journal, 10_000).unwrap().question(&journal);
    assert!(question.len() < 24_000, "{}", question.len());
    for wanted in
        ["# Task wc", "earlier lines left out]", "The first notes.", "Now turn 199.", "## Open questions"]
    {
        assert!(question.contains(wanted), "{wanted}: {question}");
    }
    assert!(!question.contains("Now turn 100."));
}

#[test]
fn a_provider_that_counts_is_believed_and_otherwise_bytes_are_counted() {
    let mut journal = journal(2);
    assert!(tokens(&journal) < 50);
    assert!(!is_due(&journal, 50));
    let usage = Usage { input_tokens: 900, output_tokens: 50, ..Usage::default() };
    let parts = vec![call("c", "run", json!({}))];
    journal.write(Line::Answered { at_ms: 0, turn: 3, parts, usage, stop: StopReason::ToolCalls }).unwrap();
    journal.write(result("c", &"x".repeat(400), false)).unwrap();
    assert_eq!(tokens(&journal), 1_050);
    assert!(is_due(&journal, 1_000) && !is_due(&journal, 1_050));
    compact(&mut journal, 1_000, "Notes.");
    assert!(tokens(&journal) < 500, "what was counted before counts no more: {}", tokens(&journal));
}

#[test]
fn a_task_that_alone_is_too_long_does_not_bring_a_compaction_in_each_turn() {
    let mut journal = journal(4);
    assert!(is_due(&journal, 1));
    compact(&mut journal, 1, "Notes.");
    let due: Vec<bool> = (5..9)
        .map(|turn| {
            add_turn(&mut journal, turn, "done");
            is_due(&journal, 1)
        })
        .collect();
    assert_eq!(due, [false, false, true, true]);
    assert!(Compaction::of(&Journal::in_memory(), 1).is_none(), "nothing was said yet");
}
