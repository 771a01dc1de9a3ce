//! One end of an HTTP/1.1 connection, byte for byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::rig::{PATIENCE, Rig};

/// An end, and what has come there that no one has looked at yet.
pub(crate) struct Wire {
    stream: TcpStream,
    come: Vec<u8>,
}

impl Wire {
    /// A client's end.
    pub(crate) fn to(rig: &Rig) -> Self {
        Self::new(TcpStream::connect(("127.0.0.1", rig.port)).unwrap())
    }

    /// The upstream's end of the next connection that Envoy makes.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let until = Instant::now() + PATIENCE;
        listener.set_nonblocking(true).unwrap();
        loop {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                return Self::new(stream);
            }
            assert!(Instant::now() < until, "Envoy made no connection to its upstream");
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, come: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The same where the other end may refuse the rest.
    pub(crate) fn send_while_taken(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// One chunk of a chunked body.
    pub(crate) fn send_chunk(&mut self, content: &str) {
        self.send_bytes(content.as_bytes());
    }

    /// The same with bytes that are no text.
    pub(crate) fn send_bytes(&mut self, content: &[u8]) {
        let length = format!("{:x}\r\n", content.len());
        self.send([length.as_bytes(), content, b"\r\n"].concat());
    }

    /// Reads to the connection's end, which must come before this text.
    pub(crate) fn until_closed(&mut self, unseen: &str) {
        let mut part = [0; 4096];
        // A reset is an end, too.
        while let Ok(count @ 1..) = self.stream.read(&mut part) {
            self.come.extend(&part[..count]);
        }
        let come = String::from_utf8_lossy(&self.come);
        assert!(!come.contains(unseen) && !come.contains("\r\n0\r\n\r\n"), "{come:?}");
    }

    /// What comes up to and with this text; nothing more than that need have been sent.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.come.windows(text.len()).position(|part| part == text.as_bytes()) {
                return self.take(at + text.len());
            }
            self.read(text);
        }
    }

    /// So many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> String {
        while self.come.len() < count {
            self.read("the rest");
        }
        self.take(count)
    }

    fn take(&mut self, count: usize) -> String {
        String::from_utf8(self.come.drain(..count).collect()).unwrap()
    }

    fn read(&mut self, awaited: &str) {
        let mut part = [0; 4096];
        match self.stream.read(&mut part) {
            Ok(count @ 1..) => self.come.extend(&part[..count]),
            end => {
                let come = String::from_utf8_lossy(&self.come[..self.come.len().min(4096)]);
                panic!("no {awaited:?} came but {} bytes, {come:?}, then {end:?}", self.come.len())
            }
        }
    }

    /// A header section, in lower case.
    pub(crate) fn head(&mut self) -> String {
        self.until("\r\n\r\n").to_ascii_lowercase()
    }
}
