//! Servers that answer every request with their name.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use anyhow::Result;

/// Serves until the process ends.
///
/// # Errors
/// No port is free.
pub(crate) fn start(at: IpAddr, name: &'static str) -> Result<SocketAddr> {
    let listener = TcpListener::bind((at, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || serve(connection, name));
        }
    });
    Ok(address)
}

fn serve(connection: TcpStream, name: &str) -> Option<()> {
    let answer = format!("HTTP/1.1 200 OK\r\nx-upstream: {name}\r\ncontent-length: 0\r\n\r\n");
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            reader.get_mut().write_all(answer.as_bytes()).ok()?;
        }
    }
}
