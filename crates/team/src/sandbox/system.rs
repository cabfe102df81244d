//! What commands need of the system, and which of it is nobody's business: programs and libraries, the settings that
//! everybody may read, and the toolchains of the user. Not the user's home.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::policy::Access;

/// Programs, libraries and what these read of the machine. `/etc` comes in parts.
const READ: [&str; 16] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/gnu",
    "/home/linuxbrew/.linuxbrew",
    "/run/current-system",
    "/etc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
];

/// What lies beside a folder of programs, and belongs to them.
const BESIDE_PROGRAMS: [&str; 4] = ["lib", "lib64", "libexec", "include"];

/// Files of cargo's folder that hold keys.
const CARGO_KEYS: [&str; 2] = ["credentials.toml", "credentials"];

/// What every command needs, and what is hidden within it. Found out once: walking through `/etc` takes a while.
pub(super) fn needed() -> &'static [(PathBuf, Access)] {
    static NEEDED: OnceLock<Vec<(PathBuf, Access)>> = OnceLock::new();
    NEEDED.get_or_init(|| {
        let mut needed: Vec<(PathBuf, Access)> =
            READ.iter().map(|path| (path.into(), Access::Read)).collect();
        add_secrets(Path::new("/etc"), &mut needed);
        if let Ok(program) = env::current_exe() {
            // Checks that `split` made call it.
            needed.push((program, Access::Read));
        }
        needed
    })
}

/// What not everybody may read is a secret, also where this user may.
fn add_secrets(folder: &Path, found: &mut Vec<(PathBuf, Access)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(known)) = (entry.path(), entry.metadata()) else { continue };
        let mode = known.permissions().mode();
        if known.is_symlink() {
            continue;
        }
        let everybody = if known.is_dir() { 0o005 } else { 0o004 };
        if mode & everybody != everybody {
            found.push((path, Access::Hidden));
        } else if known.is_dir() {
            add_secrets(&path, found);
        }
    }
}

/// The toolchains that `PATH`, `CARGO_HOME`, `RUSTUP_HOME` and `HOME` lead to, without keys.
pub(super) fn toolchains(variables: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<(PathBuf, Access)> {
    let mut found = Vec::new();
    let paths = variables("PATH").unwrap_or_default();
    for folder in env::split_paths(&paths).filter(|folder| folder.is_absolute() && folder.parent().is_some())
    {
        if folder.ends_with("bin")
            && let Some(prefix) = folder.parent()
        {
            found.extend(BESIDE_PROGRAMS.map(|name| (prefix.join(name), Access::Read)));
        }
        found.push((folder, Access::Read));
    }
    let [cargo, rustup] = rust_homes(variables);
    if let Some(cargo) = cargo {
        found.extend(CARGO_KEYS.map(|name| (cargo.join(name), Access::Hidden)));
        found.push((cargo, Access::Read));
    }
    found.extend(rustup.map(|rustup| (rustup, Access::Read)));
    found
}

/// Where cargo and rustup keep what they need, as long as `HOME` is the user's.
pub(super) fn rust_homes(variables: &dyn Fn(&str) -> Option<PathBuf>) -> [Option<PathBuf>; 2] {
    [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")].map(|(variable, name)| {
        let folder = variables(variable).or_else(|| Some(variables("HOME")?.join(name)));
        folder.filter(|folder| folder.is_absolute() && folder.is_dir())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_not_everybody_may_read_is_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "text").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        make("open", 0o644);
        make("open.d/open", 0o644);
        let secret = make("shadow", 0o640);
        let deep = make("open.d/key", 0o600);
        make("private/open", 0o644);
        let private = folder.path().join("private");
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
        let mut found = Vec::new();
        add_secrets(folder.path(), &mut found);
        found.sort();
        let mut expected = [secret, deep, private].map(|path| (path, Access::Hidden));
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_toolchain_is_what_belongs_to_the_folders_of_programs() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        fs::create_dir(home.join(".cargo")).unwrap();
        let variables = |name: &str| match name {
            "PATH" => Some(format!("{0}/node/bin:relative/bin:/:{0}/scripts", home.display()).into()),
            "HOME" => Some(home.to_owned()),
            _ => None,
        };
        let found = toolchains(&variables);
        let named: Vec<&Path> =
            found.iter().filter(|(_, access)| *access == Access::Read).map(|(path, _)| &**path).collect();
        assert!(named.contains(&&*home.join("node/bin")) && named.contains(&&*home.join("node/lib")));
        assert!(named.contains(&&*home.join("scripts")) && named.contains(&&*home.join(".cargo")));
        assert!(!named.contains(&home) && !named.contains(&Path::new("/")));
        assert!(found.contains(&(home.join(".cargo/credentials.toml"), Access::Hidden)));
    }
}
