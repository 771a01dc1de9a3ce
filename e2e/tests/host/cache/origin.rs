//! An origin that answers by itself, and keeps count.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Heads of requests, in lower case.
pub(super) type Heads = Arc<Mutex<Vec<String>>>;

/// Has requests answered by what `answer` makes of their heads.
pub(super) fn answering(
    listener: &TcpListener,
    answer: impl Fn(&str) -> Vec<u8> + Clone + Send + 'static,
) -> Heads {
    let (listener, heads) = (listener.try_clone().unwrap(), Heads::default());
    let kept = Arc::clone(&heads);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, kept) = (answer.clone(), Arc::clone(&kept));
            thread::spawn(move || serve(&stream, &answer, &kept));
        }
    });
    heads
}

fn serve(mut stream: &TcpStream, answer: &impl Fn(&str) -> Vec<u8>, heads: &Heads) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_ascii_lowercase();
        let bytes = answer(&head);
        heads.lock().unwrap().push(head);
        stream.write_all(&bytes).ok()?;
    }
}

/// The path that a request asks for.
pub(super) fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}
