//! `ferrule lambda invoke`: the function behind a route called as its proxy would, by the filter that the proxy runs, without
//! Envoy.
//!
//! Invariant: what is printed has no secret, and nothing that would let others repeat the call.

mod endpoint;
mod report;
mod target;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::bail;
use ferrule_aws_signing::AwsSigning;
use ferrule_credentials::{Aws, Source};
use ferrule_kit::{Filter, MemoryHost, Message, Value};
use ferrule_lambda::Lambda;
use ferrule_translate::{AwsEndpoint, Identity, Outbound, SecretText};

use crate::cli::InvokeArgs;
use crate::exchange::{Exchange, Outcome};
use crate::message::{Given, contents, fields};
use crate::offline::Workbench;
use target::Target;

/// Exit code where there is no answer of the function.
const FAILED: u8 = 1;

/// Explains the call on `out`, makes it, and prints its answer; what goes wrong goes to `complaints`.
///
/// # Errors
/// Something cannot be read, or an argument names nothing.
pub(crate) fn invoke(
    args: &InvokeArgs,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let mut bench = Workbench::new(&args.folder.folder)?;
    let Some(target) = target(args, &mut bench, complaints)? else { return Ok(ExitCode::from(FAILED)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signer = runtime.block_on(signer(&bench, &target.call.outbound.identity));
    report::target(&target, signer.as_ref().ok(), out)?;
    let signer = match signer {
        Ok(signer) => signer,
        Err(why) => {
            writeln!(complaints, "{}: spec.aws.auth: {why}", target.call.backend)?;
            return Ok(ExitCode::from(FAILED));
        }
    };
    let host = host(&target, &signer.text);
    let request = request(args, &target)?;
    let call = Call { args, target: &target, request, runtime };
    match target.call.outbound.filter {
        Lambda::NAME => call.perform::<Lambda>(host, out, complaints),
        AwsSigning::NAME => call.perform::<AwsSigning>(host, out, complaints),
        other => bail!("{}: {other} is no filter that calls functions", target.call.backend),
    }
}

/// The function that is meant. Says what is wrong on the way to it, be it callable or not.
fn target(
    args: &InvokeArgs,
    bench: &mut Workbench,
    complaints: &mut impl Write,
) -> anyhow::Result<Option<Target>> {
    let translated = bench.translated();
    let found = target::find(args, bench);
    let known = found.as_ref().ok().and_then(|found| found.as_ref().ok());
    let wrong = target::wrong(args, known, &translated.diagnostics);
    wrong.iter().try_for_each(|line| writeln!(complaints, "{line}"))?;
    let problem = match found? {
        Ok(target) => return Ok(Some(target)),
        Err(problem) => bench.pipeline().place(&problem),
    };
    if !wrong.contains(&&problem) {
        writeln!(complaints, "{problem}")?;
    }
    Ok(None)
}

/// Whoever signs, with credentials.
struct Signer {
    text: SecretText,
    /// Who that is, for people.
    told: String,
}

/// Credentials as the proxy has them: those of the folder's Secret, or what is fetched where this runs.
async fn signer(bench: &Workbench, identity: &Identity) -> Result<Signer, String> {
    if let Identity::Secret((namespace, name)) = identity {
        let text = bench.pipeline().world().credentials_of(identity);
        let text = text.ok_or_else(|| format!("Secret {namespace}/{name} has no credentials"))?;
        return Ok(Signer { text, told: format!("Secret {namespace}/{name}") });
    }
    let fetched = Aws::default().fetch(identity).await?;
    let end = fetched.expires.and_then(|end| end.duration_since(SystemTime::now()).ok());
    let end = end.map(|left| format!(", for {} more minutes", left.as_secs() / 60)).unwrap_or_default();
    Ok(Signer { text: fetched.text, told: format!("whoever runs this, by {}{end}", fetched.source) })
}

/// The proxy that the filter finds itself in.
fn host(target: &Target, credentials: &SecretText) -> MemoryHost {
    let text = |text: &str| Value::Text(Cow::Owned(text.as_bytes().to_vec()));
    let Outbound { identity, held, .. } = &*target.call.outbound;
    let attributes = [
        ("source.address", "127.0.0.1:0"),
        ("request.protocol", "HTTP/1.1"),
        ("xds.route_name", target.name.as_str()),
    ];
    let mut host = MemoryHost { clock: SystemTime::now(), ..MemoryHost::default() };
    host.attributes = attributes.map(|(name, value)| (name.to_owned(), text(value))).into();
    host.secrets = [(identity.to_string(), credentials.bytes().to_vec())].into();
    host.limit = held.and_then(|held| usize::try_from(held).ok()).unwrap_or(host.limit);
    host
}

/// The client's request: what is not given is as the rule matches it.
fn request(args: &InvokeArgs, target: &Target) -> anyhow::Result<Given> {
    let mut lines = fields(&args.headers, "--header")?;
    for (name, _) in &mut lines {
        if name == "host" {
            ":authority".clone_into(name);
        }
    }
    let body = args.body.as_deref().map(contents).transpose()?.unwrap_or_default();
    let given = Given { lines, body };
    let method = args.method.as_deref().or(target.method.as_deref()).unwrap_or(given.usual_method());
    let path = args.path.as_deref().unwrap_or(&target.path);
    let pseudo =
        [(":method", method), (":path", path), (":scheme", "http"), (":authority", &*target.hostname)];
    Ok(given.under(&pseudo))
}

/// A call about to be made.
struct Call<'a> {
    args: &'a InvokeArgs,
    target: &'a Target,
    request: Given,
    runtime: tokio::runtime::Runtime,
}

impl Call<'_> {
    fn perform<F: Filter>(
        &self,
        host: MemoryHost,
        out: &mut impl Write,
        complaints: &mut impl Write,
    ) -> anyhow::Result<ExitCode> {
        let Outbound { config, endpoint, .. } = &*self.target.call.outbound;
        let Some(endpoint) = endpoint else { bail!("{}: has no endpoint", self.target.call.backend) };
        let filter = ferrule_kit::compile::<F>(config.to_string().as_bytes())?;
        let mut exchange = Exchange::new(Arc::new(filter), host);
        let answered = self.converse(&mut exchange, endpoint, out)?;
        let host = exchange.end();
        for line in host.logged.borrow().iter() {
            writeln!(complaints, "{}", line.line)?;
        }
        Ok(if answered { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }

    /// Returns whether the function has answered, or would be asked.
    fn converse<F: Filter>(
        &self,
        exchange: &mut Exchange<F>,
        endpoint: &AwsEndpoint,
        out: &mut impl Write,
    ) -> anyhow::Result<bool> {
        let (lines, body) = match exchange.pass(Message::Request, &self.request) {
            Outcome::Passed { lines, body, .. } => (lines, body),
            refused => {
                report::refusal("the request is refused", &refused, out)?;
                return Ok(false);
            }
        };
        report::request(&lines, &body, out)?;
        if self.args.explain {
            return Ok(true);
        }
        let sent = endpoint::send(endpoint, &lines, body, self.args.timeout);
        let answer = match self.runtime.block_on(sent) {
            Ok(answer) => answer,
            Err(unanswered) => {
                exchange.unanswered(unanswered.status(), &unanswered.to_string());
                writeln!(out, "no answer: {unanswered}; the client gets {}", unanswered.status())?;
                return Ok(false);
            }
        };
        report::answer(&answer, out)?;
        match exchange.pass(Message::Response, &answer) {
            Outcome::Passed { lines, body, .. } => {
                report::response(&lines, &body, out)?;
                Ok(true)
            }
            failed => {
                report::refusal("no answer of the function", &failed, out)?;
                Ok(false)
            }
        }
    }
}
