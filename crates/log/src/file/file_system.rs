//! Refuses file systems on which appends of several machines overwrite each other.

use std::fs::File;
use std::path::Path;

use super::OpenError;

/// What a user should know about the file system that holds a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileSystemWarning {
    /// A file system in user space: what is behind it, and whether it appends atomically, cannot be seen.
    #[error(
        "the log lies on a FUSE file system; if a network is behind it, records of several machines can be lost"
    )]
    Fuse,
}

/// Fails on a known network file system, and warns of one that may be.
#[cfg(target_os = "linux")]
pub(super) fn check(file: &File, path: &Path) -> Result<Option<FileSystemWarning>, OpenError> {
    let statistics = rustix::fs::fstatfs(file)
        .map_err(|error| OpenError::Io { path: path.to_owned(), source: error.into() })?;
    // The field's type differs between architectures; magic numbers are 32 bits on all of them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only 32 bits are used")]
    match judge(statistics.f_type as u32) {
        Verdict::Local => Ok(None),
        Verdict::Unclear => Ok(Some(FileSystemWarning::Fuse)),
        Verdict::Network(file_system) => {
            Err(OpenError::NetworkFileSystem { path: path.to_owned(), file_system })
        }
    }
}

/// Elsewhere the file system is not asked; macOS numbers them differently.
#[cfg(not(target_os = "linux"))]
pub(super) fn check(_: &File, _: &Path) -> Result<Option<FileSystemWarning>, OpenError> {
    Ok(None)
}

#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Local,
    Unclear,
    Network(&'static str),
}

/// Judges the magic numbers of `statfs(2)`.
#[cfg(target_os = "linux")]
fn judge(magic: u32) -> Verdict {
    match magic {
        0x6969 => Verdict::Network("NFS"),
        0xFF53_4D42 => Verdict::Network("CIFS"),
        0xFE53_4D42 => Verdict::Network("SMB2"),
        0x0102_1997 => Verdict::Network("9p"),
        0x6573_5546 => Verdict::Unclear,
        _ => Verdict::Local,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_by_name_and_fuse_is_unclear() {
        assert_eq!(judge(0x6969), Verdict::Network("NFS"));
        assert_eq!(judge(0xFF53_4D42), Verdict::Network("CIFS"));
        assert_eq!(judge(0xFE53_4D42), Verdict::Network("SMB2"));
        assert_eq!(judge(0x0102_1997), Verdict::Network("9p"));
        assert_eq!(judge(0x6573_5546), Verdict::Unclear);
        assert_eq!(judge(0xEF53), Verdict::Local, "ext4");
    }
}
