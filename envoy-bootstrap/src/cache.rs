//! The folder for what is fetched, shared by all processes of a user.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::CACHE_VARIABLE;

/// The cache folder of this process's user; `None` where no environment variable names one.
pub fn cache_folder() -> Option<PathBuf> {
    folder(|name| std::env::var_os(name))
}

/// The cache folder that these environment variables name.
pub(crate) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("ferrule")))
        .or_else(|| Some(set("HOME")?.join(".cache/ferrule")))
}

/// A lock held by one process at a time until it is dropped.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock `name` of the cache `folder`, which is made where it is missing.
    pub(crate) fn wait(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(format!("{name}.lock")))?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_names_the_folder() {
        let with = |set: &'static [(&str, &str)]| {
            folder(move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("HOME", "/h")]), Some("/h/.cache/ferrule".into()));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Some("/x/ferrule".into()));
        assert_eq!(with(&[("FERRULE_CACHE", "/f"), ("XDG_CACHE_HOME", "/x")]), Some("/f".into()));
        assert_eq!(with(&[("FERRULE_CACHE", ""), ("HOME", "/h")]), Some("/h/.cache/ferrule".into()));
    }
}
