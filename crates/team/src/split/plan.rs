//! What becomes of each group: a task to add, with its smallest input, or one that is there already.

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::group::Group;
use super::shrink::{ShrinkLimit, Shrunk};
use super::suite::Suite;
use super::task::{Place, place};
use crate::{Error, TaskQueue};

/// A group, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The group.
    pub group: Group,
    /// Its task's place.
    pub place: Place,
    /// The smallest input, if one was looked for and found.
    pub shrunk: Option<Shrunk>,
}

/// All groups that become tasks.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The largest group first.
    pub planned: Vec<Planned>,
    /// How many groups more there are, for which there was no room.
    pub left_out: usize,
}

/// How a plan is made.
#[derive(Debug, Clone, Copy)]
pub struct PlanOptions<'a> {
    /// The most tasks that are to be added.
    pub most: usize,
    /// Where smallest inputs are kept, each in a folder with its task's id; without one they are not looked for.
    pub folder: Option<&'a Path>,
    /// How long the smallest input of a group is looked for.
    pub limit: ShrinkLimit,
    /// How many are looked for at the same time.
    pub jobs: usize,
}

impl Suite {
    /// Plans the tasks of groups. `tell` is told how many smallest inputs were looked for, and how many will be.
    /// Without a queue all tasks are new.
    ///
    /// # Errors
    /// When the log cannot be read, a file cannot be written, or a command cannot be started.
    pub async fn plan(
        &self,
        groups: Vec<Group>,
        queue: Option<&TaskQueue>,
        options: PlanOptions<'_>,
        stop: &CancellationToken,
        mut tell: impl FnMut(usize, usize),
    ) -> Result<Plan, Error> {
        let (mut places, mut room, mut left_out) = (Vec::new(), options.most, 0);
        for group in groups {
            let place = place(queue, self, &group)?;
            let is_new = matches!(place, Place::New(_));
            if is_new && room == 0 {
                left_out += 1;
                continue;
            }
            room -= usize::from(is_new);
            places.push((group, place));
        }
        let wanted = options.most - room;
        let planning = places.into_iter().map(async |(group, place)| {
            let shrunk = match (&place, options.folder) {
                (Place::New(id), Some(folder)) => {
                    let folder = folder.join(id.as_str()).join("smallest");
                    self.shrink_lines(&group.failures, &folder, options.limit, stop).await?
                }
                _ => None,
            };
            Ok::<_, Error>(Planned { group, place, shrunk })
        });
        let mut done = 0;
        let planned = stream::iter(planning).buffered(options.jobs.max(1)).inspect_ok(|planned| {
            done += usize::from(matches!(planned.place, Place::New(_)));
            tell(done, wanted);
        });
        Ok(Plan { planned: planned.try_collect().await?, left_out })
    }
}
