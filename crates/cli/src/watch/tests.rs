//! Screens as they are drawn, kept as text beside this file (`UPDATE=1` writes them anew), and what keys make of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use agent_team::{AgentId, AgentJoined, MessageBus, NewMessage, NewTask, Recipient, Role, TaskId, TaskQueue};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::ask::{Answer, Ask, PlanText};
use super::draw::draw;
use super::lists::Lists;
use super::screen::{Ending, Host, Screen};
use super::team::{Call, Team};
use super::theme::Theme;
use crate::view::{Done, Picture, Steer};

/// The time at which all screens are drawn, in milliseconds since 1970.
const NOW_MS: u64 = 1_800_000_000_000;

fn name(text: &str) -> AgentId {
    text.parse().unwrap()
}

/// A team in the middle of its work: all kinds of agents and tasks, a plan and a question that wait.
fn queue() -> TaskQueue {
    let queue = TaskQueue::in_memory().unwrap();
    let members = [
        ("reviewer-2", Role::Reviewer),
        ("reviewer-1", Role::Reviewer),
        ("worker-1", Role::Worker),
        ("worker-2", Role::Worker),
        ("worker-3", Role::Worker),
        ("worker-4", Role::Worker),
    ];
    for (agent, role) in members {
        queue.join(AgentJoined::new(name(agent), role)).unwrap();
    }
    let add = |id: &str, title: &str, after: &[&str]| {
        let after = after.iter().map(|id| (*id).to_owned()).collect();
        queue.add_task(NewTask { after, ..NewTask::new(title).id(id) }).unwrap();
    };
    add("lexer", "Write the lexer", &[]);
    add("parser", "Write the parser, and keep the old public interface", &["lexer"]);
    add("printer", "Print what was parsed", &["parser"]);
    add("docs", "Document the grammar", &["lexer"]);
    add("release", "Release it", &["printer", "docs"]);
    add("logo", "Draw a sign", &[]);
    queue.add_task(NewTask { plan: true, ..NewTask::new("Choose the license").id("license") }).unwrap();
    add("bench", "Measure the old parser", &[]);
    let claim = |agent: &str| queue.claim_task(&name(agent)).unwrap().unwrap().token;
    let lexer = claim("worker-1");
    queue.complete(lexer, &name("worker-1"), "done", None, Vec::new()).unwrap();
    claim("worker-1");
    claim("worker-2");
    claim("worker-3");
    let license = claim("worker-4");
    queue.submit_plan(license, &name("worker-4"), "Ask a lawyer.\nThen choose.").unwrap();
    queue.cancel(&AgentId::human(), &"bench".parse::<TaskId>().unwrap(), false).unwrap();
    let bus = MessageBus::over(queue.team_log().clone());
    let say = |from: &str, to: Recipient, text: &str| NewMessage::new(&name(from), to, text);
    bus.post(say("worker-1", Recipient::Everyone, "The lexer is done; its tokens are in tokens.rs."))
        .unwrap();
    bus.receive(&name("worker-2"), 0).unwrap();
    let asks = say("worker-2", Recipient::Agent(AgentId::human()), "Tabs or spaces?");
    bus.post(NewMessage { asks: true, ..asks }).unwrap();
    queue.pause(&AgentId::human(), Some(&name("worker-3")), "lunch").unwrap();
    queue
}

/// The picture of the team with times that are the same in every test.
fn team_of(queue: &TaskQueue) -> Arc<Team> {
    let mut picture = Picture::of(queue, "grammar", None).unwrap();
    for (n, task) in (1..).zip(&mut picture.tasks) {
        task.since_ms = NOW_MS - n * 61_000;
    }
    for (n, row) in (1..).zip(&mut picture.agents) {
        row.since_ms = row.since_ms.map(|_| NOW_MS - n * 5_000);
        row.last = vec!["I look at the tokens first.".to_owned(), "> read tokens.rs".to_owned()];
    }
    for (n, message) in (1..).zip(&mut picture.messages) {
        message.at_ms = NOW_MS - n * 7_000;
    }
    Arc::new(Team::of(picture))
}

fn screen() -> Screen {
    Screen::new(team_of(&queue()), Theme { colors: true }, Host::Watch, NOW_MS)
}

