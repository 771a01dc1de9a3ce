//! What an answer to an unsafe request makes unusable (RFC 9111 §4.4).

use super::field::Section;
use super::method::Method;
use super::uri::Uri;

/// The URIs whose stored responses are invalidated by a response; none where it is an error, or the method is safe.
pub fn invalidated(
    method: Method,
    target: &Uri,
    status: u16,
    response: &(impl Section + ?Sized),
) -> Vec<Uri> {
    // §4.4: "A non-error response is one with a 2xx (Successful) or 3xx (Redirection) status code."
    if !method.invalidates() || !(200..=399).contains(&status) {
        return Vec::new();
    }
    let mut uris = vec![target.clone()];
    for name in ["location", "content-location"] {
        let lines = response.values(name);
        let named = lines.first().and_then(|line| std::str::from_utf8(line).ok());
        let named = named.and_then(|reference| target.resolve(reference));
        // §4.4: MUST NOT be triggered where the origins differ.
        uris.extend(named.filter(|uri| uri.is_same_origin(target) && uri != target));
    }
    uris
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of(method: &str, status: u16, lines: &[(&str, &str)]) -> Vec<String> {
        let lines: Vec<_> = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let target = Uri::new("http", b"a.example", b"/x");
        let uris = invalidated(Method::parse(method.as_bytes()), &target, status, &lines[..]);
        uris.iter().map(|uri| uri.path.clone()).collect()
    }

    #[test]
    fn answers_to_unsafe_and_unknown_methods_invalidate_unless_they_are_errors() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"] {
            for status in [200, 204, 302] {
                assert_eq!(of(method, status, &[]), ["/x"], "{method} {status}");
            }
            for status in [199, 400, 404, 500, 503] {
                assert_eq!(of(method, status, &[]), [""; 0], "{method} {status}");
            }
        }
        for safe in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            assert_eq!(of(safe, 200, &[]), [""; 0], "{safe}");
        }
    }

    #[test]
    fn what_location_and_content_location_name_goes_where_the_origin_is_the_same() {
        assert_eq!(
            of("POST", 201, &[("location", "y"), ("content-location", "http://A.example:80/z")]),
            ["/x", "/y", "/z"]
        );
        assert_eq!(
            of("POST", 201, &[("location", "//b.example/y"), ("content-location", "https://a.example/z")]),
            ["/x"]
        );
        assert_eq!(
            of("POST", 201, &[("location", "/x"), ("content-location", "\u{fffd}:")]),
            ["/x", "/\u{fffd}:"]
        );
    }
}
