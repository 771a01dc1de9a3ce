//! What the lexer tells apart.

/// A token, and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    /// Offset in bytes.
    pub(super) at: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What is printed as it is, after the whitespace that tags take with them.
    Text,
    /// A comment without its delimiters.
    Comment,
    Open(Tag),
    Close(Tag),
    Name,
    Number,
    String,
    /// An operator of one or two characters.
    Operator,
    Dot,
    Comma,
    Colon,
    Pipe,
    Assign,
    ParenOpen,
    ParenClose,
    BracketOpen,
    BracketClose,
    BraceOpen,
    BraceClose,
    Unknown,
    End,
}

/// What stands between tokens of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `{{ … }}`
    Expression,
    /// `{% … %}`
    Statement,
    /// `## …` to the end of the line
    Line,
}

impl Tag {
    pub(super) fn close(self) -> &'static str {
        match self {
            Self::Expression => "}}",
            Self::Statement => "%}",
            Self::Line => "\n",
        }
    }
}

impl Token<'_> {
    /// Its text, in words for who wrote the template.
    pub(super) fn described(&self) -> String {
        match self.kind {
            Kind::End => "the end".to_owned(),
            Kind::Close(Tag::Line) => "the end of the line".to_owned(),
            _ => format!("`{}`", self.text),
        }
    }
}
