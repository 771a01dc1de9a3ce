//! Certificates that the controller issues for xDS: its own authority, server and proxies.
//!
//! Invariants:
//! - No IO and no clock: `now` is an argument. Only keys and serial numbers are random.
//! - A proxy that has its Secret of the last credentials' life trusts the server, and the server trusts it: an authority
//!   signs nothing until it has been announced for that long, and is trusted until all that it signed has run out.
//! - Private keys show in no `Debug` and in no error.

mod authorities;
mod authority;
mod credentials;
mod identity;
mod validity;

pub use authorities::{AUTHORITIES_FILE, AUTHORITY_KEYS_FILE, Authorities, Lifetimes};
pub use credentials::{AUTHORITY_FILE, CERTIFICATE_FILE, Credentials, KEY_FILE, Renewal};
pub use identity::{Denied, authorize, gateway_uri};
pub use validity::Validity;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// What is kept is not what this crate wrote.
    #[error("{file}: {reason}")]
    Unreadable {
        /// Which of the files.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A key or a certificate could not be made.
    #[error("making a {what}: {source}")]
    Making {
        /// What was to be made.
        what: &'static str,
        /// Why it was not.
        source: rcgen::Error,
    },
    /// Nothing can be signed for that name.
    #[error("{name:?} cannot be in a certificate: {source}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// There is no authority that could sign.
    #[error("no authority is left; rotate them first")]
    NoAuthority,
}
