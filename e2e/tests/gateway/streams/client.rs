//! Clients that open TLS as they please.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::certificates::{Authority, Pair};

/// More than an answer on loopback takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to open TLS.
#[derive(Clone, Copy)]
pub(crate) struct Tls<'a> {
    pub(crate) port: u16,
    /// Name that is asked for; an IP address is not sent.
    pub(crate) sni: &'a str,
    pub(crate) trusts: &'a Authority,
    pub(crate) shows: Option<&'a Pair>,
}

impl Tls<'_> {
    pub(crate) fn config(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusts.der()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match self.shows {
            Some(own) => {
                let (chain, key) = own.der();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        ServerName::try_from(self.sni.to_owned()).unwrap()
    }

    fn open(&self) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let tcp = tcp(self.port)?;
        let client = ClientConnection::new(self.config(&[]), self.name()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(client, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// Sends a text and gives what comes back, up to the end of the connection.
    pub(crate) fn say(&self, text: &str) -> io::Result<String> {
        talk(&mut self.open()?, text)
    }

    /// The status of a request for `host`.
    pub(crate) fn status(&self, host: &str) -> io::Result<String> {
        let answer = self.say(&format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"))?;
        Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
    }

    /// The certificate that the other side shows.
    pub(crate) fn shown(&self) -> io::Result<Vec<u8>> {
        let stream = self.open()?;
        let chain = stream.conn.peer_certificates().unwrap_or_default();
        Ok(chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default())
    }
}

fn tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// As [`Tls::say`], without TLS.
pub(crate) fn say(port: u16, text: &str) -> io::Result<String> {
    talk(&mut tcp(port)?, text)
}

fn talk(stream: &mut (impl Read + Write), text: &str) -> io::Result<String> {
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Not everyone says good-bye in TLS.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || answer.is_empty() => Err(error),
        _ if answer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}
