//! Statements.

use super::SyntaxError;
use super::ast::{Statement, What};
use super::lexer::Lexer;
use super::token::{Kind, Tag, Token};

/// How deep statements may nest.
const MAX_DEPTH: usize = 60;

pub(super) type Parses<T> = Result<T, SyntaxError>;

/// Reads tokens into statements.
#[derive(Debug)]
pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    lexer: Lexer<'s>,
    /// The token at hand.
    pub(super) token: Token<'s>,
    /// How many expressions are open.
    pub(super) nesting: usize,
    blocks: usize,
    /// The tag at hand if it is one that ends a block or a part of it.
    ender: Option<(Token<'s>, Tag)>,
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let mut lexer = Lexer::new(source);
        let token = lexer.next();
        Self { source, lexer, token, nesting: 0, blocks: 0, ender: None }
    }

    pub(super) fn advance(&mut self) {
        self.token = self.lexer.next();
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.token.at, reason)
    }

    pub(super) fn expect(&mut self, kind: Kind, what: &str) -> Parses<()> {
        if self.token.kind != kind {
            return Err(self.error(format!("expected {what}, got {}", self.token.described())));
        }
        self.advance();
        Ok(())
    }

    /// The whole template.
    pub(super) fn template(mut self) -> Parses<Vec<Statement<'s>>> {
        let statements = self.block()?;
        match self.ender {
            Some((token, _)) => {
                Err(SyntaxError::new(token.at, format!("`{}` without its beginning", token.text)))
            }
            None => Ok(statements),
        }
    }

    /// Statements up to one that ends them, which is left in `ender`, or to the end.
    fn block(&mut self) -> Parses<Vec<Statement<'s>>> {
        self.blocks += 1;
        if self.blocks > MAX_DEPTH {
            return Err(self.error("the statements nest too deep"));
        }
        let mut statements = Vec::new();
        self.ender = None;
        while self.token.kind != Kind::End {
            let (at, text) = (self.token.at, self.token.text);
            let what = match self.token.kind {
                Kind::Text => self.simple(What::Text(text)),
                Kind::Comment => self.simple(What::Comment(text)),
                Kind::Open(Tag::Expression) => self.print()?,
                Kind::Open(tag) => match self.statement(tag)? {
                    Some(what) => what,
                    None => break,
                },
                _ if text == "{#" => return Err(self.error("a comment does not end")),
                _ => return Err(self.error(format!("unexpected {}", self.token.described()))),
            };
            statements.push(Statement { at, what });
        }
        self.blocks -= 1;
        Ok(statements)
    }

    fn simple(&mut self, what: What<'s>) -> What<'s> {
        self.advance();
        what
    }

    fn print(&mut self) -> Parses<What<'s>> {
        self.advance();
        let expression = self.expression()?;
        self.expect(Kind::Close(Tag::Expression), "`}}`")?;
        Ok(What::Print(expression))
    }

    /// A statement; none if it ends the block around it.
    fn statement(&mut self, tag: Tag) -> Parses<Option<What<'s>>> {
        self.advance();
        let keyword = self.token;
        if keyword.kind != Kind::Name {
            return Err(self.error(format!("expected a statement, got {}", keyword.described())));
        }
        self.advance();
        match keyword.text {
            "if" => self.condition(keyword, tag).map(Some),
            "for" => self.for_loop(keyword, tag).map(Some),
            "set" => self.set(tag).map(Some),
            "else" | "endif" | "endfor" => {
                self.ender = Some((keyword, tag));
                Ok(None)
            }
            "include" | "extends" | "block" => {
                self.advance();
                self.close(tag)?;
                Ok(Some(What::Unsupported(keyword.text)))
            }
            "endblock" => {
                self.close(tag)?;
                Ok(Some(What::Unsupported(keyword.text)))
            }
            other => Err(SyntaxError::new(keyword.at, format!("`{other}` is no statement of Inja"))),
        }
    }

    /// The end of a tag; that of a line statement may be the template's.
    fn close(&mut self, tag: Tag) -> Parses<()> {
        if tag == Tag::Line && self.token.kind == Kind::End {
            return Ok(());
        }
        let what = if tag == Tag::Line { "the end of the line" } else { "`%}`" };
        self.expect(Kind::Close(tag), what)
    }

    /// What ended a block that `begun` opened.
    fn ended(&mut self, begun: Token<'s>, allowed: &[&str]) -> Parses<(Token<'s>, Tag)> {
        match self.ender.take() {
            Some(ender) if allowed.contains(&ender.0.text) => Ok(ender),
            Some((token, _)) => {
                let reason = format!("`{}` inside `{}`, which has not ended", token.text, begun.text);
                Err(SyntaxError::new(token.at, reason))
            }
            None => Err(SyntaxError::new(begun.at, format!("`{}` does not end", begun.text))),
        }
    }

    fn condition(&mut self, begun: Token<'s>, tag: Tag) -> Parses<What<'s>> {
        let (mut arms, mut tag) = (Vec::new(), tag);
        loop {
            let condition = self.expression()?;
            self.close(tag)?;
            arms.push((condition, self.block()?));
            let (ender, ender_tag) = self.ended(begun, &["else", "endif"])?;
            tag = ender_tag;
            if ender.text == "endif" {
                self.close(tag)?;
                return Ok(What::If { arms, otherwise: None });
            }
            if self.token.kind != Kind::Name || self.token.text != "if" {
                break;
            }
            self.advance();
        }
        self.close(tag)?;
        let otherwise = Some(self.block()?);
        let (_, tag) = self.ended(begun, &["endif"])?;
        self.close(tag)?;
        Ok(What::If { arms, otherwise })
    }

    fn for_loop(&mut self, begun: Token<'s>, tag: Tag) -> Parses<What<'s>> {
        let mut value = self.name()?;
        let mut key = None;
        if self.token.kind == Kind::Comma {
            self.advance();
            key = Some(std::mem::replace(&mut value, self.name()?));
        }
        if self.token.kind != Kind::Name || self.token.text != "in" {
            return Err(self.error(format!("expected `in`, got {}", self.token.described())));
        }
        self.advance();
        let items = self.expression()?;
        self.close(tag)?;
        let body = self.block()?;
        let (_, tag) = self.ended(begun, &["endfor"])?;
        self.close(tag)?;
        Ok(What::For { key, value, items, body })
    }

    fn set(&mut self, tag: Tag) -> Parses<What<'s>> {
        let name = self.name()?;
        self.expect(Kind::Assign, "`=`")?;
        let value = self.expression()?;
        self.close(tag)?;
        Ok(What::Set { name, value })
    }

    fn name(&mut self) -> Parses<&'s str> {
        let name = self.token.text;
        self.expect(Kind::Name, "a name")?;
        Ok(name)
    }
}
