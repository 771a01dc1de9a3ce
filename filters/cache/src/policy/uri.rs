//! Target URIs (RFC 9110 §4.2, §7.1) and references resolved against them (RFC 3986 §5.2).

/// An http(s) URI in its normal form (RFC 9110 §4.2.3): scheme and host in lower case, no default port, a path that begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and, where it is not the scheme's own, port.
    pub authority: String,
    /// Path and query, as received.
    pub path: String,
}

impl Uri {
    /// The target of a request. Bytes that are no UTF-8 are percent-encoded, so that two targets never become one.
    pub fn new(scheme: &str, authority: &[u8], path: &[u8]) -> Self {
        let scheme = scheme.to_ascii_lowercase();
        let authority = text(authority).to_ascii_lowercase();
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
        let authority = authority.strip_suffix(':').unwrap_or(authority).to_owned();
        let path = text(path);
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') || path == "*" { path.to_owned() } else { format!("/{path}") };
        Self { scheme, authority, path }
    }

    /// Reads an absolute URI; none where it is not one of http or https.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        (!authority.is_empty()).then(|| Self::new(scheme, authority.as_bytes(), path.as_bytes()))
    }

    /// Resolves a reference against this URI (RFC 3986 §5.2.2); none where it names another scheme than http and https.
    pub fn resolve(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim_matches([' ', '\t']);
        let reference = reference.split('#').next().unwrap_or_default();
        if has_scheme(reference) {
            return Self::parse(reference).map(Self::without_dots);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme)).map(Self::without_dots);
        }
        let (base, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let path = match reference {
            "" => self.path.clone(),
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            query if query.starts_with('?') => format!("{base}{query}"),
            relative => format!("{}{relative}", &base[..base.rfind('/').map_or(0, |at| at + 1)]),
        };
        Some(Self { path, ..self.clone() }.without_dots())
    }

    /// Whether both have the same origin (RFC 9110 §4.3.1).
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority == other.authority
    }

    /// RFC 3986 §5.2.4
    fn without_dots(self) -> Self {
        let (path, query) = match self.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*self.path, None),
        };
        let mut kept: Vec<&str> = Vec::new();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let ends_in_dots = matches!(segments.last(), Some(&"." | &".."));
        for segment in segments {
            match segment {
                "." => {}
                ".." => drop(kept.pop()),
                segment => kept.push(segment),
            }
        }
        let mut path = format!("/{}", kept.join("/"));
        if ends_in_dots && !path.ends_with('/') {
            path.push('/');
        }
        if let Some(query) = query {
            path.push('?');
            path.push_str(query);
        }
        Self { path, ..self }
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// RFC 3986 §3.1
fn has_scheme(reference: &str) -> bool {
    let Some((scheme, _)) = reference.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
}

fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn resolve(reference: &str) -> Option<String> {
        Uri::new("http", b"A.example:80", b"/b/c/d?q").resolve(reference).map(|uri| uri.to_string())
    }

    #[test]
    fn equivalent_targets_are_one() {
        let plain = Uri::new("http", b"a.example", b"/x");
        assert_eq!(Uri::new("HTTP", b"A.EXAMPLE:80", b"/x#f"), plain);
        assert_eq!(Uri::parse("http://u@a.example:/x"), Some(plain.clone()));
        assert_ne!(Uri::new("https", b"a.example:80", b"/x"), plain);
        assert_ne!(Uri::new("http", b"a.example", b"/X"), plain);
        assert_eq!(Uri::new("http", b"a", b"").path, "/");
        assert_ne!(Uri::new("http", b"a", b"/\xff"), Uri::new("http", b"a", b"/\xfe"));
    }

    #[test]
    fn references_resolve_as_in_rfc_3986() {
        for (reference, expected) in [
            ("", "http://a.example/b/c/d?q"),
            ("e", "http://a.example/b/c/e"),
            ("./e/.", "http://a.example/b/c/e/"),
            ("../e", "http://a.example/b/e"),
            ("../../../../e", "http://a.example/e"),
            ("/e?x#f", "http://a.example/e?x"),
            ("?y", "http://a.example/b/c/d?y"),
            ("//B:8080/e", "http://b:8080/e"),
            ("https://a.example:443", "https://a.example/"),
            (" e ", "http://a.example/b/c/e"),
            ("..", "http://a.example/b/"),
            ("e?/../x", "http://a.example/b/c/e?/../x"),
        ] {
            assert_eq!(resolve(reference).as_deref(), Some(expected), "{reference}");
        }
        for none in ["mailto:a@b", "ftp://a/b", "http:///e", "http:e"] {
            assert_eq!(resolve(none), None, "{none}");
        }
    }
}
