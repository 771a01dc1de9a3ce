//! Looks for copies, tells of purges and hears of those of others.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd, pipe};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout_at;

use super::Settings;
use super::connection::{Connection, Failed};
use super::exchange::{AT_ONCE, Answers, Heard, Names, short};
use super::handle::{Common, Order};
use super::thread::Thread;
use crate::level::breaker::Breaker;
use crate::level::purges::Wide;
use crate::level::{Chosen, Mark, Outcome, Recall, Spoiled};
use crate::storage::Shared;
use crate::store::{Object, Purge};

/// How often purges of others are asked for.
const POLL: Duration = Duration::from_secs(1);
/// Pieces of a body that are asked for at once: a mebibyte.
const WINDOW: u64 = 16;

/// All that looks need.
#[derive(Debug)]
pub(super) struct Looker {
    settings: Settings,
    names: Names,
    common: Arc<Common>,
    storage: Weak<Shared>,
    connection: Connection,
    breaker: Arc<Mutex<Breaker>>,
    heard: Mutex<HeardOf>,
    /// Whether a poll is under way.
    polls: AtomicBool,
}

/// What was heard of purges so far.
#[derive(Debug, Default)]
struct HeardOf {
    wide: Wide,
    last_wide: Mark,
    last_url: Mark,
    /// Whether anything was heard at all.
    has_met: bool,
    /// The last purge that is no concern of the memory.
    met: Mark,
}

impl Looker {
    pub(super) fn new(
        settings: &Settings,
        names: Names,
        common: Arc<Common>,
        storage: Weak<Shared>,
    ) -> Arc<Self> {
        let breaker = Arc::clone(&common.breaker);
        Arc::new(Self {
            connection: Connection::new(settings, &common),
            settings: settings.clone(),
            names,
            common,
            storage,
            breaker,
            heard: Mutex::default(),
            polls: AtomicBool::new(false),
        })
    }

    /// Does what is ordered until no one orders any more.
    pub(super) async fn run(self: Arc<Self>, mut orders: UnboundedReceiver<Order>, thread: Weak<Thread>) {
        let mut poll_at = Instant::now();
        loop {
            let order = timeout_at(poll_at.into(), orders.recv()).await;
            let Some(thread) = thread.upgrade() else { return };
            let this = Arc::clone(&self);
            match order {
                Ok(Some(Order::Recall(recall))) => thread.run(async move { this.look(&recall).await }),
                Ok(Some(Order::Purges)) => thread.run(async move { this.poll(false).await }),
                Ok(None) => break,
                Err(_) => {
                    let is_due = self.is_poll_due();
                    poll_at = self.next_poll();
                    if is_due && !self.polls.swap(true, Ordering::Relaxed) {
                        thread.run(async move {
                            this.poll(true).await;
                            this.polls.store(false, Ordering::Relaxed);
                        });
                    }
                }
            }
        }
        if !self.common.pending.is_empty() && self.lock_breaker().is_closed() {
            self.poll(false).await;
        }
    }

    fn is_poll_due(&self) -> bool {
        self.lock_breaker().probe_at().is_none_or(|at| at <= Instant::now())
    }

    /// While the breaker is open, the poll is its probe.
    fn next_poll(&self) -> Instant {
        let now = Instant::now();
        let probe = self.lock_breaker().probe_at();
        probe.filter(|at| *at > now).unwrap_or(now + POLL)
    }

    async fn look(&self, recall: &Recall) {
        let result = self
            .connection
            .exchange(self.settings.timeout, async |connection| self.attempt(connection, recall).await);
        let outcome = match result.await {
            Ok(Some(object)) => Outcome::Hit(object),
            Ok(None) => Outcome::Miss,
            Err(failed) if failed.is_of_a_key() => Outcome::Error,
            Err(failed) => {
                self.common.failed();
                if matches!(failed, Failed::Late) { Outcome::Timeout } else { Outcome::Error }
            }
        };
        if matches!(outcome, Outcome::Hit(_) | Outcome::Miss) {
            self.common.succeeded();
        }
        self.common.looks.fetch_sub(1, Ordering::Relaxed);
        recall.end(outcome);
    }

    async fn attempt(
        &self,
        connection: &mut MultiplexedConnection,
        recall: &Recall,
    ) -> Result<Option<Arc<Object>>, Failed> {
        let Some(chosen) = self.choose(connection, recall).await? else { return Ok(None) };
        let id = crate::level::copy::key_id(recall.key());
        let member = format!("{id}:{}", chosen.variant);
        let body = self.names.body(&member, &short(&chosen.digest));
        let pieces = crate::level::copy::pieces_of(chosen.length);
        let Some(mut arrival) = recall.begin(chosen) else { return Ok(None) };
        for first in (0..pieces).step_by(WINDOW as usize) {
            let window: Vec<u64> = (first..pieces.min(first + WINDOW)).collect();
            let come: Vec<Option<Vec<u8>>> =
                cmd("HMGET").arg(&body).arg(window).query_async(connection).await?;
            if !come.iter().all(|piece| piece.as_ref().is_some_and(|piece| arrival.push(piece))) {
                return self.spoiled(connection, &member).await;
            }
        }
        match recall.finish(arrival) {
            Ok(Some(object)) => {
                self.touch(connection, &member).await?;
                Ok(Some(object))
            }
            Ok(None) => Ok(None),
            Err(Spoiled) => self.spoiled(connection, &member).await,
        }
    }

