//! The texts of a task's view, which may be kept as blobs, as whoever shows them wants them.

use crate::Text;
use crate::view::TaskView;

/// The task with each of its texts as `shown` gives it.
#[must_use]
pub fn with_texts(mut task: TaskView, shown: impl Fn(&Text) -> String) -> TaskView {
    let feedback = task.feedback.iter_mut().map(|feedback| &mut feedback.text);
    let late = task.late.iter_mut().map(|late| &mut late.result);
    let texts = [&mut task.description].into_iter().chain(&mut task.result).chain(feedback).chain(late);
    for text in texts {
        *text = Text::Inline(shown(text));
    }
    task
}
