//! What the environment variable tells: at which call to act, and what to do there.
//!
//! `AGENT_TEAM_FAULT` holds `key=value` pairs between semicolons:
//!
//! | key | meaning |
//! |---|---|
//! | `exe` | the program that is meant; in any other the plan is ignored |
//! | `call` | `write`, `sync`, `rename`, `link`, `open`, `mkdir`, `start` (of a program), `wait` (for the one whose start fitted) |
//! | `path` | what the file's path must contain |
//! | `end` | what the file's path must end with |
//! | `holds` | what the bytes, or the program's arguments, must contain; `+` between several |
//! | `nth` | which of the calls that fit is meant, from 1 |
//! | `always` | `1`: this one and all later ones |
//! | `do` | `kill-before`, `kill-after`, `stop`, `torn`, `torn:BYTES`, `short:BYTES`, `fail:ERRNO` |
//! | `report` | a file to which a line is appended when it happens |
//! | `fstatfs` | the number of the file system that the program shall believe its files are on |

use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use crate::raw;

pub const VARIABLE: &str = "AGENT_TEAM_FAULT";

/// The calls at which something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Write,
    Sync,
    Rename,
    Link,
    Open,
    Mkdir,
    Start,
    Wait,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    KillBefore,
    KillAfter,
    Stop,
    /// Writes the first bytes and kills: so many, or up to the next 4 KiB of the file, where there is one in the record.
    Torn(Option<usize>),
    /// Writes the first bytes and says so.
    Short(usize),
    Fail(i32),
}

#[derive(Debug)]
pub struct Plan {
    pub call: Option<Call>,
    pub path: Vec<u8>,
    pub end: Vec<u8>,
    pub holds: Vec<Vec<u8>>,
    pub nth: u64,
    pub always: bool,
    pub action: Action,
    pub report: Vec<u8>,
    pub file_system: Option<u32>,
}

/// What this process and those that it forks share: a fork must not begin to count anew.
#[derive(Default)]
pub struct Shared {
    pub seen: AtomicU64,
    /// The process whose start fitted.
    pub started: AtomicI32,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

/// The plan, if this program is the one that is meant.
pub fn get() -> Option<&'static Plan> {
    PLAN.get()?.as_ref()
}

pub fn shared() -> Option<&'static Shared> {
    // SAFETY: it is null, or points to a mapping that lives as long as the process.
    unsafe { SHARED.load(Ordering::Acquire).as_ref() }
}

pub fn load() {
    let plan = std::env::var(VARIABLE).ok().and_then(|text| parse(&text));
    if plan.is_some() {
        // Programs that this one starts are none of the plan's business.
        for name in [c"LD_PRELOAD", c"AGENT_TEAM_FAULT"] {
            // SAFETY: there is one thread, and the name ends with a NUL.
            unsafe { libc::unsetenv(name.as_ptr()) };
        }
        SHARED.store(raw::shared_page().cast(), Ordering::Release);
    }
    let _ = PLAN.set(plan);
}

fn parse(text: &str) -> Option<Plan> {
    let value = |key: &str| {
        let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let own = std::env::current_exe().ok()?;
    if own.as_os_str().as_bytes() != value("exe")?.as_bytes() {
        return None;
    }
    let bytes = |key: &str| value(key).unwrap_or_default().as_bytes().to_vec();
    let holds = value("holds").unwrap_or_default().split('+').filter(|part| !part.is_empty());
    Some(Plan {
        call: value("call").and_then(call),
        path: bytes("path"),
        end: bytes("end"),
        holds: holds.map(|part| part.as_bytes().to_vec()).collect(),
        nth: value("nth").and_then(|nth| nth.parse().ok()).unwrap_or(1),
        always: value("always") == Some("1"),
        action: value("do").and_then(action).unwrap_or(Action::KillBefore),
        report: value("report").map(|path| [path.as_bytes(), b"\0"].concat()).unwrap_or_default(),
        file_system: value("fstatfs").and_then(|number| number.parse().ok()),
    })
}

fn call(word: &str) -> Option<Call> {
    Some(match word {
        "write" => Call::Write,
        "sync" => Call::Sync,
        "rename" => Call::Rename,
        "link" => Call::Link,
        "open" => Call::Open,
        "mkdir" => Call::Mkdir,
        "start" => Call::Start,
        "wait" => Call::Wait,
        _ => return None,
    })
}

fn action(word: &str) -> Option<Action> {
    let (word, number) = word.split_once(':').unwrap_or((word, ""));
    Some(match word {
        "kill-before" => Action::KillBefore,
        "kill-after" => Action::KillAfter,
        "stop" => Action::Stop,
        "torn" => Action::Torn(number.parse().ok()),
        "short" => Action::Short(number.parse().ok()?),
        "fail" => Action::Fail(match number {
            "EIO" => libc::EIO,
            "ENOSPC" => libc::ENOSPC,
            "EINTR" => libc::EINTR,
            _ => return None,
        }),
        _ => return None,
    })
}
