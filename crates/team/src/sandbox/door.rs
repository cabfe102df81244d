//! The one way out of a network namespace: a port on the command's own loopback, behind which this process answers.
//!
//! A command in the sandbox has a network that leads nowhere. Who opens a door for it has a socket made there that
//! listens, before the command begins, and handed out: so whoever connects to it inside talks with this process outside,
//! and no packet ever leaves. What is answered there is the caller's concern.

use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// Where a command finds the door: the port that proxies have had for long. It is the only one of its loopback that
/// somebody outside listens to.
const PORT: u16 = 3128;
/// How long after a failure it is listened again.
const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// The argument by which the keeper knows what it is to do.
const VERB: &str = "doorway";

/// Answers those who come through a door.
pub trait Answer: Send + Sync {
    /// Takes a connection. Must not block.
    fn answer(&self, connection: TcpStream);
}

/// A door for commands: who answers there, and the program that makes the socket inside.
#[derive(Clone)]
pub struct Door {
    keeper: PathBuf,
    answer: Arc<dyn Answer>,
    variables: Vec<(&'static str, String)>,
}

impl Door {
    /// A door behind which somebody answers. `keeper` is a program whose `doorway` calls [`keep`]: the command `agent-team`.
    pub fn new(keeper: impl Into<PathBuf>, answer: Arc<dyn Answer>) -> Self {
        Self { keeper: keeper.into(), answer, variables: Vec::new() }
    }

    /// With a variable by which programs know of it.
    #[must_use]
    pub fn known_by(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The variables by which programs know of it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Where a command finds it.
    pub fn address() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, PORT).into()
    }

    /// The program that makes the socket. The command must see it.
    pub(super) fn keeper(&self) -> &Path {
        &self.keeper
    }

    /// The two ends of what the socket is handed out by: ours, and the command's.
    pub(super) fn ends(&self) -> io::Result<(Opening, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Opening { handed_out: ours, answer: self.answer.clone() }, theirs.into()))
    }

    /// What stands before the program and its arguments, so that the socket is there before it begins.
    pub(super) fn words(end: &OwnedFd) -> [String; 3] {
        [VERB.to_owned(), end.as_raw_fd().to_string(), "--".to_owned()]
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Door").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

impl PartialEq for Door {
    fn eq(&self, other: &Self) -> bool {
        self.keeper == other.keeper
            && self.variables == other.variables
            && Arc::ptr_eq(&self.answer, &other.answer)
    }
}

impl Eq for Door {}

/// A door that is being opened.
pub(crate) struct Opening {
    handed_out: UnixStream,
    answer: Arc<dyn Answer>,
}

impl Opening {
    /// Answers at it, until the handle is dropped. Wants a runtime.
    pub fn open(self) -> io::Result<AbortOnDropHandle<()>> {
        let handed_out = tokio::net::UnixStream::from_std(self.handed_out)?;
        let answering = async move {
            // A command that ends before it has begun hands nothing out, and has nobody to be answered.
            if let Ok(listener) = taken(&handed_out).await {
                answer_all(&listener, self.answer.as_ref()).await;
            }
        };
        Ok(AbortOnDropHandle::new(tokio::spawn(answering)))
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// Answers all that come to a socket of this process: what a door is where there is no sandbox.
pub(crate) async fn answer_all(listener: &tokio::net::TcpListener, answer: &dyn Answer) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => answer.answer(connection),
            // Whoever went away again is not missed; with no descriptor left the next one may find one.
            Err(_) => tokio::time::sleep(AFTER_FAILURE).await,
        }
    }
}

async fn taken(handed_out: &tokio::net::UnixStream) -> io::Result<tokio::net::TcpListener> {
    loop {
        handed_out.readable().await?;
        match handed_out.try_io(tokio::io::Interest::READABLE, || receive(handed_out)) {
            Ok(socket) => {
                let listener = TcpListener::from(socket);
                listener.set_nonblocking(true)?;
                return tokio::net::TcpListener::from_std(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is received is closed in every program that this process starts. Only Linux has doors to be kept.
#[cfg(target_os = "linux")]
const NOT_FOR_CHILDREN: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const NOT_FOR_CHILDREN: RecvFlags = RecvFlags::empty();

fn receive(from: &tokio::net::UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut buffer, NOT_FOR_CHILDREN)?;
    let mut sockets = buffer.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    sockets.next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Makes the socket of a door, hands it out by a descriptor that this process was started with, and becomes the program. Only
/// returns what went wrong. For a process that has one thread.
pub fn keep(descriptor: RawFd, program: &OsStr, arguments: &[impl AsRef<OsStr>]) -> io::Error {
    match make(descriptor) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}

fn make(descriptor: RawFd) -> io::Result<()> {
    let listener = TcpListener::bind(Door::address())?;
    let end = owned(descriptor)?;
    let sockets: [BorrowedFd<'_>; 1] = [std::os::fd::AsFd::as_fd(&listener)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    buffer.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg(&end, &[IoSlice::new(&[0])], &mut buffer, SendFlags::empty())?;
    Ok(())
}

#[expect(unsafe_code, reason = "the descriptor is known by its number alone")]
fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the call takes integers, and says whether anything is open there.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and was handed to this process for this alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
