//! What is wrong with an object, and which condition says so.

use crate::object::ObjectRef;

/// How much a problem breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is broken, but the author will want to know.
    Warning,
    /// What the problem is about does not work.
    Error,
}

/// Why a condition is as it is. The words are those of Gateway API or, where it has none, kgateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Reason {
    UnsupportedProtocol,
    PortUnavailable,
    HostnameConflict,
    ProtocolConflict,
    NotAllowed,
    InvalidRouteKinds,
    InvalidCertificateRef,
    InvalidCACertificateRef,
    InvalidCACertificateKind,
    NoValidCACertificate,
    InvalidClientCertificateRef,
    InvalidListener,
    InvalidListenerFilter,
    InvalidListenerFilterRef,
    NoMatchingParent,
    NotAllowedByListeners,
    NoMatchingListenerHostname,
    UnsupportedValue,
    RefNotPermitted,
    InvalidKind,
    BackendNotFound,
    InvalidBackend,
    CredentialsNotReady,
    CredentialsPending,
    Invalid,
    Conflicted,
    TargetNotFound,
    Shadowed,
    InvalidParameters,
    UnsupportedAddress,
    AddressNotAssigned,
    AddressNotUsable,
    FilterNotFound,
    UnsupportedAppProtocol,
    ParentNotFound,
    RejectedByProxy,
}

impl Reason {
    /// Condition type that carries this reason; `None` for what shows in messages only.
    pub fn condition(self) -> Option<&'static str> {
        match self {
            Self::UnsupportedProtocol
            | Self::PortUnavailable
            | Self::NoValidCACertificate
            | Self::InvalidListener
            | Self::InvalidListenerFilter
            | Self::NotAllowed
            | Self::NoMatchingParent
            | Self::NotAllowedByListeners
            | Self::NoMatchingListenerHostname
            | Self::UnsupportedValue
            | Self::Invalid
            | Self::Conflicted
            | Self::TargetNotFound
            | Self::InvalidBackend
            | Self::CredentialsNotReady
            | Self::CredentialsPending
            | Self::InvalidParameters
            | Self::UnsupportedAddress => Some("Accepted"),
            Self::HostnameConflict | Self::ProtocolConflict => Some("Conflicted"),
            Self::InvalidRouteKinds
            | Self::InvalidCertificateRef
            | Self::InvalidCACertificateRef
            | Self::InvalidCACertificateKind
            | Self::InvalidClientCertificateRef
            | Self::InvalidListenerFilterRef
            | Self::RefNotPermitted
            | Self::InvalidKind
            | Self::BackendNotFound
            | Self::FilterNotFound
            | Self::UnsupportedAppProtocol => Some("ResolvedRefs"),
            Self::RejectedByProxy | Self::AddressNotAssigned | Self::AddressNotUsable => Some("Programmed"),
            Self::Shadowed | Self::ParentNotFound => None,
        }
    }

    /// The word in the condition.
    pub fn word(self) -> String {
        match self {
            Self::InvalidBackend => "Invalid".to_owned(),
            Self::InvalidListener => "ListenersNotValid".to_owned(),
            Self::RejectedByProxy => "Invalid".to_owned(),
            Self::UnsupportedAppProtocol => "UnsupportedProtocol".to_owned(),
            reason => format!("{reason:?}"),
        }
    }

    /// How much is broken.
    pub fn severity(self) -> Severity {
        match self {
            Self::Shadowed | Self::ParentNotFound | Self::CredentialsPending => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Whose it is.
    pub on: ObjectRef,
    /// Field of that object, such as `spec.rules[0].backendRefs[1]`; empty for the whole.
    pub field: String,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

impl Problem {
    /// A problem of `on` at `field`.
    pub fn new(on: &ObjectRef, field: impl Into<String>, reason: Reason, detail: impl Into<String>) -> Self {
        Self { on: on.clone(), field: field.into(), reason, detail: detail.into() }
    }

    /// Field and detail, as a condition's message shows them.
    pub fn message(&self) -> String {
        if self.field.is_empty() { self.detail.clone() } else { format!("{}: {}", self.field, self.detail) }
    }
}
