//! What came of a recording of a real program, in tests of what its messages mean.

use serde_json::Value;

use super::driver::Heard;
use super::lines::Step;
use crate::model::Usage;

/// A recording, message by message.
pub(super) fn recorded(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was heard, what was answered, and how its turns ended.
#[derive(Default)]
pub(super) struct Came {
    pub heard: Vec<Heard>,
    pub answers: Vec<Value>,
    pub ends: Vec<Step>,
}

impl Came {
    pub fn used(&self) -> Usage {
        let used = self.heard.iter().rev().find_map(|heard| match heard {
            Heard::Used(usage) => Some(*usage),
            _ => None,
        });
        used.unwrap()
    }

    pub fn asked(&self) -> Vec<(&str, bool)> {
        let asked = self.heard.iter().filter_map(|heard| match heard {
            Heard::Asked { what, allowed } => Some((what.as_str(), *allowed)),
            _ => None,
        });
        asked.collect()
    }
}
