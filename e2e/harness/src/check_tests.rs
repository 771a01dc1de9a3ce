use std::path::Path;

use super::*;
use crate::Case;

fn expect(expect: &str) -> Expect {
    let text = format!("about: x\nconfig: {{}}\nexchange: {{request: {{}}, expect: {expect}}}");
    Case::parse(Path::new("a.yaml"), &text).unwrap().exchanges()[0].expect.clone()
}

fn mismatched(wanted: &str, seen: &Seen) -> Vec<String> {
    check(&expect(wanted), seen).into_iter().map(|mismatch| mismatch.what).collect()
}

fn lines(lines: &[(&str, &str)]) -> Lines {
    Lines(lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}

fn answered(response: SeenResponse) -> Seen {
    Seen { client: ClientSaw::Response(response), ..Seen::default() }
}

#[test]
fn each_part_of_an_expectation_can_fail() {
    let response = SeenResponse {
        status: 200,
        headers: lines(&[("a", "1")]),
        body: b"x".to_vec(),
        ..Default::default()
    };
    let request = SeenRequest { method: "GET".to_owned(), complete: true, ..Default::default() };
    let seen = Seen { upstream: Some(request), ..answered(response) };
    for (wanted, what) in [
        ("{client: {status: 500}}", "client.status"),
        ("{client: {headers: {a: '2'}}}", "client.headers.a"),
        ("{client: {headers: {a: null}}}", "client.headers.a"),
        ("{client: {headers: {b: '1'}}}", "client.headers.b"),
        ("{client: {headers: {a: {matches: '^2$'}}}}", "client.headers.a"),
        ("{client: {body: y}}", "client.body"),
        ("{client: {body: {json: {}}}}", "client.body"),
        ("{client: {body: {contains: y}}}", "client.body"),
        ("{client: {body: {length: 2}}}", "client.body"),
        ("{client: {trailers: {t: '1'}}}", "client.trailers.t"),
        ("{client: reset}", "client"),
        ("{upstream: none}", "upstream"),
        ("{upstream: {method: POST}}", "upstream.method"),
        ("{upstream: {complete: false}}", "upstream.complete"),
        ("{callouts: [{cluster: auth}]}", "callouts"),
        ("{metrics: {seen: 1}}", "metrics.seen"),
        ("{metadata: {ns: {k: v}}}", "metadata.ns.k"),
        ("{details: via_upstream}", "details"),
        ("{log: [oops]}", "log"),
    ] {
        assert_eq!(mismatched(wanted, &seen), [what], "{wanted}");
    }
    let holds =
        "{client: {status: 200, headers: {a: '1', b: null}, body: x}, upstream: {method: GET}, callouts: []}";
    assert_eq!(mismatched(holds, &seen), [] as [&str; 0]);
}

#[test]
fn an_incomplete_request_fails_unless_it_is_expected() {
    let seen = Seen { upstream: Some(SeenRequest::default()), ..Seen::default() };
    assert_eq!(mismatched("{upstream: {}}", &seen), ["upstream.complete"]);
    assert_eq!(mismatched("{upstream: {complete: false}}", &seen), [] as [&str; 0]);
}

#[test]
fn a_hanging_exchange_fails_whatever_is_expected() {
    let seen = Seen { client: ClientSaw::Hang, ..Seen::default() };
    assert_eq!(mismatched("{upstream: none}", &seen), ["client"]);
}

#[test]
fn joined_lines_are_the_same_as_lines_except_cookies() {
    let of = |name| answered(SeenResponse { headers: lines(&[(name, "1,2")]), ..Default::default() });
    assert_eq!(mismatched("{client: {headers: {a: ['1', '2']}}}", &of("a")), [] as [&str; 0]);
    assert_eq!(mismatched("{client: {headers: {a: ['2', '1']}}}", &of("a")), ["client.headers.a"]);
    let cookies = "{client: {headers: {set-cookie: ['1', '2']}}}";
    assert_eq!(mismatched(cookies, &of("set-cookie")), ["client.headers.set-cookie"]);
}
