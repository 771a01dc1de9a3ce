//! `ferrule cache`: has a running controller give orders to the caches of its proxies, and says what came of them.

mod orders;
mod print;

use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use envoy_bootstrap::{Admin, Answer};
use serde::Deserialize;

use crate::cli::{CacheArgs, CacheCommand, Notation};
use crate::orders::Account;

/// Exit code where not every proxy has answered.
const INCOMPLETE: u8 = 1;
/// How often the controller is asked for news.
const PAUSE: Duration = Duration::from_millis(20);

/// What a controller says of an order.
#[derive(Deserialize)]
struct News {
    complete: bool,
    #[serde(flatten)]
    account: Account,
}

#[derive(Deserialize)]
struct Given {
    id: String,
}

/// Gives the order and prints what each proxy says of it.
pub(crate) fn order(command: &CacheCommand, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (order, args) = match command {
        CacheCommand::Purge(purge) => (orders::purge(purge)?, &purge.cache),
        CacheCommand::Inspect(inspect) => (orders::inspect(inspect)?, &inspect.cache),
    };
    let admin = Admin::new(args.admin.clone());
    let answered = answered(args, admin.post_json("/cache/orders", &order.to_string()).ok())?;
    if answered.status == 400 {
        bail!("{}", answered.body.trim());
    }
    let Given { id } = parsed(args, &answered)?;
    let news = follow(args, &admin, &id)?;
    match args.output {
        Some(Notation::Json) => writeln!(out, "{}", serde_json::to_string_pretty(&news.account.proxies)?)?,
        Some(Notation::Yaml) => out.write_all(crate::yaml::documents(&news.account.proxies)?.as_bytes())?,
        None => print::account(&news.account, out)?,
    }
    Ok(if news.complete { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// Waits until every proxy has answered, or for as long as is to be waited.
fn follow(args: &CacheArgs, admin: &Admin, id: &str) -> anyhow::Result<News> {
    let until = Instant::now() + args.timeout;
    loop {
        let news: News = parsed(args, &answered(args, admin.get(&format!("/cache/orders/{id}")).ok())?)?;
        // Where there is no proxy, none that comes answers for those that should be there.
        let is_alone = news.account.proxies.is_empty() && news.account.unheard == 0;
        if news.complete || is_alone || Instant::now() >= until {
            return Ok(news);
        }
        sleep(PAUSE);
    }
}

fn answered(args: &CacheArgs, answer: Option<Answer>) -> anyhow::Result<Answer> {
    answer.with_context(|| {
        format!("no controller answers on {}; is it running, with another --admin perhaps?", args.admin)
    })
}

fn parsed<T: for<'de> Deserialize<'de>>(args: &CacheArgs, answer: &Answer) -> anyhow::Result<T> {
    if answer.status != 200 {
        bail!("{} answered {}: {}", args.admin, answer.status, answer.body.trim());
    }
    serde_json::from_str(&answer.body)
        .with_context(|| format!("{} does not speak like this ferrule", args.admin))
}
