//! Refuses templates that would nest too deep for the parser's recursion, which guards brackets and statements but not
//! chains such as `a + b + c` or `elif`.

use minijinja::machinery::{Span, Token, Tokenizer};
use minijinja::syntax::SyntaxConfig;

use super::Refusal;

/// How deep an expression may nest; a link of a chain counts as a level.
const EXPRESSION_DEPTH: usize = 100;
/// How many `elif` a template may have.
const ELIFS: usize = 200;

/// Goes over the tokens. What is no token at all is left to the parser to report.
pub(super) fn check(source: &str) -> Result<(), Refusal> {
    let mut tokens = Tokenizer::new(source, "template", false, SyntaxConfig::default());
    let mut nesting = Nesting::default();
    while let Ok(Some((token, span))) = tokens.next_token() {
        nesting.next(&token, span)?;
    }
    Ok(())
}

/// How deep the expression at hand is at this token.
#[derive(Default)]
struct Nesting {
    depth: usize,
    around: Vec<usize>,
    elifs: usize,
}

impl Nesting {
    fn next(&mut self, token: &Token<'_>, span: Span) -> Result<(), Refusal> {
        match token {
            Token::VariableStart | Token::BlockStart => {
                self.depth = 0;
                self.around.clear();
            }
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                self.around.push(self.depth);
                self.depth += 1;
            }
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                self.depth = self.around.pop().unwrap_or(0) + 1;
            }
            Token::Comma => self.depth = self.around.last().map_or(0, |depth| depth + 1),
            Token::Ident("elif") => self.elifs += 1,
            Token::Ident("not" | "and" | "or" | "in" | "is" | "if" | "else") => self.depth += 1,
            Token::Ident(_) | Token::Str(_) | Token::String(_) | Token::TemplateData(_) => {}
            Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            _ => self.depth += 1,
        }
        if self.depth > EXPRESSION_DEPTH {
            return Err(Refusal::new(span, "the expression nests too deep, or chains too many operators"));
        }
        if self.elifs > ELIFS {
            return Err(Refusal::new(span, format!("more than {ELIFS} `elif`")));
        }
        Ok(())
    }
}
