//! The request that a variant is sent, over and over.

use serde_json::{Value, json};

/// A request without its target.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    method: &'static str,
    lines: String,
    body: String,
    /// Requests a round; a round is a fraction of a second, so that all variants of one round meet the same machine.
    pub(crate) requests: usize,
}

impl Traffic {
    /// A short GET request.
    pub(crate) fn get(requests: usize) -> Self {
        let lines = "host: bench\r\nx-in: some-value\r\nuser-agent: bench\r\n".to_owned();
        Self { method: "GET", lines, body: String::new(), requests }
    }

    /// A POST request with a JSON body.
    pub(crate) fn post(body: String, requests: usize) -> Self {
        let lines = format!(
            "host: bench\r\nx-in: some-value\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        Self { method: "POST", lines, body, requests }
    }

    /// The same with so many more header lines.
    pub(crate) fn with_more_headers(mut self, more: usize) -> Self {
        for number in 0..more {
            self.lines += &format!("x-more-{number:02}: one of the values that clients send\r\n");
        }
        self
    }

    /// The request as HTTP/1.1 sends it.
    pub(crate) fn to(&self, path: &str) -> Vec<u8> {
        format!("{} {path} HTTP/1.1\r\n{}\r\n{}", self.method, self.lines, self.body).into_bytes()
    }
}

/// A JSON object of about `size` bytes: a `model`, `items` as shops have them, and a `user` with a `name`.
pub(crate) fn order(size: usize) -> Value {
    let item = json!({"sku": "a-1709", "title": "A \"thing\" for the caf\u{e9}", "price": 19.5, "count": 3,
                      "tags": ["new", "sale"], "stock": true});
    let mut order = json!({"model": "large", "items": [], "user": {"id": 4711, "name": "ann", "mail": "ann@example.com"}});
    let (bare, one) = (order.to_string().len(), item.to_string().len() + 1);
    order["items"] = vec![item; size.saturating_sub(bare) / one].into();
    order
}
