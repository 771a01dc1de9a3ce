//! Signs requests to AWS services by Signature Version 4, with credentials that may change at any time.
//!
//! Invariants:
//! - No clock, no IO, no host: time and secrets are arguments.
//! - A secret key or session token is in no `Debug` output and in no error, and its memory is wiped when it goes.
//! - Only fields that the caller names are signed, besides those that the signature itself brings.

mod civil;
mod credentials;
mod identity;
mod payload;
mod signer;
mod uri;

pub use civil::Civil;
pub use credentials::{Credentials, CredentialsError};
pub use identity::{
    CredentialsConfig, Identity, IdentityError, SecretConfig, SecretText, StaticConfig, WrittenWrong,
};
pub use payload::{Payload, Sha256Hex};
pub use signer::{Request, Signature, Signer};
pub use uri::{canonical_path, canonical_query, decoded_parameter, encode, encode_into, single_encoded_path};
