//! An STS that gives what the test says, for as long as it says, and can be out of order.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::moto::Key;

/// A running one.
pub(super) struct Sts {
    pub(super) url: String,
    is_down: Arc<AtomicBool>,
}

impl Sts {
    /// One whose roles all have this session, for this long from when they are asked for.
    pub(super) fn giving((key, token): (&Key, &str), life: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_down: Arc<AtomicBool> = Arc::default();
        let (down, key, token) = (Arc::clone(&is_down), key.clone(), token.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = match down.load(Ordering::SeqCst) {
                    true => (503, error("ServiceUnavailable", "STS is out of order")),
                    false => (200, credentials(&key, &token, life)),
                };
                let _ = exchange(stream, answer);
            }
        });
        Self { url, is_down }
    }

    pub(super) fn is_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

fn exchange(stream: TcpStream, (status, body): (u16, String)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        let field = line.to_ascii_lowercase();
        length = field.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().unwrap());
    }
    stream.read_exact(&mut vec![0; length])?;
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all((head + &body).as_bytes())
}

fn credentials(Key { id, secret }: &Key, token: &str, life: Duration) -> String {
    let end = after(life);
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{end}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>a:b</AssumedRoleId>\
         <Arn>arn:aws:sts::123456789012:assumed-role/a/b</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    )
}

/// When that time will have passed (RFC 3339).
fn after(life: Duration) -> String {
    let end = format!("now + {} seconds", life.as_secs());
    let told = Command::new("date").args(["-u", "-d", &end, "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

fn error(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}
