//! Upstreams that say who they are.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Pair;

/// Answers what is said on a connection with its name, and ends it.
pub(crate) fn tcp(name: &'static str) -> u16 {
    serve(move |mut stream| answer(&mut stream, name))
}

/// As [`tcp`], in TLS.
pub(crate) fn tls(name: &'static str, pair: &Pair) -> u16 {
    let (chain, key) = pair.der();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        answer(&mut stream, name);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

fn serve(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    port
}

fn answer(stream: &mut (impl Read + Write), name: &str) {
    let mut said = [0; 64];
    if stream.read(&mut said).is_ok_and(|length| length > 0) {
        let _ = stream.write_all(name.as_bytes()).and_then(|()| stream.flush());
    }
}

/// Answers each datagram with its name.
pub(crate) fn udp(name: &'static str) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut said = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut said) {
            let _ = socket.send_to(name.as_bytes(), from);
        }
    });
    port
}
