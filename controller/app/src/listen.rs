//! Listening on an [`Address`].
//!
//! Invariants: a Unix socket is for its owner alone, takes the place of one that nobody listens on any more, and of
//! nothing else; its file goes with the listener.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use envoy_bootstrap::Address;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// A listener of either sort.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removes the socket's file when dropped.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone with its folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on `address`, which the command line names by `flag`.
    pub(crate) async fn bind(address: &Address, flag: &str) -> anyhow::Result<Self> {
        let what = || format!("cannot listen on {address}; name another by {flag}, or free it");
        match address {
            Address::Tcp { host, port } => {
                let bound = TcpListener::bind((host.as_str(), *port)).await;
                Ok(Self::Tcp(bound.with_context(what)?))
            }
            Address::Unix(path) => {
                let bound = bind_unix(path).await.with_context(what)?;
                Ok(Self::Unix(bound, SocketFile(path.clone())))
            }
        }
    }

    /// Where it listens; the port is the actual one.
    pub(crate) fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => {
                let local = listener.local_addr()?;
                Address::Tcp { host: local.ip().to_string(), port: local.port() }
            }
            Self::Unix(_, SocketFile(path)) => Address::Unix(path.clone()),
        })
    }
}

async fn bind_unix(path: &Path) -> anyhow::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => bail!("there is a file that is no socket"),
        Ok(_) if UnixStream::connect(path).await.is_ok() => bail!("another process listens there"),
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = "--admin";

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let address = Address::Unix(path.clone());
        leave_dead_socket(&path).await;
        let first = Listener::bind(&address, FLAG).await.unwrap();
        assert_eq!(first.address().unwrap(), address);
        assert!(Listener::bind(&address, FLAG).await.is_err());
        drop(first);
        assert!(!path.exists());
    }

    /// A child that another test has just forked holds the listener, too, until it runs its own program.
    async fn leave_dead_socket(path: &Path) {
        drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        while UnixStream::connect(path).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Listener::bind(&Address::Unix(file.path().to_owned()), FLAG).await.is_err());
        assert!(file.path().exists());
    }

    #[tokio::test]
    async fn port_zero_becomes_a_real_port() {
        let listener = Listener::bind(&Address::loopback(0), FLAG).await.unwrap();
        let address = listener.address().unwrap();
        assert_ne!(address, Address::loopback(0));
        let refused = format!("{:#}", Listener::bind(&address, FLAG).await.err().unwrap());
        assert!(refused.contains("name another by --admin") && refused.contains("in use"), "{refused}");
    }
}
