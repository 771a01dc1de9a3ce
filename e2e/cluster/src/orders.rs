//! What the process that holds the other end of standard input wants of a cluster: a line each.

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

/// A line of standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `stop PART`: kill a part of the control plane.
    Stop(String),
    /// `start PART`: start it again.
    Start(String),
}

impl Order {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ')? {
            ("stop", part) => Some(Self::Stop(part.to_owned())),
            ("start", part) => Some(Self::Start(part.to_owned())),
            _ => None,
        }
    }
}

/// The orders of standard input; there are no more when it has ended. What is no order is passed over.
pub(crate) fn read() -> mpsc::Receiver<Order> {
    let (tell, orders) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(order) = Order::parse(&line)
                && tell.send(order).await.is_err()
            {
                return;
            }
        }
    });
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_to_do_and_a_part() {
        assert_eq!(Order::parse("stop etcd"), Some(Order::Stop("etcd".to_owned())));
        assert_eq!(Order::parse("start kube-apiserver"), Some(Order::Start("kube-apiserver".to_owned())));
        assert_eq!([Order::parse("etcd"), Order::parse("halt etcd"), Order::parse("")], [None, None, None]);
    }
}
