//! Keeps responses in Redis, one after the other, over a connection of its own so that looks need not wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use redis::aio::MultiplexedConnection;
use redis::{Script, cmd, pipe};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Settings;
use super::connection::{Connection, Failed};
use super::exchange::{Names, short};
use super::handle::Common;
use crate::level::{Mark, copy};
use crate::policy::time::Time;
use crate::store::Object;

const PUT: &str = include_str!("put.lua");
/// Pieces of a body that are sent at once: a mebibyte.
const WINDOW: usize = 16;
/// Milliseconds after which a body without an entry goes.
const ORPHANED: u64 = 60_000;
/// The least time that one response may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is to be kept, or not any more.
#[derive(Debug)]
pub(super) enum Keep {
    /// A response, and when its fetch began.
    Object(Arc<Object>, Mark),
    /// What names a response: its key, and its variant.
    Not(String, String),
}

impl Keep {
    pub(super) fn forgetting(object: &Object) -> Self {
        Self::Not(copy::key_id(object.key()), copy::variant_id(&object.head()))
    }

    /// Bytes that wait with it.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Object(object, _) => {
                let body = usize::try_from(object.body().len()).unwrap_or(usize::MAX >> 8);
                Object::cost(object.head_bytes()) + body
            }
            Self::Not(id, variant) => id.len() + variant.len(),
        }
    }
}

/// The one who keeps.
#[derive(Debug)]
pub(super) struct Keeper {
    names: Names,
    common: Arc<Common>,
    connection: Connection,
    budget: u64,
    variants: usize,
    within: Duration,
    put: Script,
}

impl Keeper {
    pub(super) fn new(settings: &Settings, names: Names, common: Arc<Common>, variants: usize) -> Self {
        Self {
            names,
            connection: Connection::new(settings, &common),
            common,
            budget: settings.bytes,
            variants,
            within: PATIENCE.max(settings.timeout * 10),
            put: Script::new(PUT),
        }
    }

    /// Keeps what comes until no more can come.
    pub(super) async fn run(self, mut keeps: UnboundedReceiver<Keep>) {
        while let Some(keep) = keeps.recv().await {
            // What waits while Redis is left alone is not kept.
            if self.common.is_closed() {
                self.keep(&keep).await;
            } else {
                self.common.dropped.fetch_add(1, Ordering::Relaxed);
            }
            self.common.queued.fetch_sub(keep.cost(), Ordering::Relaxed);
        }
    }

    async fn keep(&self, keep: &Keep) {
        let kept = self.connection.exchange(self.within, async |connection| match keep {
            Keep::Object(object, since) => self.put(connection, object, *since).await,
            Keep::Not(id, variant) => {
                let mut pipe = pipe();
                self.names.forget(&mut pipe, id, std::slice::from_ref(variant));
                Ok(pipe.query_async(connection).await?)
            }
        });
        match kept.await {
            Ok(()) => {}
            Err(failed) if failed.is_of_a_key() => {
                self.common.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(failed) => {
                self.common.dropped.fetch_add(1, Ordering::Relaxed);
                self.common.failed();
                if matches!(failed, Failed::Late) {
                    self.connection.close().await;
                }
            }
        }
    }

    async fn put(
        &self,
        connection: &mut MultiplexedConnection,
        object: &Object,
        since: Mark,
    ) -> Result<(), Failed> {
        let head = object.head();
        let now = Time::of(SystemTime::now());
        let Some(worth) = copy::worth_for(object.stored(), &head, now) else { return Ok(()) };
        let (id, variant) = (copy::key_id(object.key()), copy::variant_id(&head));
        let chunks = object.body().chunks();
        let digest = copy::digest(chunks);
        let body = self.names.body(&format!("{id}:{variant}"), &short(&digest));
        let pieces = copy::pieces_of(object.body().len());
        let entry = copy::encode(object, since, &digest);
        let script = || {
            let mut put = self.put.key(&self.names.prefix);
            put.arg(&id).arg(&variant).arg(short(&digest)).arg(worth).arg(&entry);
            put.arg(self.budget).arg(self.variants).arg(pieces);
            put
        };
        if pieces > 0 && self.has(connection, &body).await? != pieces {
            let mut room = script();
            room.arg("room").arg(object.body().len());
            let has_room: bool = room.invoke_async(connection).await?;
            if !has_room {
                return Ok(());
            }
            self.send(connection, &body, object).await?;
        }
        let mut put = script();
        put.arg("keep");
        let _: bool = put.invoke_async(connection).await?;
        Ok(())
    }

    /// Pieces that are there.
    async fn has(&self, connection: &mut MultiplexedConnection, body: &str) -> Result<u64, Failed> {
        let has: redis::RedisResult<u64> = cmd("HLEN").arg(body).query_async(connection).await;
        match has.map_err(Failed::from) {
            Err(failed) if failed.is_of_a_key() => {
                let _: () = cmd("UNLINK").arg(body).query_async(connection).await?;
                Ok(0)
            }
            has => has,
        }
    }

    /// Sends a body, which goes again if nothing comes of it.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        body: &str,
        object: &Object,
    ) -> Result<(), Failed> {
        let mut pieces = copy::pieces(object.body().chunks()).enumerate().peekable();
        while pieces.peek().is_some() {
            let mut pipe = pipe();
            let set = pipe.cmd("HSET").arg(body);
            for (place, piece) in pieces.by_ref().take(WINDOW) {
                set.arg(place).arg(piece);
            }
            pipe.cmd("PEXPIRE").arg(body).arg(ORPHANED);
            let _: () = pipe.query_async(connection).await?;
        }
        Ok(())
    }
}
