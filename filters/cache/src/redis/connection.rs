//! A connection that comes about when it is needed, and anew when it has broken.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Settings;

/// The connection.
pub(super) struct Connection {
    client: Client,
    connect_timeout: Duration,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Why an exchange came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// Time was up.
    Late,
    /// The connection broke, could not be made, or the server refused.
    Redis(RedisError),
}

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Failed {
    /// Whether the server is well, and merely holds something else under a key than was put there.
    pub(super) fn is_of_a_key(&self) -> bool {
        matches!(self, Self::Redis(error) if error.code() == Some("WRONGTYPE"))
    }

    fn breaks(&self) -> bool {
        match self {
            Self::Late => false,
            Self::Redis(error) => error.is_io_error() || error.is_unrecoverable_error(),
        }
    }
}

impl Connection {
    pub(super) fn new(settings: &Settings) -> RedisResult<Self> {
        let login =
            RedisConnectionInfo::default().set_db(i64::from(settings.database)).set_skip_set_lib_name();
        let address = ConnectionAddr::Tcp(settings.host.clone(), settings.port);
        let info = address.into_connection_info()?.set_redis_settings(login);
        let (client, connect_timeout) = (Client::open(info)?, settings.connect_timeout);
        Ok(Self { client, connect_timeout, open: Mutex::new(None) })
    }

    /// Has `exchange` done over it within that time.
    pub(super) async fn exchange<T>(
        &self,
        within: Duration,
        exchange: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let all = async {
            let mut connection = self.get().await?;
            exchange(&mut connection).await
        };
        let result = timeout(within, all).await.unwrap_or(Err(Failed::Late));
        if result.as_ref().is_err_and(Failed::breaks) {
            self.close().await;
        }
        result
    }

    /// Lets go of it: the next exchange makes another.
    pub(super) async fn close(&self) {
        self.open.lock().await.take();
    }

    async fn get(&self) -> RedisResult<MultiplexedConnection> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        // Who asks has a time of its own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(open.insert(connection).clone())
    }
}
