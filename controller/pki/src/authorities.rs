//! The authorities that there are at a time, and how one takes over from another.
//!
//! The life of an authority, with `a` its own and `c` that of credentials:
//!
//! ```text
//! 0              c                      a/2            a/2 + c            a/2 + 2c          a
//! | trusted, not | trusted, signs                      | trusted only     | forgotten
//!   yet signing                         | its successor is announced, ...
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::PkiError;
use crate::authority::Authority;

/// What the certificates are kept under, the oldest first.
pub const AUTHORITIES_FILE: &str = "ca.crt";
/// What their keys are kept under, in the same order.
pub const AUTHORITY_KEYS_FILE: &str = "ca.key";

/// How long certificates live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Authorities; much longer than credentials.
    pub authority: Duration,
    /// What they sign.
    pub credentials: Duration,
}

impl Default for Lifetimes {
    /// 90 days and a day.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self { authority: 90 * DAY, credentials: DAY }
    }
}

/// All authorities that are trusted, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    all: Vec<Authority>,
    pub(crate) lifetimes: Lifetimes,
}

impl Authorities {
    /// The first one.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(now: SystemTime, lifetimes: Lifetimes) -> Result<Self, PkiError> {
        Ok(Self { all: vec![Authority::create(now, lifetimes.authority)?], lifetimes })
    }

    /// Those that were kept as the data of a Secret.
    ///
    /// # Errors
    /// The data are not what [`Authorities::data`] gave.
    pub fn read(data: &BTreeMap<String, Vec<u8>>, lifetimes: Lifetimes) -> Result<Self, PkiError> {
        let certificates = blocks(data, AUTHORITIES_FILE)?;
        let keys = blocks(data, AUTHORITY_KEYS_FILE)?;
        if certificates.is_empty() || certificates.len() != keys.len() {
            let reason = format!("has {} keys for {} certificates", keys.len(), certificates.len());
            return Err(PkiError::Unreadable { file: AUTHORITY_KEYS_FILE, reason });
        }
        let pairs = certificates.iter().zip(&keys);
        let all: Result<Vec<Authority>, PkiError> =
            pairs.map(|(certificate, key)| Authority::read(certificate, key)).collect();
        Ok(Self { all: all?, lifetimes })
    }

    /// What is to be kept as the data of a Secret.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, Vec<u8>> {
        let keys: String = self.all.iter().map(|authority| authority.key.as_str()).collect();
        [(AUTHORITIES_FILE, self.bundle()), (AUTHORITY_KEYS_FILE, keys)]
            .map(|(file, text)| (file.to_owned(), text.into_bytes()))
            .into()
    }

    /// The certificates of all of them, PEM.
    #[must_use]
    pub fn bundle(&self) -> String {
        self.all.iter().map(|authority| authority.certificate.as_str()).collect()
    }

    /// Those that there should be from now on, where that are others: keep them before anything is issued by them.
    ///
    /// # Errors
    /// A new one cannot be made.
    pub fn rotated(&self, now: SystemTime) -> Result<Option<Self>, PkiError> {
        let mut all: Vec<Authority> = self.needed(now).cloned().collect();
        let fresh = all.last().is_some_and(|newest| now < newest.validity.half());
        if !fresh {
            all.push(Authority::create(now, self.lifetimes.authority)?);
        }
        Ok((all != self.all).then_some(Self { all, lifetimes: self.lifetimes }))
    }

    /// Those that something valid may be signed by, or will be.
    fn needed(&self, now: SystemTime) -> impl Iterator<Item = &Authority> {
        let successors = self.all.iter().skip(1).map(Some).chain([None]);
        let needed = move |authority: &Authority, successor: Option<&Authority>| {
            let replaced = successor.map(|next| self.signs_from(next) + self.lifetimes.credentials);
            now <= authority.validity.not_after && replaced.is_none_or(|replaced| now < replaced)
        };
        let pairs = self.all.iter().zip(successors);
        pairs
            .filter(move |(authority, successor)| needed(authority, *successor))
            .map(|(authority, _)| authority)
    }

    fn signs_from(&self, authority: &Authority) -> SystemTime {
        authority.validity.issued() + self.lifetimes.credentials
    }

    /// The newest one that everybody can have heard of, or else the oldest.
    pub(crate) fn signer(&self, now: SystemTime) -> Result<&Authority, PkiError> {
        let valid = || self.all.iter().filter(|authority| now <= authority.validity.not_after);
        let announced = valid().rfind(|authority| self.signs_from(authority) <= now);
        announced.or_else(|| valid().next()).ok_or(PkiError::NoAuthority)
    }
}

/// The PEM blocks of a file, each with its line ends.
fn blocks(data: &BTreeMap<String, Vec<u8>>, file: &'static str) -> Result<Vec<String>, PkiError> {
    let unreadable = |reason: &str| PkiError::Unreadable { file, reason: reason.to_owned() };
    let bytes = data.get(file).ok_or_else(|| unreadable("is missing"))?;
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable("is no text"))?;
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        block.push_str(line);
        block.push('\n');
        if line.starts_with("-----END ") {
            blocks.push(std::mem::take(&mut block));
        }
    }
    if block.is_empty() { Ok(blocks) } else { Err(unreadable("does not end as PEM does")) }
}

#[cfg(test)]
#[path = "authorities_tests.rs"]
mod tests;
