//! The terminal while the view has it, and how it gets back what it was: whatever ends the view, a panic too.

use std::io::{self, BufWriter, Stdout, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::draw::draw;
use super::screen::Screen;

/// How much of a frame is gathered before it is written, in bytes: nearly always all of it.
const FRAME_BYTES: usize = 256 << 10;

/// Whether a view has the terminal.
static HAS_IT: AtomicBool = AtomicBool::new(false);

/// What panics said while it did.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The terminal, in the view's hands.
pub struct Held {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Held {
    /// Takes the terminal.
    pub fn take(title: &str) -> io::Result<Self> {
        keep_panics();
        enable_raw_mode()?;
        HAS_IT.store(true, Ordering::SeqCst);
        let entered = execute!(
            stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste,
            SetTitle(title)
        );
        let backend = CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, stdout()));
        match entered.and_then(|()| Terminal::new(backend)) {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws the screen: what has changed of it, in one piece.
    pub fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| {
            let area = frame.area();
            if let Some(cursor) = draw(screen, area, frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.terminal.backend_mut().flush()
    }

    /// Draws everything anew the next time: something else may have written on the screen.
    pub fn forget(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What was drawn and not written yet shall not be written on the terminal as it was.
        let _ = self.terminal.backend_mut().flush();
        give_back();
    }
}

/// Gives the terminal back as it was, and then says what was not said on top of the view.
fn give_back() {
    if !HAS_IT.swap(false, Ordering::SeqCst) {
        return;
    }
    // A terminal that is gone needs nothing.
    let _ = execute!(stdout(), EndSynchronizedUpdate, DisableBracketedPaste, DisableMouseCapture);
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    for panic in std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner)) {
        let _ = writeln!(stderr(), "{panic}");
    }
}

/// What a panic says is read once the terminal is as it was: one that ends the view drops what holds it, and one of an agent's
/// ends nothing.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match HAS_IT.load(Ordering::SeqCst) {
            true => PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string()),
            false => before(panic),
        }));
    });
}
