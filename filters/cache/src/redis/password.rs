//! The password, as streams have read it from their proxy's secrets.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The password, and how often it was another one.
#[derive(Default)]
pub(super) struct Password(Mutex<(u64, Option<String>)>);

/// Shows nothing.
impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
}

impl Password {
    /// Takes it as it is now. A line's end that a file has is no part of it.
    pub(super) fn set(&self, password: &[u8]) {
        let password = String::from_utf8_lossy(password);
        let password = password.trim_end_matches(['\r', '\n']);
        let mut state = self.lock();
        if state.1.as_deref() != Some(password) {
            *state = (state.0 + 1, Some(password.to_owned()));
        }
    }

    /// Which one it is.
    pub(super) fn version(&self) -> u64 {
        self.lock().0
    }

    /// It, and which one it is.
    pub(super) fn get(&self) -> (u64, Option<String>) {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Option<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_is_another_version_and_none_is_shown() {
        let password = Password::default();
        assert_eq!(password.get(), (0, None));
        password.set(b"a\n");
        password.set(b"a");
        assert_eq!(password.get(), (1, Some("a".to_owned())));
        password.set(b"b");
        assert_eq!(password.version(), 2);
        assert_eq!(format!("{password:?}"), "Password");
    }
}
