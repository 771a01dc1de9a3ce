//! Statements.

use minijinja::machinery::{Span, ast};

use super::super::functions::Section;
use super::super::program::{Arm, Block, For, Macro, Parameter, Statement, Target};
use super::{Lowering, Lowers, Refusal, place};

impl Lowering<'_> {
    pub(super) fn block(&mut self, statements: &[ast::Stmt<'_>]) -> Lowers<Block> {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>) -> Lowers<Statement> {
        Ok(match statement {
            ast::Stmt::EmitRaw(raw) => Statement::Text(raw.raw.into()),
            ast::Stmt::EmitExpr(print) => match self.field_call(&print.expr) {
                Some((section, name)) if !self.escapes => {
                    self.needs.request |= section == Section::Request;
                    Statement::PrintField(section, name.into())
                }
                _ => Statement::Print(self.printed(&print.expr)?, place(print.expr.span())),
            },
            ast::Stmt::IfCond(code) => self.condition(code)?,
            ast::Stmt::ForLoop(code) => self.for_loop(code)?,
            ast::Stmt::WithBlock(code) => self.with(code)?,
            ast::Stmt::Set(code) => Statement::Set {
                value: self.expression(&code.expr)?,
                target: self.target(&code.target)?,
                place: place(code.span()),
            },
            ast::Stmt::SetBlock(code) => Statement::Capture {
                target: Some(self.target(&code.target)?),
                body: self.block(&code.body)?,
                filter: code.filter.as_ref().map(|filter| self.expression(filter)).transpose()?,
                place: place(code.span()),
            },
            ast::Stmt::FilterBlock(code) => Statement::Capture {
                target: None,
                body: self.block(&code.body)?,
                filter: Some(self.expression(&code.filter)?),
                place: place(code.span()),
            },
            ast::Stmt::Macro(code) => Statement::Macro(self.macro_code(code, code.span())?),
            ast::Stmt::CallBlock(code) => Statement::CallBlock {
                callee: self.expression(&code.call.expr)?,
                arguments: self.arguments(&code.call.args)?,
                caller: self.macro_code(&code.macro_decl, code.span())?,
                place: place(code.span()),
            },
            ast::Stmt::Do(code) => Statement::Do(self.call(&code.call)?, place(code.span())),
            ast::Stmt::Break(_) => Statement::Break,
            ast::Stmt::Continue(_) => Statement::Continue,
            other => return Err(unsupported(other)),
        })
    }

    /// The parser nests an `elif` in the `else` before it; here they lie side by side.
    fn condition(&mut self, code: &ast::IfCond<'_>) -> Lowers<Statement> {
        let (mut code, mut arms) = (code, Vec::new());
        loop {
            let (condition, body) = (self.expression(&code.expr)?, self.block(&code.true_body)?);
            arms.push(Arm { condition, body, place: place(code.expr.span()) });
            match &code.false_body[..] {
                [ast::Stmt::IfCond(next)] => code = next,
                otherwise => return Ok(Statement::If { arms, otherwise: self.block(otherwise)? }),
            }
        }
    }

    fn for_loop(&mut self, code: &ast::Spanned<ast::ForLoop<'_>>) -> Lowers<Statement> {
        Ok(Statement::For(Box::new(For {
            target: self.target(&code.target)?,
            items: self.expression(&code.iter)?,
            condition: code.filter_expr.as_ref().map(|condition| self.expression(condition)).transpose()?,
            recursive: code.recursive,
            body: self.block(&code.body)?,
            otherwise: self.block(&code.else_body)?,
            place: place(code.iter.span()),
        })))
    }

    fn with(&mut self, code: &ast::Spanned<ast::WithBlock<'_>>) -> Lowers<Statement> {
        let assignments: Lowers<_> = code
            .assignments
            .iter()
            .map(|(target, value)| Ok((self.target(target)?, self.expression(value)?)))
            .collect();
        Ok(Statement::With {
            assignments: assignments?,
            body: self.block(&code.body)?,
            place: place(code.span()),
        })
    }

    fn target(&mut self, target: &ast::Expr<'_>) -> Lowers<Target> {
        match target {
            ast::Expr::Var(name) => self.symbol(name.id, name.span()).map(Target::Name),
            ast::Expr::List(list) => {
                let targets: Lowers<_> = list.items.iter().map(|item| self.target(item)).collect();
                targets.map(Target::Many)
            }
            ast::Expr::GetAttr(field) => Ok(Target::Field(self.expression(&field.expr)?, field.name.into())),
            other => Err(Refusal::new(other.span(), "nothing can be assigned to this")),
        }
    }

    fn macro_code(&mut self, code: &ast::Macro<'_>, span: Span) -> Lowers<Macro> {
        let required = code.args.len().saturating_sub(code.defaults.len());
        let mut parameters = Vec::with_capacity(code.args.len());
        for (number, parameter) in code.args.iter().enumerate() {
            let ast::Expr::Var(name) = parameter else {
                return Err(Refusal::new(span, "a parameter is a name"));
            };
            let default = number.checked_sub(required).and_then(|place| code.defaults.get(place));
            parameters.push(Parameter {
                name: name.id.into(),
                symbol: self.symbol(name.id, name.span())?,
                default: default.map(|default| self.expression(default)).transpose()?,
            });
        }
        let symbol = self.symbol(code.name, span)?;
        Ok(Macro { symbol, parameters, body: self.block(&code.body)? })
    }
}

fn unsupported(statement: &ast::Stmt<'_>) -> Refusal {
    let alone =
        "a template stands alone: `extends`, `block`, `include` and `import` have nothing to refer to";
    match statement {
        ast::Stmt::AutoEscape(code) => {
            Refusal::new(code.span(), "`autoescape` is not supported; escape by `| escape` or `| tojson`")
        }
        ast::Stmt::Block(code) => Refusal::new(code.span(), alone),
        ast::Stmt::Extends(code) => Refusal::new(code.span(), alone),
        ast::Stmt::Include(code) => Refusal::new(code.span(), alone),
        ast::Stmt::Import(code) => Refusal::new(code.span(), alone),
        ast::Stmt::FromImport(code) => Refusal::new(code.span(), alone),
        _ => Refusal::new(Span::default(), "this statement is not supported"),
    }
}
