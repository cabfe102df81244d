//! A file without a name, to be read from its beginning: unlike a pipe it never keeps its writer waiting, whatever is read of it.

use std::fs::File;
use std::io::{self, Seek, Write};

/// One with this content. Linux has it in memory alone.
pub(crate) fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = nameless()?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn nameless() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    Ok(File::from(memfd_create("agent-team", MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn nameless() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("agent-team-{}", agent_team_log::unique_id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
