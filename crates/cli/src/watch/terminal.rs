//! The terminal while the view has it, and how it gets back what it was: whatever ends the view, a panic too.

use std::io::{self, BufWriter, Stdout, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
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
    terminal: Screens,
}

/// What is on the terminal, and what shall be.
type Screens = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

fn new_terminal() -> io::Result<Screens> {
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, stdout())))
}

impl Held {
    /// Takes the terminal.
    pub fn take(title: &str) -> io::Result<Self> {
        keep_panics();
        let entered = enter().and_then(|()| execute!(stdout(), SetTitle(title)));
        match entered.and_then(|()| new_terminal()) {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Takes it once more, after somebody else had it.
    pub fn take_again(&mut self) -> io::Result<()> {
        // It is not as it was left, whatever is remembered of it.
        disable_raw_mode()?;
        enter()?;
        self.forget()
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
        // ratatui's own way asks the terminal where its cursor is, and waits for the answer that comes among the keys.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = new_terminal()?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What was drawn and not written yet shall not be written on the terminal as it was.
        let _ = self.terminal.backend_mut().flush();
        give_back();
    }
}

/// Makes the terminal what the view needs.
fn enter() -> io::Result<()> {
    HAS_IT.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste)
}

/// Gives the terminal back as it was, and then says what was not said on top of the view.
pub fn give_back() {
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
