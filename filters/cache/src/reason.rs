//! Why a request is none of the cache's, and how it passes by.

use ferrule_kit::{Counter, Fields, Flow, Host};

use crate::asked::Asked;
use crate::policy::field::Section;
use crate::policy::request::Request;
use crate::policy::reuse::Forward;
use crate::{Cache, Compiled, Course, Stream, counters, section};

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass {
    /// The configuration names it.
    Rule,
    /// An upgrade or a tunnel.
    Tunnel,
    /// A GET with content, or a POST with more than is held.
    Content,
    /// Its target is no URI, so that two might make one key.
    Target,
    /// Its method is not answered from the store.
    Method,
    /// Its own `no-store` (RFC 9111 §5.2.1.5).
    Directive,
    /// Conditions that are for the origin alone (RFC 9111 §4.3.2).
    Condition,
}

impl Bypass {
    /// What counts it, besides all of them together.
    pub(crate) fn counter(self) -> Counter {
        match self {
            Self::Rule => counters::BYPASS_RULE,
            Self::Tunnel => counters::BYPASS_TUNNEL,
            Self::Content => counters::BYPASS_CONTENT,
            Self::Target => counters::BYPASS_TARGET,
            Self::Method => counters::BYPASS_METHOD,
            Self::Directive => counters::BYPASS_DIRECTIVE,
            Self::Condition => counters::BYPASS_CONDITION,
        }
    }

    /// In access logs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Tunnel => "tunnel",
            Self::Content => "content",
            Self::Target => "target",
            Self::Method => "method",
            Self::Directive => "directive",
            Self::Condition => "condition",
        }
    }
}

impl Cache {
    /// Why a request is not the cache's to answer, whatever is stored.
    pub(crate) fn passes_by(
        &self,
        host: &dyn Host,
        method: &[u8],
        asked: &Asked,
        end: bool,
    ) -> Option<Bypass> {
        let path = host.field(Fields::RequestHeaders, ":path").unwrap_or_default();
        if host.is_tunnel() {
            return Some(Bypass::Tunnel);
        }
        if !is_target(&path) {
            return Some(Bypass::Target);
        }
        // A GET with content might be answered by it, though it has no meaning (RFC 9110 §9.3.1): it would poison the key.
        if asked.request.method.reads() && !end {
            return Some(Bypass::Content);
        }
        self.bypasses(method, &path, &section::request(host)).then_some(Bypass::Rule)
    }

    /// Lets a request pass.
    pub(crate) fn pass_by(
        &self,
        stream: &mut Stream,
        host: &mut dyn Host,
        mut asked: Asked,
        why: Bypass,
    ) -> Flow {
        asked.status.fwd = Some(Forward::Bypass);
        count_bypass(host, &mut asked, why);
        stream.asked = Some(Box::new(asked));
        self.set_course(stream, Course::Pass);
        Flow::Continue
    }
}

/// RFC 9110 §7.1: a target is a URI without fragment, and all of a URI is ASCII (RFC 3986 §2).
pub(crate) fn is_target(path: &[u8]) -> bool {
    path.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
}

impl Compiled {
    /// Whether the configuration has a request pass by.
    pub(crate) fn bypasses(&self, method: &[u8], path: &[u8], request: &(impl Section + ?Sized)) -> bool {
        self.bypass.iter().any(|matcher| matcher.holds(method, path, request))
    }
}

/// Why a request that nothing stored answers is not the cache's either.
pub(crate) fn is_for_others(request: &Request) -> Option<Bypass> {
    match request {
        _ if !request.method.reads() => Some(Bypass::Method),
        _ if request.is_for_origin => Some(Bypass::Condition),
        _ if request.directives.no_store => Some(Bypass::Directive),
        _ => None,
    }
}

pub(crate) fn count_bypass(host: &mut dyn Host, asked: &mut Asked, why: Bypass) {
    asked.account.bypass = Some(why);
    host.count(counters::BYPASS, 1);
    host.count(why.counter(), 1);
}
