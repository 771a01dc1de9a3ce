//! A request on its way to the origin: what the proxy made of it there, for who must make it again without its client.

use std::time::Duration;

use ferrule_kit::{Callout, FieldLines, Fields, Host, Value, changes_on_its_way};

/// How long such a request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The conditions and parts that a request asks for are its own.
const OWN: [&str; 5] = ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "range"];
const CREDENTIALS: [&str; 2] = ["authorization", "proxy-authorization"];
/// What belongs to one exchange alone, besides what proxies set, change or remove.
const PASSING: [&str; 2] = ["if-range", "x-request-id"];

fn is_passing(name: &str) -> bool {
    changes_on_its_way(name) || OWN.contains(&name) || PASSING.contains(&name)
}

/// A request as it went on to the origin.
#[derive(Debug)]
pub(crate) struct Onward {
    cluster: String,
    lines: FieldLines,
}

impl Onward {
    /// The stream's request; none where it is not known where it goes.
    pub(crate) fn read(host: &dyn Host) -> Option<Self> {
        let Some(Value::Text(cluster)) = host.attribute("xds.cluster_name") else { return None };
        let cluster = String::from_utf8(cluster.into_owned()).ok().filter(|cluster| !cluster.is_empty())?;
        let mut lines = owned_fields(host);
        lines.retain(|(name, _)| !is_passing(name));
        Some(Self { cluster, lines })
    }

    /// Makes of it what [`differences`] found of another.
    pub(crate) fn recast<'a>(mut self, differences: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let differences: Vec<_> = differences.collect();
        self.lines.retain(|(name, _)| differences.iter().all(|(other, _)| other != name));
        let set = differences.into_iter().filter(|(_, value)| !value.is_empty());
        self.lines.extend(set.map(|(name, value)| (name.to_owned(), value.to_vec())));
        self
    }

    /// The request, by GET and with further lines.
    pub(crate) fn callout(mut self, lines: impl IntoIterator<Item = (String, Vec<u8>)>) -> Callout {
        self.lines.retain(|(name, _)| name != ":method");
        self.lines.insert(0, (":method".to_owned(), b"GET".to_vec()));
        self.lines.extend(lines);
        Callout { cluster: self.cluster, fields: self.lines, body: Vec::new(), timeout: PATIENCE }
    }
}

/// How the request's fields differ from those that came to this filter. None where credentials do: what made them is not here.
pub(crate) fn differences(came: &[(String, Vec<u8>)], host: &dyn Host) -> Option<FieldLines> {
    let went = owned_fields(host);
    let values = |lines: &[(String, Vec<u8>)], name: &str| {
        lines.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let mut names: Vec<&String> = came.iter().chain(&went).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let mut differences = Vec::new();
    for name in names.into_iter().filter(|name| !is_passing(name)) {
        let (before, after) = (values(came, name), values(&went, name));
        if before == after {
            continue;
        }
        if CREDENTIALS.contains(&&**name) {
            return None;
        }
        let after = if after.is_empty() { vec![Vec::new()] } else { after };
        differences.extend(after.into_iter().map(|value| (name.clone(), value)));
    }
    Some(differences)
}

/// The request's header section.
pub(crate) fn owned_fields(host: &dyn Host) -> FieldLines {
    let lines = host.field_lines(Fields::RequestHeaders).into_iter();
    lines.map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value.into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrule_kit::MemoryHost;

    fn lines(lines: &[(&str, &str)]) -> FieldLines {
        lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn what_the_proxy_makes_of_a_request_can_be_made_of_another() {
        let came = lines(&[(":path", "/a"), ("x-a", "1"), ("x-b", "1"), ("if-none-match", "\"c\"")]);
        let went =
            [(":path", "/in/a"), ("x-b", "1"), ("x-c", "2"), ("x-c", "3"), ("x-envoy-attempt-count", "1")];
        let differences = differences(&came, &MemoryHost::with_request(went)).unwrap();
        assert_eq!(differences, lines(&[(":path", "/in/a"), ("x-a", ""), ("x-c", "2"), ("x-c", "3")]));
        let mut host =
            MemoryHost::with_request([(":path", "/a"), ("x-a", "9"), ("x-b", "8"), ("range", "bytes=0-1")]);
        assert!(Onward::read(&host).is_none());
        host.attributes.insert("xds.cluster_name".to_owned(), Value::Text(b"origin".as_slice().into()));
        let onward = Onward::read(&host).unwrap();
        let callout = onward.recast(differences.iter().map(|(name, value)| (&**name, &**value))).callout([]);
        let made = [(":method", "GET"), ("x-b", "8"), (":path", "/in/a"), ("x-c", "2"), ("x-c", "3")];
        assert_eq!((callout.cluster.as_str(), callout.fields), ("origin", lines(&made)));
    }

    #[test]
    fn credentials_that_the_proxy_adds_are_not_kept() {
        let host = MemoryHost::with_request([("authorization", "AWS4-HMAC-SHA256 x")]);
        assert_eq!(differences(&[], &host), None);
        assert_eq!(differences(&lines(&[("authorization", "AWS4-HMAC-SHA256 x")]), &host), Some(Vec::new()));
    }
}