fn drawn(screen: &mut Screen, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(screen, area, &mut buffer);
    buffer
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width);
    rows.map(|row| {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        row.trim_end().to_owned() + "\n"
    })
    .collect()
}

fn press(screen: &mut Screen, keys: &str) -> Vec<Ask> {
    let mut asks = Vec::new();
    for c in keys.chars() {
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⇥' => KeyCode::Tab,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        asks.extend(screen.press(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    asks
}

fn does(asks: &[Ask]) -> Vec<String> {
    let commands =
        asks.iter().filter_map(|ask| if let Ask::Do(steer) = ask { Some(steer.command()) } else { None });
    commands.collect()
}

fn plan(round: u32, lines: usize) -> Answer {
    let text: Vec<String> = (1..=lines).map(|line| format!("Step {line}.")).collect();
    Answer::Plan(Box::new(PlanText {
        task: "license".parse().unwrap(),
        title: "Choose the license".to_owned(),
        round,
        author: name("worker-4"),
        verdict: None,
        approvers: "a lead or the human".to_owned(),
        text: text.join("\n"),
    }))
}

#[test]
fn screens_look_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/watch/screens");
    let mut wrong = Vec::new();
    for (width, height) in [(80, 24), (120, 40), (220, 60)] {
        let mut all = screen();
        all.team.picture.tasks.iter().for_each(|task| assert!(task.since_ms < NOW_MS));
        let mut shots = vec![("agents", drawn(&mut all, width, height))];
        for (key, view) in [("2", "board"), ("3", "graph"), ("4", "messages"), ("5", "merges")] {
            press(&mut all, key);
            shots.push((view, drawn(&mut all, width, height)));
        }
        press(&mut all, "?");
        shots.push(("help", drawn(&mut all, width, height)));
        press(&mut all, "⎋");
        all.answer(plan(1, 50));
        shots.push(("plan", drawn(&mut all, width, height)));
        press(&mut all, "⎋1s");
        shots.push(("say", drawn(&mut all, width, height)));
        press(&mut all, "⎋2m");
        shots.push(("reassign", drawn(&mut all, width, height)));
        for (view, buffer) in shots {
            let file = folder.join(format!("{view}-{width}x{height}.txt"));
            let is = text(&buffer);
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&file, &is).unwrap();
            }
            let was = std::fs::read_to_string(&file).unwrap_or_default();
            if was != is {
                wrong.push(format!("{}:\n{is}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "if they are as they shall be, UPDATE=1 keeps them:\n{}", wrong.join("\n"));
}

#[test]
fn no_screen_is_too_small_or_too_large_to_draw() {
    let mut all = screen();
    for (width, height) in [(1, 1), (19, 7), (20, 8), (21, 9), (38, 11), (400, 5), (500, 120)] {
        for key in "12345".chars() {
            press(&mut all, &key.to_string());
            drawn(&mut all, width, height);
            press(&mut all, "s");
            drawn(&mut all, width, height);
            press(&mut all, "⎋?");
            drawn(&mut all, width, height);
            press(&mut all, "⎋");
        }
    }
}

#[test]
fn without_colours_there_are_weights_alone_and_never_white_or_yellow_text() {
    for colors in [false, true] {
        let mut all = Screen::new(team_of(&queue()), Theme { colors }, Host::Watch, NOW_MS);
        for key in "12345".chars() {
            press(&mut all, &key.to_string());
            for cell in drawn(&mut all, 160, 40).content() {
                let vanishes = [Color::White, Color::Gray, Color::LightYellow, Color::Yellow, Color::Blue];
                assert!(!vanishes.contains(&cell.fg), "{cell:?}");
                assert!(colors || (cell.fg == Color::Reset && cell.bg == Color::Reset), "{cell:?}");
            }
        }
        let buffer = drawn(&mut all, 80, 24);
        assert!(buffer.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
    }
}

#[test]
fn text_of_agents_cannot_act_on_the_screen() {
    let queue = queue();
    queue.add_task(NewTask::new("x").id("nasty")).unwrap();
    let mut picture = Picture::of(&queue, "gram\u{1b}[2Jmar", None).unwrap();
    picture.tasks.iter_mut().for_each(|task| task.title = "a\u{1b}]0;owned\u{7}\u{202e}b".to_owned());
    picture.agents.iter_mut().for_each(|row| row.last = vec!["\u{9b}31m\r\nred".to_owned()]);
    let mut all = Screen::new(Arc::new(Team::of(picture)), Theme { colors: true }, Host::Watch, NOW_MS);
    all.answer(Answer::Text("\u{1b}[31m".to_owned(), "\u{1b}[2J\u{7}".to_owned()));
    for keys in ["", "⎋", "2", "3", "4", "5"] {
        press(&mut all, keys);
        let shown = text(&drawn(&mut all, 160, 40));
        let acts = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
        assert_eq!(shown.chars().find(acts), None, "{shown}");
    }
}

#[test]
fn keys_steer_what_is_selected() {
    let mut all = screen();
    drawn(&mut all, 120, 40);
    assert_eq!(all.agent().unwrap().agent.id, name("worker-2"), "who waits for somebody stands first");
    press(&mut all, "llll");
    assert_eq!(all.agent().unwrap().agent.id, name("worker-1"));
    assert_eq!(does(&press(&mut all, "p")), ["agent-team pause worker-1"]);
    assert!(press(&mut all, "s").is_empty());
    assert_eq!(does(&press(&mut all, "Use spaces.⏎")), ["agent-team say worker-1 -- 'Use spaces.'"]);
    assert_eq!(does(&press(&mut all, "xtoo slow⏎")), ["agent-team stop worker-1 '--reason=too slow'"]);
    assert_eq!(does(&press(&mut all, "i⏎")), ["agent-team interrupt worker-1"]);
    press(&mut all, "l");
    assert_eq!(does(&press(&mut all, "p")), ["agent-team resume worker-3"], "it is paused");
    assert_eq!(does(&press(&mut all, "P")), ["agent-team pause"]);
    press(&mut all, "2/parser⏎⎋");
    drawn(&mut all, 120, 40);
    assert_eq!(all.task().unwrap().id.as_str(), "parser");
    assert!(press(&mut all, "c").is_empty());
    assert_eq!(does(&press(&mut all, "y")), ["agent-team cancel parser"]);
    assert_eq!(does(&press(&mut all, "t")), ["agent-team retry parser"]);
    assert_eq!(does(&press(&mut all, "m↓⏎")), ["agent-team reassign parser --to=worker-2"]);
    assert_eq!(press(&mut all, "d"), [Ask::Diff("parser".parse().unwrap())]);
    assert_eq!(does(&press(&mut all, "Aship it⏎")), ["agent-team add -- 'ship it'"]);
    assert_eq!(press(&mut all, "q"), [Ask::Quit]);
}

#[test]
fn what_waits_for_the_human_is_one_key_away() {
    let mut all = screen();
    assert!(matches!(all.team.calls.as_slice(), [Call::Plan(_), Call::Question(_)]), "{:?}", all.team.calls);
    drawn(&mut all, 120, 40);
    let question = all.team.picture.questions[0];
    assert_eq!(
        press(&mut all, "a"),
        [Ask::Message(question)],
        "what the selected agent waits for goes first"
    );
    assert!(press(&mut all, "r").contains(&Ask::Message(question)), "it is read before it is answered");
    assert!(all.dialog.is_some(), "and its answer is asked for below it");
    press(&mut all, "⎋l");
    assert_eq!(press(&mut all, "a"), [Ask::Plan("license".parse().unwrap())]);
    press(&mut all, "4");
    assert!(press(&mut all, "r").is_empty());
    let answer = does(&press(&mut all, "Spaces.⏎"));
    assert!(answer[0].starts_with("agent-team answer ") && answer[0].ends_with(" -- Spaces."), "{answer:?}");
}

#[test]
fn a_plan_is_approved_only_after_it_was_read_to_its_end() {
    let mut all = screen();
    all.answer(plan(2, 60));
    drawn(&mut all, 80, 24);
    assert!(press(&mut all, "y").is_empty());
    assert!(all.said.as_ref().unwrap().1.contains("read it to its end"));
    press(&mut all, "G");
    drawn(&mut all, 80, 24);
    assert!(press(&mut all, "y").is_empty(), "what is between was not on the screen");
    press(&mut all, "g");
    for _ in 0..4 {
        drawn(&mut all, 80, 24);
        press(&mut all, " ");
    }
    drawn(&mut all, 80, 24);
    assert_eq!(does(&press(&mut all, "y")), ["agent-team plan approve license --plan=2"]);
    // Another one came meanwhile: that one was not read.
    all.answer(plan(3, 60));
    drawn(&mut all, 80, 24);
    assert!(press(&mut all, "y").is_empty());
    assert_eq!(
        does(&press(&mut all, "rToo long.⏎")),
        ["agent-team plan reject license --plan=3 -- 'Too long.'"]
    );
    let steer =
        Steer::RejectPlan { task: "license".parse().unwrap(), round: 3, text: "Too long.".to_owned() };
    let done = Done { command: steer.command(), outcome: Ok(String::new()) };
    all.answer(Answer::Done(done));
    assert!(all.pages.is_empty(), "it was judged");
}

#[test]
fn a_filter_leaves_what_it_names_and_what_is_selected_stays_so() {
    let mut all = screen();
    press(&mut all, "2");
    drawn(&mut all, 80, 24);
    press(&mut all, "/PARSE⏎");
    assert_eq!(all.lists.columns.iter().map(Vec::len).sum::<usize>(), 3);
    assert_eq!(all.task().unwrap().id.as_str(), "parser");
    press(&mut all, "n");
    assert_eq!(all.task().unwrap().id.as_str(), "bench");
    press(&mut all, "⎋");
    assert_eq!(all.task().unwrap().id.as_str(), "bench");
    press(&mut all, "3/rel⏎");
    assert_eq!(all.task().unwrap().id.as_str(), "release", "in the tree it goes to what it names");
    press(&mut all, "⎋/worker-2⏎");
    assert_eq!(all.task().unwrap().agent, Some(name("worker-2")));
}

#[test]
fn the_tree_has_each_task_once_and_is_folded() {
    let mut all = screen();
    press(&mut all, "3");
    let shown = text(&drawn(&mut all, 80, 24));
    for id in ["lexer", "parser", "printer", "docs", "release", "logo", "license", "bench"] {
        let is_its =
            |line: &&str| line.trim_start_matches([' ', '│', '├', '└', '─']).split(' ').nth(1) == Some(id);
        assert_eq!(shown.lines().filter(is_its).count(), 1, "{id} in {shown}");
    }
    press(&mut all, "gh");
    let shown = text(&drawn(&mut all, 80, 24));
    assert!(shown.contains("lexer  +4 below, 0 done") && !shown.contains("printer"), "{shown}");
    press(&mut all, "l");
    assert_eq!(all.lists.rows.len(), 8);
    let lists = Lists::of(&all.team, "", &BTreeSet::new(), false);
    assert_eq!(lists.rows, all.lists.rows);
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut all = screen();
    drawn(&mut all, 80, 24);
    let click = |column, row| MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column,
        row,
        modifiers: KeyModifiers::NONE,
    };
    assert!(all.mouse(click(60, 5)).is_empty());
    let selected = all.agent().unwrap().agent.id.clone();
    assert_eq!(selected, name("worker-4"));
    assert_eq!(all.mouse(click(60, 5)), [Ask::NewestBy(selected)]);
    all.mouse(click(14, 2));
    assert_eq!(all.tab, 1);
    drawn(&mut all, 80, 24);
    let wheel = |kind| MouseEvent { kind, ..click(10, 10) };
    all.mouse(wheel(MouseEventKind::ScrollDown));
    assert_ne!(all.lists.at.board, (2, 0));
}

#[test]
fn news_keep_what_is_selected_where_it_goes() {
    let queue = queue();
    let mut all = Screen::new(team_of(&queue), Theme { colors: true }, Host::Watch, NOW_MS);
    press(&mut all, "2/parser⏎⎋");
    assert_eq!(all.task().unwrap().id.as_str(), "parser");
    let token = queue.token_of(&"parser".parse().unwrap(), &name("worker-1")).unwrap();
    queue.complete(token, &name("worker-1"), "done", None, Vec::new()).unwrap();
    all.news(team_of(&queue));
    assert_eq!(all.task().unwrap().id.as_str(), "parser");
    assert_eq!(all.lists.at.board.0, 4, "it is among the completed ones");
}

#[test]
fn of_many_agents_those_with_nothing_to_do_are_shown_when_they_are_wanted() {
    let queue = queue();
    for number in 1..=20 {
        queue.join(AgentJoined::new(name(&format!("idle-{number}")), Role::Worker)).unwrap();
    }
    let mut all = Screen::new(team_of(&queue), Theme { colors: true }, Host::Watch, NOW_MS);
    let few = text(&drawn(&mut all, 120, 40));
    assert!(few.contains(" worker-1 ") && !few.contains("idle-1"), "{few}");
    assert!(few.contains("22 agents have nothing to do: z shows them"), "{few}");
    press(&mut all, "z");
    assert!(text(&drawn(&mut all, 120, 40)).contains("idle-1"));
    press(&mut all, "z/idle-7⏎");
    assert!(text(&drawn(&mut all, 120, 40)).contains("idle-7"), "who is looked for is found");
}

#[test]
fn what_was_typed_and_not_sent_is_there_again() {
    let mut all = screen();
    drawn(&mut all, 120, 40);
    press(&mut all, "r");
    let answer = "Spaces, and";
    press(&mut all, answer);
    press(&mut all, "⎋");
    all.clock(NOW_MS + 9_000);
    press(&mut all, "r");
    let again = does(&press(&mut all, " no tabs.⏎"));
    assert!(again[0].ends_with(" -- 'Spaces, and no tabs.'"), "{again:?}");
}

#[test]
fn ctrl_c_ends_a_run_in_two_steps_and_says_so() {
    let mut all = Screen::new(team_of(&queue()), Theme { colors: true }, Host::Run, NOW_MS);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(all.press(control_c), [Ask::Interrupt]);
    assert_eq!(all.ending, Ending::Gently);
    let shown = text(&drawn(&mut all, 120, 40));
    assert!(
        shown.lines().any(|line| line.ends_with("  ENDING")) && shown.contains("Ctrl-C once more"),
        "{shown}"
    );
    all.press(control_c);
    assert!(text(&drawn(&mut all, 120, 40)).contains("ENDING AT ONCE"));
}

#[test]
fn whoever_types_on_after_a_key_that_did_nothing_gives_no_commands() {
    let mut all = screen();
    drawn(&mut all, 120, 40);
    // `v` is a key of another view, and what follows are words.
    assert!(press(&mut all, "vPtx").is_empty());
    assert!(text(&drawn(&mut all, 120, 40)).contains("v does nothing here"));
    all.clock(NOW_MS + 2_000);
    assert_eq!(does(&press(&mut all, "P")), ["agent-team pause"], "after a rest keys are keys");
}

#[test]
fn what_waits_is_gone_through_one_after_the_other() {
    let mut all = screen();
    drawn(&mut all, 120, 40);
    let question = all.team.picture.questions[0];
    let license = "license".parse::<TaskId>().unwrap();
    assert_eq!(all.team.calls, [Call::Plan(license.clone()), Call::Question(question)]);
    press(&mut all, "2");
    assert_eq!(press(&mut all, "a"), [Ask::Plan(license.clone())]);
    all.answer(plan(1, 2));
    assert_eq!(press(&mut all, "a"), [Ask::Message(question)]);
    all.answer(Answer::Message(question, "Tabs or spaces?".to_owned()));
    assert!(text(&drawn(&mut all, 120, 40)).contains("Tabs or spaces?"));
    assert_eq!(press(&mut all, "a"), [Ask::Plan(license)]);
}

#[test]
fn the_view_of_a_run_that_is_over_does_not_close_under_somebodys_hands() {
    let mut all = screen();
    drawn(&mut all, 120, 40);
    all.is_over = true;
    assert!(!all.is_busy(), "nobody has touched a key");
    press(&mut all, "sHel");
    all.clock(NOW_MS + 60_000);
    assert!(all.is_busy(), "a message is being written");
    press(&mut all, "⎋");
    assert!(all.is_busy(), "and another key may follow");
    all.clock(NOW_MS + 66_000);
    assert!(!all.is_busy());
}
