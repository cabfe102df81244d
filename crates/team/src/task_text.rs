//! The texts of a task's view, which may be kept as blobs, as whoever shows them wants them.

use crate::Text;
use crate::view::TaskView;

/// The task with each of its texts as `shown` gives it.
#[must_use]
pub fn with_texts(mut task: TaskView, shown: impl Fn(&Text) -> String) -> TaskView {
    let feedback = task.feedback.iter_mut().map(|feedback| &mut feedback.text);
    let gate = task.gate.as_mut().and_then(|gate| gate.output.as_mut());
    let late = task.late.iter_mut().map(|late| &mut late.result);
    let plan = task.plan.as_mut().map(|plan| [Some(&mut plan.text), plan.feedback.as_mut()]);
    let plan = plan.into_iter().flatten().flatten();
    let own = [Some(&mut task.description), task.result.as_mut(), task.check_output.as_mut(), gate];
    let texts = own.into_iter().flatten().chain(plan).chain(feedback).chain(late);
    for text in texts {
        *text = Text::Inline(shown(text));
    }
    task
}
