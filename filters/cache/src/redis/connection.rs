//! A connection that comes about when it is needed, and anew when it has broken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Settings;
use super::handle::Common;

/// The connection.
pub(super) struct Connection {
    settings: Settings,
    common: Arc<Common>,
    /// With the version of the password that it was made by.
    open: Mutex<Option<(u64, MultiplexedConnection)>>,
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
    pub(super) fn new(settings: &Settings, common: &Arc<Common>) -> Self {
        Self { settings: settings.clone(), common: Arc::clone(common), open: Mutex::new(None) }
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
        if let Some((version, connection)) = &*open
            && *version == self.common.password.version()
        {
            return Ok(connection.clone());
        }
        let (version, password) = self.common.password.get();
        let client = self.client(password)?;
        // Who asks has a time of its own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.connect_timeout))
            .set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some((version, connection.clone()));
        Ok(connection)
    }

    fn client(&self, password: Option<String>) -> RedisResult<Client> {
        let Settings { host, port, database, username, .. } = &self.settings;
        let mut login = RedisConnectionInfo::default().set_db(i64::from(*database)).set_skip_set_lib_name();
        if let Some(password) = password {
            login = login.set_password(password);
            if let Some(username) = username {
                login = login.set_username(username);
            }
        }
        let address = ConnectionAddr::Tcp(host.clone(), *port);
        Client::open(address.into_connection_info()?.set_redis_settings(login))
    }
}
