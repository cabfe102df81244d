//! The terminal view on a large team: the real binary draws into memory and says how long each frame took.

use agent_team::{AgentJoined, Durability, NewTask, Role};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::prepare::{self, History};
use crate::setting::Setting;
use crate::table::Measured;

/// How many agents the team has.
const AGENTS: usize = 100;
/// How many tasks it has.
const TASKS: usize = 10_000;

/// A key and the frame after it, on a large and on a small terminal, beside ratatui alone with as many cells; and a look at the
/// team after a change, on a thread of its own.
pub fn frame(setting: &Setting) -> Result<Vec<Measured>> {
    let binary = setting.agent_team()?;
    let history = History { tasks: TASKS - 2 * AGENTS, completed: TASKS / 2 };
    let folder = setting.folder()?;
    history.write(&folder)?;
    let queue = prepare::open(&folder, Durability::Process)?;
    history.check(&queue)?;
    for number in prepare::WORKERS..AGENTS {
        queue.join(AgentJoined::new(prepare::worker(number)?, Role::Worker))?;
    }
    // What waits for others is a tree to be drawn.
    let wait = |number: usize| {
        let after = prepare::task(TASKS / 2 + number % AGENTS).map(|task| vec![task.to_string()]);
        after.map(|after| NewTask { after, ..NewTask::new(format!("Waits, {number}")) })
    };
    let waiting = (0..2 * AGENTS).map(wait).collect::<Result<Vec<_>>>()?;
    queue.add_tasks(&agent_team::AgentId::human(), &waiting)?;
    for number in 0..AGENTS {
        queue.claim_task(&prepare::worker(number)?)?.context("there is a task for each agent")?;
    }
    let frames = setting.choose(400, 100).to_string();
    let output =
        setting.command(&binary).current_dir(&folder).args(["watch", "--measure", &frames]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(figures["tasks"] == TASKS && figures["agents"] == AGENTS, "it is another team: {figures}");
    drop(queue);
    std::fs::remove_dir_all(&folder)?;
    let of_size = |size: usize| -> Result<Measured> {
        let figure =
            |name: &str, which: &str| figures["sizes"][size][name][which].as_f64().context("no figure");
        Ok::<_, anyhow::Error>(Measured {
            value: figure("frame", "median_us")? / 1e3,
            limit: Some(figure("raw", "median_us")? / 1e3),
            spread: None,
            note: format!(
                "the longest {:.1} ms; the slowest view is {}",
                figure("frame", "max_us")? / 1e3,
                figures["sizes"][size]["slowest_view"].as_str().unwrap_or_default()
            ),
        })
    };
    let look = figures["look"]["median_us"].as_f64().context("no figure")? / 1e3;
    let news = figures["news"]["median_us"].as_f64().context("no figure")? / 1e3;
    let look = Measured {
        value: look,
        limit: None,
        spread: None,
        note: format!("of which the thread that draws does {news:.1} ms"),
    };
    Ok(vec![of_size(0)?, of_size(1)?, look])
}
