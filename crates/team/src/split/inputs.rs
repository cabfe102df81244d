//! Which inputs a suite has: files, folders, names, and lists of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// The inputs that are meant, each once and in the order in which they were named.
///
/// What is a folder stands for the files in it and below, by name, without hidden ones. What is no file in `folder`,
/// but one in `base`, becomes that path. Everything else is taken as it is: a file, or the name of a test.
///
/// # Errors
/// When a folder cannot be read, or a name cannot stand in a list: it is no UTF-8, or has a line break.
pub fn collect(named: &[String], folder: &Path, base: Option<&Path>) -> Result<Vec<String>, Error> {
    let mut inputs = Vec::new();
    for name in named {
        let mut name = name.clone();
        let elsewhere = base.map(|base| base.join(&name)).filter(|path| path.exists());
        if let Some(path) = elsewhere.filter(|_| !folder.join(&name).exists()) {
            name = utf8(&path)?;
        }
        if folder.join(&name).is_dir() {
            let mut files = Vec::new();
            walk(&folder.join(&name), Path::new(&name), &mut files)?;
            files.sort();
            let files: Result<Vec<String>, Error> = files.iter().map(|file| utf8(file)).collect();
            inputs.extend(files?);
        } else {
            inputs.push(name);
        }
    }
    if let Some(input) = inputs.iter().find(|input| input.contains(['\n', '\r']) || input.is_empty()) {
        let name = input.escape_debug();
        return Err(Error::Input(format!(
            "the input `{name}` is empty or has a line break: lists have one input per line"
        )));
    }
    let mut seen = BTreeSet::new();
    inputs.retain(|input| seen.insert(input.clone()));
    Ok(inputs)
}

/// The inputs of a list: one per line, without empty lines.
pub fn parse_list(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Writes a list, with the folder for it.
///
/// # Errors
/// When the system refuses.
pub fn write_list(path: &Path, inputs: &[String]) -> Result<(), Error> {
    let text: String = inputs.iter().map(|input| format!("{input}\n")).collect();
    write(path, text.as_bytes())
}

/// Writes a file, with the folder for it. A reader sees the old one or the new one, never half of it.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let broken = |source| Error::io("write", path, source);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(broken)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(name);
    fs::write(&new, content).and_then(|()| fs::rename(&new, path)).map_err(broken)
}

/// The files below `folder`, each by its path from `name`. Links to folders are not followed: they may lead in circles.
fn walk(folder: &Path, name: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let broken = |source| Error::io("read", folder, source);
    for entry in fs::read_dir(folder).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        if entry.file_type().map_err(broken)?.is_dir() {
            walk(&path, &name, files)?;
        } else if path.is_file() {
            files.push(name);
        }
    }
    Ok(())
}

fn utf8(path: &Path) -> Result<String, Error> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Input(format!("the name of {} is no UTF-8; rename the file", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_folder_stands_for_its_files_and_everything_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["t/b.c", "t/a.c", "t/sub/c.c", "t/.hidden", "t/.git/x", "one.c"] {
            write(&folder.path().join(file), b"").unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("t"), folder.path().join("t/circle")).unwrap();
        let inputs = collect(&texts(&["one.c", "t", "t/a.c", "test_name"]), folder.path(), None).unwrap();
        assert_eq!(inputs, ["one.c", "t/a.c", "t/b.c", "t/sub/c.c", "test_name"]);
    }

    #[test]
    fn what_is_not_here_is_looked_for_in_the_base() {
        let (here, base) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&here.path().join("both"), b"").unwrap();
        for file in ["both", "there"] {
            write(&base.path().join(file), b"").unwrap();
        }
        let inputs = collect(&texts(&["both", "there", "name"]), here.path(), Some(base.path())).unwrap();
        assert_eq!(inputs, ["both", base.path().join("there").to_str().unwrap(), "name"]);
    }

    #[test]
    fn what_cannot_stand_in_a_list_is_refused() {
        for name in ["a\nb", ""] {
            assert!(collect(&texts(&[name]), Path::new("/"), None).is_err(), "{name:?}");
        }
        assert_eq!(parse_list("a\n\nb c\n"), ["a", "b c"]);
    }
}
