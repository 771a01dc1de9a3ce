//! An endpoint of AWS on the loopback address: keeps the requests that it gets, and answers them as a test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Request line and fields.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The access key that it is signed by.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.field("authorization")?.split_once("Credential=")?.1.split('/').next()
    }
}

/// What it is answered.
pub(crate) struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    /// A 200 with a body of JSON.
    pub(crate) fn ok(body: &str) -> Self {
        Self { status: 200, body: body.to_owned() }
    }

    /// A refusal.
    pub(crate) fn forbidden() -> Self {
        Self { status: 403, body: String::new() }
    }
}

/// A running endpoint.
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Endpoint {
    /// One that answers so.
    pub(crate) fn answering(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (seen.clone(), answer.clone());
                thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { port, requests }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// `None` at the connection's end.
fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let Answer { status, body } = answer(&request);
        seen.lock().unwrap().push(request);
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all((head + &body).as_bytes()).ok()?;
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request { head, body: String::new() };
    let length = request.field("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
