//! How a canonical form is written: a line for each value, with the way to it.

use std::fmt::{Display, Write as _};

use crate::id::{AgentId, RecordId, Skill, TaskId};
use crate::machine::messages::Receipt;
use crate::machine::task::{Ending, Failure, FeedbackCause};
use crate::machine::transition::Status;
use crate::record::{Recipient, Role, Stage};
use crate::text::{LongText, Text};

/// Writes lines of the form `task/parse/claim/stage work`.
pub(super) struct Lines<'a> {
    /// Where we are, with a slash at the end.
    path: String,
    line: String,
    to: &'a mut dyn FnMut(&str),
}

impl<'a> Lines<'a> {
    /// Lines that are given to a function, one by one.
    pub fn to(to: &'a mut dyn FnMut(&str)) -> Self {
        Self { path: String::new(), line: String::new(), to }
    }

    /// A line for a value that is not the default.
    pub fn put(&mut self, name: &str, value: &impl Leaf) {
        if !value.is_default() {
            self.always(name, value);
        }
    }

    /// A line for a value, whatever it is. Each thing has at least one such, so that it is seen to be there.
    pub fn always(&mut self, name: impl Display, value: &(impl Leaf + ?Sized)) {
        self.line.clone_from(&self.path);
        // Writing into a string cannot fail.
        let _ = write!(self.line, "{name} ");
        value.write(&mut self.line);
        (self.to)(&self.line);
    }

    pub fn within(&mut self, name: impl Display, content: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let _ = write!(self.path, "{name}/");
        content(self);
        self.path.truncate(length);
    }

    pub fn under(&mut self, kind: &str, id: impl Display, content: impl FnOnce(&mut Self)) {
        self.within(kind, |lines| lines.within(id, content));
    }

    pub fn each<T>(&mut self, kind: &str, all: &[T], mut content: impl FnMut(&mut Self, &T)) {
        for (number, one) in (1..).zip(all) {
            self.under(kind, number as u64, |lines| content(lines, one));
        }
    }

    pub fn some<T>(&mut self, kind: &str, value: Option<&T>, content: impl FnOnce(&mut Self, &T)) {
        if let Some(value) = value {
            self.within(kind, |lines| content(lines, value));
        }
    }
}
/// A value that stands on one line.
pub(super) trait Leaf {
    /// Whether it is what a record that does not name it would mean.
    fn is_default(&self) -> bool {
        false
    }

    fn write(&self, line: &mut String);
}

/// Values that are written as they are shown, and their default.
macro_rules! shown {
    ($($type:ty $(, default $default:expr)?;)*) => {
        $(impl Leaf for $type {
            $(fn is_default(&self) -> bool {
                *self == $default
            })?

            fn write(&self, line: &mut String) {
                let _ = write!(line, "{self}");
            }
        })*
    };
}

shown! {
    u32, default 0;
    u64, default 0;
    i32, default 0;
    bool, default false;
    RecordId;
    TaskId;
    AgentId;
    Skill;
    Status;
    Stage;
    Role;
    Recipient;
}

/// Values that have a word.
macro_rules! words {
    ($($type:ty: $($variant:ident $word:literal),*;)*) => {
        $(impl Leaf for $type {
            fn write(&self, line: &mut String) {
                line.push_str(match self {
                    $(Self::$variant => $word,)*
                });
            }
        })*
    };
}

words! {
    Ending:
        Done "done", Failed "failed", Released "released", LeaseOver "lease_over",
        ProcessGone "process_gone", Cancelled "cancelled", Stuck "stuck", Reassigned "reassigned";
    FeedbackCause: Error "error", Check "check", Gate "gate", Conflict "conflict", Review "review",
        Hook "hook";
    Failure:
        Attempts "attempts", Quarantined "quarantined", GivenUp "given_up", Conflicts "conflicts",
        Parts "parts";
    Receipt: Delivered "delivered", Read "read";
}

impl Leaf for str {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    /// In quotes, with a backslash before quotes and backslashes, and line breaks as `\n`: one line, and never two
    /// texts alike.
    fn write(&self, line: &mut String) {
        line.push('"');
        for c in self.chars() {
            match c {
                '\n' => line.push_str("\\n"),
                '"' | '\\' => line.extend(['\\', c]),
                c => line.push(c),
            }
        }
        line.push('"');
    }
}

impl Leaf for String {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        self.as_str().write(line);
    }
}

impl Leaf for Text {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        match self {
            Self::Inline(text) => text.write(line),
            Self::Blob(long) => {
                let LongText { blob, size_bytes, head } = &**long;
                line.push_str("blob ");
                blob.write(line);
                let _ = write!(line, " {size_bytes} ");
                head.write(line);
            }
        }
    }
}

/// Something is not nothing: a limit of 0 is another thing than no limit.
impl<T: Leaf> Leaf for Option<T> {
    fn is_default(&self) -> bool {
        self.is_none()
    }

    fn write(&self, line: &mut String) {
        match self {
            Some(value) => value.write(line),
            None => line.push_str("none"),
        }
    }
}

impl<T: Leaf> Leaf for Vec<T> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, line: &mut String) {
        for (number, value) in self.iter().enumerate() {
            line.push_str(if number == 0 { "" } else { ", " });
            value.write(line);
        }
    }
}
