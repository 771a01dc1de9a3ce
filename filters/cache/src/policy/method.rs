//! Request methods as a cache sees them (RFC 9110 §9).

/// What a cache may do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answered from the store; its responses are stored.
    Get,
    /// Answered from what GET stored; its responses freshen that (RFC 9111 §4.3.5).
    Head,
    /// Safe, so it invalidates nothing, and never answered from the store.
    OtherSafe,
    /// POST, which invalidates like any unsafe method.
    Post,
    /// POST where the configuration has it for a question that its content asks: answered by what an equal one brought, and
    /// as good as safe.
    PostByContent,
    /// Unsafe, or not known to be safe (RFC 9111 §4.4).
    Unsafe,
}

impl Method {
    /// Methods are case-sensitive (RFC 9110 §9.1).
    pub fn parse(text: &[u8]) -> Self {
        match text {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" | b"TRACE" => Self::OtherSafe,
            b"POST" => Self::Post,
            _ => Self::Unsafe,
        }
    }

    /// Whether a response invalidates what is stored (RFC 9111 §4.4: unknown safety counts as unsafe).
    pub fn invalidates(self) -> bool {
        matches!(self, Self::Post | Self::Unsafe)
    }

    /// Whether its responses may be stored.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Get | Self::PostByContent)
    }

    /// Whether the store may answer.
    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::PostByContent)
    }
}
