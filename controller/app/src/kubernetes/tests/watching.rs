use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::discovery;
use super::super::watch::{Extent, Sighting, Source, watch};
use super::fake::{Asked, Told, lines, list, never, now, refusal, serve};

fn object(name: &str, version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "d", "resourceVersion": version}})
}

/// Watches Services, and tells what is seen in short.
fn follow(client: Client) -> mpsc::UnboundedReceiver<String> {
    let kind = super::super::kinds::place("", "Service").unwrap();
    let source = Source { kind, extent: Extent::Everything };
    let (sightings_in, mut sightings) = mpsc::channel(16);
    tokio::spawn(watch(client, source.clone(), discovery::resource(source.kind(), "v1"), sightings_in));
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((_, _, sighting)) = sightings.recv().await {
            let name = |item: &super::super::item::Item| item.meta().name.clone().unwrap();
            let _ = tell.send(match sighting {
                Sighting::Begun => "begun".to_owned(),
                Sighting::Seen(item) => format!("seen {}", name(&item)),
                Sighting::Gone(item) => format!("gone {}", name(&item)),
                Sighting::Listed => "listed".to_owned(),
                Sighting::Unserved => "unserved".to_owned(),
            });
        }
    });
    told
}

async fn next(told: &mut mpsc::UnboundedReceiver<String>, expected: &[&str]) {
    for one in expected {
        let seen = tokio::time::timeout(std::time::Duration::from_secs(30), told.recv()).await;
        assert_eq!(seen.unwrap().as_deref(), Some(*one));
    }
}

fn counted(
    answer: impl Fn(usize, &Asked) -> BoxFuture<'static, Told> + Clone + Send + Sync + 'static,
) -> impl Fn(Asked) -> BoxFuture<'static, Told> + Clone + Send + Sync + 'static {
    let count = Arc::new(AtomicUsize::new(0));
    move |asked| answer(count.fetch_add(1, Ordering::Relaxed), &asked)
}

#[tokio::test]
async fn a_server_without_streaming_lists_is_asked_for_plain_ones() {
    let (client, _) = serve(|asked: Asked| match asked.path.as_str() {
        path if path.contains("sendInitialEvents=true") => now(422, refusal(422, "Invalid")),
        path if path.contains("watch=true") => never(),
        _ => now(200, list("5", &[object("a", "3")])),
    })
    .await;
    next(&mut follow(client), &["begun", "seen a", "listed"]).await;
}

#[tokio::test]
async fn an_etcd_that_cannot_stream_lists_is_told_by_the_stream() {
    let (client, _) = serve(|asked: Asked| match asked.path.as_str() {
        path if path.contains("sendInitialEvents=true") => lines(&[("ERROR", refusal(500, "InternalError"))]),
        path if path.contains("watch=true") => never(),
        _ => now(200, list("5", &[object("a", "3")])),
    })
    .await;
    next(&mut follow(client), &["begun", "begun", "seen a", "listed"]).await;
}

#[tokio::test]
async fn an_expired_watch_is_listed_again_and_what_was_seen_stays_until_then() {
    let (client, _) = serve(counted(|count, _| match count {
        0 => now(422, refusal(422, "Invalid")),
        1 => now(200, list("5", &[object("a", "3")])),
        2 => lines(&[("ADDED", object("b", "6")), ("ERROR", refusal(410, "Expired"))]),
        3 => now(200, list("9", &[object("b", "6")])),
        _ => never(),
    }))
    .await;
    let expected = ["begun", "seen a", "listed", "seen b", "begun", "seen b", "listed"];
    next(&mut follow(client), &expected).await;
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_from_where_the_watch_was() {
    let (client, log) = serve(counted(|count, _| match count {
        0 => now(422, refusal(422, "Invalid")),
        1 => now(200, list("5", &[])),
        2..5 => now(503, refusal(503, "ServiceUnavailable")),
        5 => lines(&[("ADDED", object("b", "6"))]),
        6 => lines(&[("DELETED", object("b", "7"))]),
        _ => never(),
    }))
    .await;
    next(&mut follow(client), &["begun", "listed", "seen b", "gone b"]).await;
    let log = log.lock().unwrap();
    assert!(
        log[5].path.contains("resourceVersion=5") && log[6].path.contains("resourceVersion=6"),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_kind_that_is_gone_ends_its_watch() {
    let (client, _) = serve(|_: Asked| now(404, refusal(404, "NotFound"))).await;
    next(&mut follow(client), &["unserved"]).await;
}
