//! Requests for hosts of other listeners, on one connection of HTTP/2.

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::certificates::Authority;
use super::client::Tls;
use super::{gateway, route, running};
use e2e::free_port;

const SNI: &str = "example.org";

/// What clients ask for by SNI and then by `:authority`, and the status that they get.
const CASES: [(&str, &str, u16); 21] = [
    (SNI, "example.org", 200),
    (SNI, "EXAMPLE.org", 200),
    (SNI, "example.org:8443", 200),
    (SNI, "second-example.org", 421),
    (SNI, "Second-Example.org:443", 421),
    (SNI, "unknown-example.org", 404),
    (SNI, "third-example.wildcard.org", 421),
    (SNI, "tls.example.org", 421),
    ("second-example.org", "second-example.org", 200),
    ("second-example.org", "example.org", 421),
    ("second-example.org", "unknown-example.org", 421),
    ("third-example.wildcard.org", "third-example.wildcard.org", 200),
    ("third-example.wildcard.org", "fith-example.wildcard.org", 200),
    ("third-example.wildcard.org", "fourth-example.wildcard.org", 421),
    ("third-example.wildcard.org", "second-example.org", 421),
    ("third-example.wildcard.org", "unknown-example.org", 421),
    ("fourth-example.wildcard.org", "fourth-example.wildcard.org", 200),
    ("fourth-example.wildcard.org", "fith-example.wildcard.org", 421),
    ("unknown-example.org", "example.org", 200),
    ("127.0.0.1", "example.org", 200),
    ("127.0.0.1", "second-example.org", 421),
];

#[test]
fn misdirected_requests_are_told_on_reused_connections() {
    let authority = Authority::new("authority");
    let names = ["127.0.0.1", "example.org", "second-example.org", "unknown-example.org", "*.wildcard.org"];
    let port = free_port();
    let tls = "tls: {certificateRefs: [{name: cert}]}";
    let listener = |name: &str, host: &str| {
        format!("{{name: {name}, port: {port}, protocol: HTTPS, hostname: '{host}', {tls}}}")
    };
    let listeners = [
        format!("{{name: all, port: {port}, protocol: HTTPS, {tls}}}"),
        listener("second", "second-example.org"),
        listener("wild", "*.wildcard.org"),
        listener("fourth", "fourth-example.wildcard.org"),
        format!(
            "{{name: tls, port: {port}, protocol: TLS, hostname: tls.example.org, tls: {{mode: Passthrough}}}}"
        ),
    ];
    let controller = running(&[
        gateway("", &listeners),
        authority.issue(&names).secret("cert"),
        route("HTTPRoute", "one", "all", "example.org", &[("upstream", 1)]),
        route("HTTPRoute", "two", "second", "", &[("upstream", 1)]),
        route("HTTPRoute", "three", "wild", "", &[("upstream", 1)]),
        route("HTTPRoute", "four", "fourth", "", &[("upstream", 1)]),
    ]);
    let client = |sni| Tls { port, sni, trusts: &authority, shows: None };
    controller.wait_until("200", || (client(SNI).status(SNI).ok()? == "200").then_some(()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut snis: Vec<&str> = CASES.iter().map(|(sni, ..)| *sni).collect();
    snis.dedup();
    for sni in snis {
        let of_sni = CASES.iter().filter(|(of, ..)| *of == sni);
        let hosts: Vec<&str> = of_sni.clone().map(|(_, host, _)| *host).collect();
        let wanted: Vec<u16> = of_sni.map(|(.., status)| *status).collect();
        let statuses = runtime.block_on(statuses(client(sni), &hosts));
        assert_eq!(statuses, wanted, "{sni}: {hosts:?}");
    }
}

/// The statuses of requests for these hosts, one after the other on one connection.
async fn statuses(client: Tls<'_>, hosts: &[&str]) -> Vec<u16> {
    let tcp = TcpStream::connect(("127.0.0.1", client.port)).await.unwrap();
    let tls = TlsConnector::from(client.config(&["h2"])).connect(client.name(), tcp).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for host in hosts {
        statuses.push(status(&mut requests, host).await);
    }
    statuses
}

/// The status of a request that also claims to be another listener's.
async fn status(requests: &mut SendRequest<Bytes>, host: &str) -> u16 {
    let request = http::Request::get(format!("https://{host}/")).header("x-ferrule-chain", "second");
    let (response, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut seen = Vec::new();
    while let Some(piece) = body.data().await {
        seen.extend_from_slice(&piece.unwrap());
    }
    // The upstream answers with what it has seen.
    assert!(!String::from_utf8_lossy(&seen).contains("x-ferrule"), "{host}");
    head.status.as_u16()
}
