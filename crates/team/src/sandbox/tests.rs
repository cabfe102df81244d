//! What commands try to get out, in both sandboxes, by the programs that a system has.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::command::{CommandEnding, CommandOutcome, CommandSpec, Environment};

/// A machine in small: what is the user's, what is a project's, and a workspace in it.
struct Place {
    root: TempDir,
    sandbox: Sandbox,
}

/// What only commands outside may see.
const SECRET: &str = "sk-canary-4711";

impl Place {
    fn new(choice: SandboxChoice) -> Self {
        let root = TempDir::new().unwrap();
        let place = Self { root, sandbox: Sandbox::default() };
        for (name, text) in [
            ("home/.ssh/id", SECRET),
            ("home/.cargo/credentials.toml", SECRET),
            ("home/.cargo/config.toml", "plain"),
            ("project/.env", SECRET),
            ("project/.git/config", SECRET),
            ("project/.git/hooks/post-commit", SECRET),
            ("project/.git/objects/pack", "objects"),
            ("project/.agent-team/log.jsonl", SECRET),
            ("project/.agent-team/blobs/ab/cd", SECRET),
            ("project/.agent-team/split/list", "inputs"),
            ("project/.agent-team/workspaces/worker-2/file", SECRET),
            ("project/.agent-team/workspaces/worker-1/file", "mine"),
        ] {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // As if it were in the repository.
        std::os::unix::fs::symlink(place.path("home"), place.workspace().join("link")).unwrap();
        let sandbox = Sandbox::new(choice)
            .hiding(place.path("project/.agent-team"))
            .reading(place.path("project/.agent-team/split"))
            .hiding(place.path("project/.git"))
            .reading(place.path("project/.git/objects"));
        Self { sandbox, ..place }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn workspace(&self) -> PathBuf {
        self.path("project/.agent-team/workspaces/worker-1")
    }

    fn spec(&self, folder: &Path, script: &str) -> CommandSpec {
        let environment = Environment::default()
            .with("PATH", std::env::var_os("PATH").unwrap())
            .with("HOME", self.path("home"))
            .with("ROOT", self.root.path())
            .confined(self.sandbox.clone());
        CommandSpec { environment, ..CommandSpec::new(script, folder, self.path("output.txt")) }
    }

    async fn run_in(&self, folder: &Path, script: &str) -> CommandOutcome {
        self.spec(folder, script).run(&CancellationToken::new()).await.unwrap()
    }

    async fn run(&self, script: &str) -> CommandOutcome {
        self.run_in(&self.workspace(), script).await
    }

    /// Runs what must succeed, and says what it printed.
    async fn good(&self, script: &str) -> String {
        let outcome = self.run(script).await;
        assert!(outcome.succeeded(), "{script}: {} {}", outcome.ending, outcome.output.text);
        outcome.output.text
    }

    /// Runs what must fail, and print nothing that is secret.
    async fn bad(&self, script: &str) {
        let outcome = self.run(script).await;
        assert!(!outcome.succeeded(), "{script} went through: {}", outcome.output.text);
        assert!(!outcome.output.text.contains(SECRET), "{script}: {}", outcome.output.text);
    }
}

/// Each case in both sandboxes.
macro_rules! in_both {
    ($($(#[$attribute:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        mod cases {
            use super::*;
            $($(#[$attribute])* pub(super) async fn $name($place: Place) $body)*
        }
        mod by_bubblewrap_needs_bwrap {
            use super::*;
            $(#[tokio::test] async fn $name() { cases::$name(Place::new(SandboxChoice::Bubblewrap)).await; })*
        }
        mod by_landlock {
            use super::*;
            $(#[tokio::test] async fn $name() { cases::$name(Place::new(SandboxChoice::Landlock)).await; })*
        }
    };
}

in_both! {
    async fn ordinary_work_goes_on_in_the_workspace_with_a_home_and_temporary_files_of_its_own(place: Place) {
        place.good("echo text > new && mkdir d && mv new d/ && rm d/new && cat file && : > file").await;
        place.good("echo x > \"$HOME/x\" && echo x > \"$TMPDIR/x\" && mktemp && date > /dev/null").await;
        place.good("test -x /usr/bin/env && ls /etc/passwd && head -c 8 /dev/urandom | wc -c").await;
        let repository = "git init -q . && git add . && git -c user.name=a -c user.email=b commit -qm c && git log";
        place.good(repository).await;
        place.good(&format!("cat '{0}/project/.agent-team/split/list' '{0}/project/.git/objects/pack'", place.root.path().display())).await;
        let left: Vec<_> = fs::read_dir(place.root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }

    async fn what_is_the_users_is_not_read(place: Place) {
        for path in [
            "home/.ssh/id",
            "home/.cargo/credentials.toml",
            "project/.env",
            "project/.git/config",
            "project/.agent-team/log.jsonl",
            "project/.agent-team/blobs/ab/cd",
            "project/.agent-team/workspaces/worker-2/file",
            "project/.agent-team/workspaces/worker-1/../worker-2/file",
        ] {
            place.bad(&format!("cat \"$ROOT/{path}\"")).await;
            place.bad(&format!("exec < \"$ROOT/{path}\"; cat")).await;
            place.bad(&format!("ln \"$ROOT/{path}\" stolen && cat stolen")).await;
            place.bad(&format!("ln -s \"$ROOT/{path}\" stolen && cat stolen")).await;
            fs::remove_file(place.workspace().join("stolen")).unwrap();
        }
        place.bad("cat link/.ssh/id").await;
        place.bad("cat ../worker-2/file").await;
        place.bad("cat ~/.ssh/id").await;
        place.bad("ls -a \"$ROOT/home\" | grep ssh").await;
        assert_eq!(place.good("cat \"$CARGO_HOME/config.toml\"").await, "plain\n");
    }

    async fn what_not_everybody_may_read_of_the_system_is_not_read(place: Place) {
        place.bad("cat /etc/shadow").await;
        place.bad("cat /etc/gshadow").await;
    }

    async fn nothing_outside_is_changed(place: Place) {
        for script in [
            "echo x > \"$ROOT/home/.ssh/id\"",
            "echo x > \"$ROOT/home/new\"",
            "echo x > link/.profile",
            "truncate -s 0 \"$ROOT/project/.env\"",
            "rm -f \"$ROOT/project/.git/hooks/post-commit\"",
            "echo x > \"$ROOT/project/.git/hooks/pre-commit\"",
            "git config --file \"$ROOT/project/.git/config\" core.fsmonitor 'touch x'",
            "echo '* filter=x' > \"$ROOT/project/.git/info/attributes\"",
            "echo x > \"$ROOT/project/.git/objects/pack\"",
            "echo x >> \"$ROOT/project/.agent-team/log.jsonl\"",
            "echo x > \"$ROOT/project/.agent-team/split/list\"",
            "mv file \"$ROOT/project/file\"",
            "ln file \"$ROOT/project/file\"",
            "echo x > /etc/agent-team-test",
            "echo x > /usr/agent-team-test",
            "mknod device b 7 0",
        ] {
            let before = tree(place.root.path());
            place.run(&format!("{script} 2> /dev/null")).await;
            // A fresh folder of its own may take it, but nothing that is outside.
            let after = tree(place.root.path());
            assert_eq!(after, before, "{script}");
        }
        assert!(!Path::new("/etc/agent-team-test").exists() && !Path::new("/usr/agent-team-test").exists());
    }

    async fn temporary_files_of_others_are_not_seen(place: Place) {
        let other = tempfile::Builder::new().tempfile_in("/tmp").unwrap();
        fs::write(other.path(), SECRET).unwrap();
        place.bad(&format!("cat '{}'", other.path().display())).await;
        place.run(&format!("echo x > '{}'", other.path().display())).await;
        assert_eq!(fs::read_to_string(other.path()).unwrap(), SECRET);
    }

    async fn no_process_outside_leads_out(place: Place) {
        let outside = Outside::start();
        place.bad(&format!("cat /proc/{}/environ | tr '\\0' ' ' | grep canary", outside.id())).await;
        place.bad(&format!("cat /proc/{}/root\"$ROOT/home/.ssh/id\"", outside.id())).await;
        place.bad(&format!("cat /proc/{}/cwd/file", outside.id())).await;
        let script = "for id in /proc/[0-9]*; do cat $id/root$ROOT/home/.ssh/id $id/root/etc/shadow 2>/dev/null; done | grep .";
        place.bad(script).await;
        place.bad("cat /proc/self/root\"$ROOT/home/.ssh/id\" /proc/self/cwd/../worker-2/file | grep .").await;
        place.run(&format!("kill -9 {0}; kill -9 -{0}", outside.id())).await;
        assert!(outside.is_alive());
    }

    async fn descriptors_of_this_program_do_not_reach_a_command(place: Place) {
        let file = fs::File::open(place.path("home/.ssh/id")).unwrap();
        // Without this every program would close it by itself.
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        place.bad(&format!("cat <&{0} || cat /proc/self/fd/{0}", file.as_raw_fd())).await;
        let open = place.good("ls /proc/self/fd").await;
        assert_eq!(open, "0\n1\n2\n3\n", "and the one that `ls` opened");
    }

    async fn nothing_reaches_the_network_of_the_machine(place: Place) {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        for (kind, port) in [("tcp", tcp.local_addr().unwrap().port()), ("udp", udp.local_addr().unwrap().port())] {
            place.run(&format!("bash -c 'echo {SECRET} > /dev/{kind}/127.0.0.1/{port}'")).await;
        }
        assert!(tcp.accept().is_err() && udp.recv(&mut [0; 64]).is_err());
    }

    async fn sockets_of_the_machine_are_not_reached_needs_python3(place: Place) {
        let (path, datagrams) = (place.path("socket"), place.path("datagrams"));
        let listener = UnixListener::bind(&path).unwrap();
        let receiver = UnixDatagram::bind(&datagrams).unwrap();
        listener.set_nonblocking(true).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let script = format!(
            "python3 - <<'E'\nimport socket\nfor kind, path in [(socket.SOCK_STREAM, '{}'), (socket.SOCK_DGRAM, '{}')]:\n  \
             for make in [lambda: socket.socket(socket.AF_UNIX, kind), lambda: socket.socketpair(socket.AF_UNIX, kind)[0]]:\n    \
             for how in ['connect', 'sendto']:\n      try:\n        s = make()\n        \
             s.connect(path) if how == 'connect' else s.sendto(b'x', path)\n        s.send(b'x')\n      \
             except OSError as e: print(e)\nE",
            path.display(),
            datagrams.display()
        );
        place.good(&script).await;
        assert!(listener.accept().is_err() && receiver.recv(&mut [0; 64]).is_err());
    }

    async fn the_kernel_gives_no_keys_no_traces_and_no_rights_needs_python3(place: Place) {
        let outside = Outside::start();
        let script = format!(
            "python3 - <<'E'\nimport ctypes, fcntl, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n\
             failed = []\n\
             if libc.ptrace(16, {}, 0, 0) == 0: failed.append('ptrace')\n\
             if libc.syscall(250, 0, -3, 0, 0) >= 0: failed.append('keyctl')\n\
             try: fcntl.ioctl(1, 0x5412, b'x'); failed.append('TIOCSTI')\n\
             except OSError: pass\n\
             try: os.setuid(12345); failed.append('setuid')\n\
             except OSError: pass\n\
             try: os.chroot('/usr'); failed.append('chroot')\n\
             except OSError: pass\n\
             sys.exit(str(failed) if failed else 0)\nE",
            outside.id()
        );
        place.good(&script).await;
    }

    async fn a_bomb_of_processes_is_ended_and_nothing_of_it_is_left(wide: Place) {
        let place = Place { sandbox: wide.sandbox.clone().limited(Limits { processes: Some(60), memory_bytes: None }), ..wide };
        let outcome = place.run("f() { f & f & sleep 60; }; f").await;
        assert_eq!(outcome.ending, CommandEnding::ProcessLimit, "{}", outcome.output.text);
        nobody_works_in(&place.workspace()).await;
    }

    async fn who_takes_all_memory_is_ended(wide: Place) {
        let limits = Limits { processes: None, memory_bytes: Some(200 << 20) };
        let place = Place { sandbox: wide.sandbox.clone().limited(limits), ..wide };
        let outcome = place.run("head -c 1000000000 /dev/zero | tail | sleep 60").await;
        assert_eq!(outcome.ending, CommandEnding::MemoryLimit, "{}", outcome.output.text);
        nobody_works_in(&place.workspace()).await;
    }

    async fn a_daemon_that_hides_is_ended_with_its_command(place: Place) {
        let daemon = "(env -i setsid sh -c 'echo ready > ready; exec sleep 1000' > /dev/null 2>&1 < /dev/null &)";
        place.good(&format!("{daemon}; while ! test -s ready; do sleep 0.01; done")).await;
        nobody_works_in(&place.workspace()).await;
    }

    async fn a_signal_is_told_and_an_exit_code_too(place: Place) {
        assert_eq!(place.run("kill -11 $$").await.ending, CommandEnding::Killed(11));
        assert_eq!(place.run("exit 7").await.ending, CommandEnding::Exited(7));
    }

    async fn who_is_asked_to_end_has_time_for_it(place: Place) {
        let script = "trap 'sleep 0.1; echo cleaned up; exit 0' TERM; echo > ready; while :; do sleep 0.01; done";
        let (spec, stop) = (place.spec(&place.workspace(), script), CancellationToken::new());
        let (outcome, ()) = tokio::join!(spec.run(&stop), async {
            while !place.workspace().join("ready").exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            stop.cancel();
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.ending, CommandEnding::Stopped);
        assert!(outcome.output.text.ends_with("cleaned up\n"), "{}", outcome.output.text);
    }

    async fn a_check_in_the_projects_own_folder_sees_neither_the_log_nor_writes_to_the_repository(place: Place) {
        let project = place.path("project");
        for script in ["cat .agent-team/log.jsonl", "echo x > .git/hooks/post-commit", "echo x > .git/new"] {
            let outcome = place.run_in(&project, script).await;
            assert!(!outcome.succeeded() && !outcome.output.text.contains(SECRET), "{script}: {}", outcome.output.text);
        }
        fs::create_dir(project.join("src")).unwrap();
        for script in ["echo x > src/new && cat src/new", "cat .git/config", "echo '# more' >> .env", "ls"] {
            let outcome = place.run_in(&project, script).await;
            assert!(outcome.succeeded(), "{script}: {}", outcome.output.text);
        }
        assert_eq!(fs::read_to_string(place.path("project/.git/hooks/post-commit")).unwrap(), SECRET);
    }

    async fn what_a_program_starts_within_is_not_confined_once_more(place: Place) {
        let script = "test \"$AGENT_TEAM_CONFINED\" = 1 && grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' /proc/self/status";
        place.good(script).await;
    }

    async fn a_command_that_is_not_there_is_told_from_a_sandbox_that_fails(place: Place) {
        assert_eq!(place.run("agent-team-no-such-program").await.ending, CommandEnding::Exited(127));
    }
}

#[tokio::test]
async fn test_suites_talk_to_themselves_over_loopback_needs_bwrap_needs_python3() {
    let script = "python3 - <<'E'\nimport socket\nserver = socket.create_server(('127.0.0.1', 0))\n\
                  client = socket.create_connection(server.getsockname())\nclient.sendall(b'x')\nprint(server.accept()[0].recv(1))\nE";
    assert_eq!(Place::new(SandboxChoice::Bubblewrap).good(script).await, "b'x'\n");
}

/// Starts a program that leaves a trace, and says why it was not started.
fn start(made: Result<enclosure::Enclosure, SandboxError>) -> Result<(), String> {
    let mut made = made.map_err(|error| error.to_string())?;
    let output = made.command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[tokio::test]
async fn without_its_walls_a_program_is_not_started() {
    let place = Place::new(SandboxChoice::Auto);
    let (workspace, trace) = (place.workspace(), place.workspace().join("trace"));
    let environment = place.spec(&workspace, "").environment;
    let arguments = ["-c".as_ref(), ": > trace".as_ref()];
    let enclose =
        |found: &Found| place.sandbox.enclose_in(found, "sh".as_ref(), &arguments, &workspace, &environment);
    // Bubblewrap went after it was chosen; or it is there, and fails.
    assert!(
        start(enclose(&Found::Bubblewrap("/nowhere/bwrap".into()))).unwrap_err().contains("No such file")
    );
    assert!(start(enclose(&Found::Bubblewrap("/bin/false".into()))).is_err());
    // The rules are no rules; the kernel takes no filter.
    for break_it in [break_rules, break_filters] {
        let mut command = Command::new("sh");
        command.args(arguments).current_dir(&workspace);
        let policy = place.sandbox.policy(&workspace, &|_| None);
        let rules = landlock::rules(&policy).unwrap();
        let filters = seccomp::instead_of_namespaces().unwrap();
        let mut walls = child::Walls { rules, filters, mark: 1 << 62 };
        break_it(&mut walls);
        child::Child { keep: Vec::new(), processes: None, walls: Some(walls) }.prepare(&mut command);
        assert!(command.output().is_err());
    }
    assert!(!trace.exists());
    assert_eq!(start(enclose(&Found::Unconfined)), Ok(()));
    assert!(trace.exists(), "so it would have left a trace");
}

fn break_rules(walls: &mut child::Walls) {
    walls.rules = fs::File::open("/dev/null").unwrap().into();
}

fn break_filters(walls: &mut child::Walls) {
    walls.filters = vec![Vec::new()];
}

#[tokio::test]
async fn a_sandbox_that_fails_under_way_is_an_error_and_no_outcome() {
    let place = Place::new(SandboxChoice::Bubblewrap);
    let spec = place.spec(&place.path("project/nowhere"), "true");
    let error = spec.run(&CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

/// A process that has nothing to do with commands.
struct Outside(Child);

impl Outside {
    fn start() -> Self {
        let child = Command::new("sleep").arg("1000").env("KEY", SECRET).spawn().unwrap();
        Self(child)
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until those who were killed are gone: it takes a moment to give back a lot of memory.
async fn nobody_works_in(folder: &Path) {
    let gone = async {
        while working_in(folder) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), gone).await.expect("somebody is still there");
}

/// How many processes stand in a folder.
fn working_in(folder: &Path) -> usize {
    let ids = fs::read_dir("/proc").unwrap().flatten();
    let folders = ids.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
    folders.filter(|at| at.ends_with(folder.strip_prefix("/").unwrap())).count()
}

/// All files of a folder with their texts, but for those of the workspace and the output.
fn tree(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.ends_with("worker-1") || path.ends_with("output.txt") {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(tree(&path)),
            false => found.push((path.clone(), fs::read_to_string(&path).unwrap_or_default())),
        }
    }
    found.sort();
    found
}