    async fn choose(
        &self,
        connection: &mut MultiplexedConnection,
        recall: &Recall,
    ) -> Result<Option<Chosen>, Failed> {
        let (last_wide, purges) = (self.lock_heard().last_wide, self.common.purges.load(Ordering::SeqCst));
        let delivery = self.common.pending.take();
        let mut pipe = pipe();
        self.names.tell(&mut pipe, delivery.purges());
        self.names.ask_copies(&mut pipe, recall.key());
        self.names.ask_last(&mut pipe);
        self.names.ask_log(&mut pipe, "wide", last_wide);
        let values: Vec<Value> = pipe.query_async(connection).await?;
        delivery.confirm();
        let mut answers = Answers::new(values);
        let (entries, by_url) = (answers.entries(), answers.by_url());
        self.meet(answers.mark());
        let (log, forgotten) = answers.log();
        self.hear_wide(log, forgotten);
        let chosen = recall.choose(&entries, &self.lock_heard().wide, by_url);
        // What was purged here since then, or is not known there yet, is about anything.
        let is_known = self.common.pending.is_empty() && self.common.purges.load(Ordering::SeqCst) == purges;
        Ok(chosen.filter(|_| is_known))
    }

    /// The last purge was this one. Those before the first meeting are no concern of a memory that had nothing in it then.
    fn meet(&self, last: Mark) {
        self.common.see(last);
        let mut heard = self.lock_heard();
        if !heard.has_met {
            heard.has_met = true;
            let is_new = self.storage.upgrade().is_none_or(|storage| storage.store.objects() == 0);
            heard.met = if is_new { last } else { Mark::default() };
            heard.last_url = heard.met;
        }
    }

    /// What is not as it was written goes.
    async fn spoiled(
        &self,
        connection: &mut MultiplexedConnection,
        member: &str,
    ) -> Result<Option<Arc<Object>>, Failed> {
        if let Some((id, variant)) = member.split_once(':') {
            let mut pipe = pipe();
            self.names.forget(&mut pipe, id, &[variant.to_owned()]);
            let _: () = pipe.query_async(connection).await?;
        }
        Ok(None)
    }

    async fn touch(&self, connection: &mut MultiplexedConnection, member: &str) -> Result<(), Failed> {
        let now = crate::policy::time::Time::of(std::time::SystemTime::now()).0;
        let mut touch = cmd("ZADD");
        touch.arg(self.names.key("used")).arg("XX").arg("GT").arg(now).arg(member);
        Ok(touch.query_async(connection).await?)
    }

    /// Tells of purges, and hears of those of others. `listens` says that it hears of those of URLs, too.
    async fn poll(&self, listens: bool) {
        let within = self.settings.timeout.max(self.settings.connect_timeout);
        let result =
            self.connection.exchange(within, async |connection| self.talk(connection, listens).await);
        match result.await {
            Ok(()) => self.common.succeeded(),
            Err(failed) => {
                self.common.failed();
                // Nothing may ever come over it again.
                if matches!(failed, Failed::Late) {
                    self.connection.close().await;
                }
            }
        }
    }

    async fn talk(&self, connection: &mut MultiplexedConnection, listens: bool) -> Result<(), Failed> {
        loop {
            let (last_wide, last_url) = {
                let heard = self.lock_heard();
                (heard.last_wide, heard.last_url)
            };
            let delivery = self.common.pending.take();
            let mut pipe = pipe();
            self.names.tell(&mut pipe, delivery.purges());
            self.names.ask_last(&mut pipe);
            self.names.ask_log(&mut pipe, "wide", last_wide);
            if listens {
                self.names.ask_log(&mut pipe, "urls", last_url);
            }
            let values: Vec<Value> = pipe.query_async(connection).await?;
            delivery.confirm();
            let mut answers = Answers::new(values);
            self.meet(answers.mark());
            let (log, forgotten) = answers.log();
            self.hear_wide(log, forgotten);
            if !listens {
                return Ok(());
            }
            let (log, forgotten) = answers.log();
            let is_all = log.len() < AT_ONCE;
            self.hear_of_urls(log, forgotten);
            if is_all {
                return Ok(());
            }
        }
    }

    fn hear_wide(&self, log: Vec<Heard>, forgotten: Mark) {
        let mut applied = Vec::new();
        {
            let mut heard = self.lock_heard();
            for told in log.into_iter().filter(|told| told.mark > heard.last_wide).collect::<Vec<_>>() {
                heard.last_wide = told.mark;
                heard.wide.note(told.mark, told.soft, told.purge.clone());
                if told.mark > heard.met {
                    applied.push(told);
                }
            }
            heard.wide.forget(forgotten);
        }
        self.apply(applied);
    }

    fn hear_of_urls(&self, log: Vec<Heard>, forgotten: Mark) {
        let Some(storage) = self.storage.upgrade() else { return };
        let (applied, is_behind) = {
            let mut heard = self.lock_heard();
            let is_behind = heard.last_url < forgotten;
            let seen = heard.last_url;
            let applied: Vec<_> = log.into_iter().filter(|told| told.mark > seen).collect();
            heard.last_url = applied.last().map_or(seen, |told| told.mark).max(forgotten);
            (applied, is_behind)
        };
        if is_behind {
            storage.store.purge(&Purge::Everything, true);
        }
        self.apply(applied);
    }

    /// Purges the memory of what others have purged.
    fn apply(&self, purges: Vec<Heard>) {
        let Some(storage) = self.storage.upgrade() else { return };
        for told in purges.iter().filter(|told| told.who != self.names.who) {
            storage.store.purge(&told.purge, told.soft);
        }
    }

    fn lock_breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_heard(&self) -> MutexGuard<'_, HeardOf> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Eight bits that no one foresees.
pub(super) fn jitter() -> u8 {
    RandomState::new().hash_one(0u8).to_le_bytes()[0]
}
