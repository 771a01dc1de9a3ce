//! Other caches, as Debian packages them: each answers from memory (or the page cache), with one worker where it has such.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::rounds::Peer;
use crate::traffic::Traffic;
use crate::variant::Variant;

/// nginx with `proxy_cache`.
pub(super) struct Nginx(Server);

/// Varnish, whose VCL is the built-in one.
pub(super) struct Varnish(Server);

impl Nginx {
    /// # Errors
    /// It is not installed, or does not start.
    pub(super) fn start(origin: SocketAddr) -> Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let at = folder.path().display();
        let config = format!(
            "daemon off; worker_processes 1; user root; error_log {at}/error.log; pid {at}/pid; events {{}}
             http {{
               access_log off; keepalive_requests 1000000000;
               proxy_cache_path {at}/cache keys_zone=all:64m max_size=1g;
               upstream origin {{ server {origin}; keepalive 4; }}
               server {{ listen {address}; location / {{
                 proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_cache all;
               }} }}
             }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), config)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        Ok(Self(Server::start("nginx", command, address, folder)?))
    }

    /// As it takes part in a measurement.
    ///
    /// # Errors
    /// It does not cache.
    pub(super) fn peer(&self, traffic: &Traffic) -> Result<Peer> {
        self.0.peer("nginx", traffic)
    }
}

impl Varnish {
    /// # Errors
    /// As of [`Nginx::start`].
    pub(super) fn start(origin: SocketAddr) -> Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let mut command = Command::new("varnishd");
        command.args(["-F", "-j", "none", "-s", "malloc,256m", "-a", &address.to_string()]);
        command.args(["-b", &origin.to_string(), "-n"]).arg(folder.path().join("varnish"));
        Ok(Self(Server::start("varnish", command, address, folder)?))
    }

    /// As it takes part in a measurement.
    ///
    /// # Errors
    /// It does not cache.
    pub(super) fn peer(&self, traffic: &Traffic) -> Result<Peer> {
        self.0.peer("varnish", traffic)
    }
}

struct Server {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    fn start(package: &str, mut command: Command, address: SocketAddr, folder: TempDir) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn();
        let process = process.with_context(|| format!("starting {package}; apt-get install {package}"))?;
        let server = Self { process, address, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(20), "{package} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn peer(&self, name: &str, traffic: &Traffic) -> Result<Peer> {
        let variant = Variant::bare(name, traffic);
        Ok(Peer { variant, address: self.address, process: self.process.id() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to, it takes its workers along; it is gone already where that fails.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
