//! What goes to AWS, read on its way.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A port whose connections lead to another, and that keeps what is said to that.
pub(super) struct Wire {
    pub(super) port: u16,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// One to this port.
    pub(super) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || pump(back, near, None));
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || pump(forth, far, Some(&kept)));
            }
        });
        Self { port: own, said }
    }

    /// All that has been said so far.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    /// Head and body of the last request that begins with `line`.
    pub(super) fn last(&self, line: &str) -> String {
        let said = self.said();
        said[said.rfind(line).unwrap_or_else(|| panic!("no {line:?} in:\n{said}"))..].to_owned()
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, kept: Option<&Mutex<Vec<u8>>>) {
    let mut part = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if let Some(kept) = kept {
            kept.lock().unwrap().extend(&part[..length]);
        }
        if to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
