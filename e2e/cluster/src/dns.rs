//! A DNS server of a few lines: names of Services for pods, and the stand-in of the suite's own DNS server.
//!
//! Absent: forwarding. A name outside the cluster does not exist here; nothing of a test should need one.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::net::UdpSocket;

/// Seconds that an answer may be kept.
const TTL: u32 = 5;

/// The longest answer over UDP that every client takes (RFC 1035 section 4.2.1).
const LONGEST: usize = 512;

/// The record types and codes that are used (RFC 1035 section 3.2.2 and 4.1.1).
const A: u16 = 1;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;

/// What a name stands for; `None` when it does not exist.
type Addresses = Option<Vec<Ipv4Addr>>;

/// Answers pods' questions at `address` until the future is dropped.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn serve_services(client: Client, address: Ipv4Addr) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((address, 53)).await.context("listening for DNS")?;
    let (services, writer) = reflector::store();
    let following_services = follow(reflector::reflector(
        writer,
        watcher(Api::<Service>::all(client.clone()), watcher::Config::default()).default_backoff(),
    ));
    let (slices, writer) = reflector::store();
    let following_slices = follow(reflector::reflector(
        writer,
        watcher(Api::<EndpointSlice>::all(client), watcher::Config::default()).default_backoff(),
    ));
    tokio::select! {
        () = serve(socket, |name, _| look_up(&services, &slices, name)) => {}
        () = following_services => {}
        () = following_slices => {}
    }
    Ok(())
}

async fn follow<T>(stream: impl futures::Stream<Item = T>) {
    stream.for_each(|_| std::future::ready(())).await;
}

/// The stand-in of the suite's own DNS server: every name is the asker's address, as with its plugin `whoami`.
///
/// # Errors
/// The port cannot be had.
pub(crate) async fn serve_whoami() -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).await.context("listening for DNS")?;
    serve(socket, |_, from| match from.ip() {
        std::net::IpAddr::V4(address) => Some(vec![address]),
        std::net::IpAddr::V6(_) => Some(Vec::new()),
    })
    .await;
    Ok(())
}

async fn serve(socket: UdpSocket, find: impl Fn(&str, SocketAddr) -> Addresses) {
    let mut question = [0; LONGEST];
    loop {
        // An error here is an answer to an earlier packet that nobody took.
        let Ok((length, from)) = socket.recv_from(&mut question).await else { continue };
        if let Some(answer) = answer(&question[..length], |name| find(name, from)) {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// The addresses of `SERVICE.NAMESPACE.svc.cluster.local`: its own, or its pods' when it has none.
fn look_up(services: &Store<Service>, slices: &Store<EndpointSlice>, name: &str) -> Addresses {
    let (service, namespace) = name.strip_suffix(".svc.cluster.local")?.split_once('.')?;
    let found = services.get(&ObjectRef::new(service).within(namespace))?;
    let spec = found.spec.as_ref()?;
    let own = spec.cluster_ips.iter().flatten().filter_map(|address| address.parse().ok());
    let own: Vec<Ipv4Addr> = own.collect();
    if spec.cluster_ip.as_deref() != Some("None") {
        return Some(own);
    }
    let owned = |slice: &&std::sync::Arc<EndpointSlice>| {
        let labels = slice.metadata.labels.as_ref();
        slice.metadata.namespace.as_deref() == Some(namespace)
            && labels
                .and_then(|labels| labels.get("kubernetes.io/service-name"))
                .is_some_and(|owner| owner == service)
    };
    let slices = slices.state();
    let endpoints = slices.iter().filter(owned).flat_map(|slice| slice.endpoints.iter().flatten());
    let ready = endpoints.filter(|endpoint| {
        spec.publish_not_ready_addresses == Some(true)
            || endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    Some(ready.flat_map(|endpoint| &endpoint.addresses).filter_map(|address| address.parse().ok()).collect())
}

/// The answer to a question; `None` for what is no question.
fn answer(question: &[u8], find: impl Fn(&str) -> Addresses) -> Option<Vec<u8>> {
    let header = question.get(..12)?;
    let is_answer = header[2] & 0x80 != 0;
    if is_answer {
        return None;
    }
    if header[2] & 0x78 != 0 || header[4..6] != [0, 1] {
        return Some(message(question, 12, NOT_IMPLEMENTED, &[]));
    }
    let (name, end) = read_name(question)?;
    let type_ = u16::from_be_bytes(question.get(end..end + 2)?.try_into().ok()?);
    let end = end + 4;
    question.get(..end)?;
    match find(&name) {
        None => Some(message(question, end, NAME_ERROR, &[])),
        Some(_) if type_ != A => Some(message(question, end, 0, &[])),
        Some(addresses) => Some(message(question, end, 0, &addresses)),
    }
}

/// The name that is asked for, in lower case, and where it ends.
fn read_name(question: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        match length {
            0 => return Some((labels.join("."), at)),
            // Questions have no pointers (RFC 1035 section 4.1.4 has them for what was said before).
            64.. => return None,
            _ => labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase()),
        }
        at += length;
    }
}

/// A message: `question` up to `end` said again, and an address record for each address that fits.
fn message(question: &[u8], end: usize, code: u8, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let fitting = &addresses[..addresses.len().min((LONGEST - end) / 16)];
    let mut message = question[..end].to_vec();
    // Response, authoritative, recursion as it was desired and available.
    message[2] = 0x84 | (question[2] & 1);
    message[3] = 0x80 | code;
    let questions = u8::from(end > 12);
    message[4..12].copy_from_slice(&[0, questions, 0, u8::try_from(fitting.len()).unwrap_or(0), 0, 0, 0, 0]);
    for address in fitting {
        // The name is where the question has it: at byte 12.
        message.extend([0xc0, 12, 0, 1, 0, 1]);
        message.extend(TTL.to_be_bytes());
        message.extend([0, 4]);
        message.extend(address.octets());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01S\x01n\x03svc\x00\x00\x01\x00\x01";

    #[test]
    fn a_question_gets_the_addresses_of_its_name() {
        let reply =
            answer(QUESTION, |name| (name == "s.n.svc").then(|| vec![Ipv4Addr::new(10, 1, 2, 3)])).unwrap();
        assert_eq!(&reply[..2], b"\x12\x34");
        assert_eq!((reply[2], reply[3], reply[7]), (0x85, 0x80, 1));
        assert!(reply.ends_with(&[0, 4, 10, 1, 2, 3]));
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error_of_names() {
        let reply = answer(QUESTION, |_| None).unwrap();
        assert_eq!((reply[3] & 0xf, reply[7]), (NAME_ERROR, 0));
    }

    #[test]
    fn an_ipv6_address_is_asked_for_in_vain_but_the_name_exists() {
        let mut question = QUESTION.to_vec();
        let type_ = question.len() - 3;
        question[type_] = 28;
        let reply = answer(&question, |_| Some(vec![Ipv4Addr::LOCALHOST])).unwrap();
        assert_eq!((reply[3] & 0xf, reply[7]), (0, 0));
    }

    #[test]
    fn no_packet_is_too_broken() {
        for length in 0..QUESTION.len() {
            assert_eq!(answer(&QUESTION[..length], |_| None), None, "{length} bytes");
        }
        let mut pointer = QUESTION.to_vec();
        pointer[12] = 0xc0;
        assert_eq!(answer(&pointer, |_| None), None);
        let many = answer(QUESTION, |_| Some(vec![Ipv4Addr::LOCALHOST; 1000])).unwrap();
        assert!(many.len() <= LONGEST);
    }
}
