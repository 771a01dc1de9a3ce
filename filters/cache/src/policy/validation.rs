//! Asking the origin whether a stored response is still good, and what its answer changes (RFC 9111 §4.3).

use std::borrow::Cow;

use super::entity_tag::EntityTag;
use super::field::Section;

/// What validates a stored response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators<'a> {
    /// Its ETag.
    pub etag: Option<Cow<'a, [u8]>>,
    /// Its Last-Modified.
    pub last_modified: Option<Cow<'a, [u8]>>,
}

impl<'a> Validators<'a> {
    /// Reads them; an ETag that is none does not count.
    pub fn read(response: &'a (impl Section + ?Sized)) -> Self {
        let first = |name| response.values(name).into_iter().next();
        let etag = first("etag").filter(|tag| EntityTag::parse(tag).is_some());
        Self { etag, last_modified: first("last-modified") }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    fn tag(&self) -> Option<EntityTag<'_>> {
        self.etag.as_deref().and_then(EntityTag::parse)
    }
}

/// More tags are not sent with one request.
const MAX_TAGS: usize = 16;

/// The conditions of a validating request (RFC 9111 §4.3.1): the tags of all stored responses of the key, the one that the request
/// selects first, and the selected one's Last-Modified.
pub fn conditions(selected: &Validators<'_>, others: &[Validators<'_>]) -> Vec<(&'static str, Vec<u8>)> {
    let mut lines = Vec::new();
    let mut tags: Vec<&[u8]> = Vec::new();
    // Without a tag of its own, a 304 would tell of the others and say nothing of this one.
    let others = others.iter().filter(|_| selected.etag.is_some());
    for tag in std::iter::once(selected).chain(others).filter_map(|known| known.etag.as_deref()) {
        if tags.len() < MAX_TAGS && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() {
        lines.push(("if-none-match", tags.join(&b", "[..])));
    }
    if let Some(modified) = &selected.last_modified {
        lines.push(("if-modified-since", modified.to_vec()));
    }
    lines
}

/// The places of the stored responses that a 304 updates (RFC 9111 §4.3.4), among those that were asked about, most recent first.
///
/// A 304 without validators is about the only response that was asked about, where it was one: the origin left out what it MUST
/// send (RFC 9110 §15.4.5), but its answer has one meaning alone.
pub fn updated_by(not_modified: &Validators<'_>, stored: &[Validators<'_>]) -> Vec<usize> {
    let places = |is: &dyn Fn(&Validators<'_>) -> bool| {
        let stored = stored.iter().enumerate().filter(|(_, known)| is(known));
        stored.map(|(place, _)| place).collect::<Vec<_>>()
    };
    match (not_modified.tag(), &not_modified.last_modified) {
        // "each of those strong validators identifies a selected representation for update"
        (Some(tag), _) if !tag.weak => places(&|known| {
            known.tag().is_some_and(|known| known.is_strongly(&tag) || known.weak && known.is_weakly(&tag))
        }),
        // "the most recent of those matching stored responses is identified for update"
        (Some(tag), _) => first(places(&|known| known.tag().is_some_and(|known| known.is_weakly(&tag)))),
        // A date is weak as long as nothing shows that it is not (RFC 9110 §8.8.2.2).
        (None, Some(date)) => first(places(&|known| known.last_modified.as_ref() == Some(date))),
        (None, None) if stored.len() == 1 => vec![0],
        (None, None) => Vec::new(),
    }
}

fn first(mut places: Vec<usize>) -> Vec<usize> {
    places.truncate(1);
    places
}

/// Whether a 200 to HEAD is about the stored response, so that it updates it; if not, that is stale now (RFC 9111 §4.3.5).
/// `length` is the stored body's.
pub fn head_matches(head: &(impl Section + ?Sized), stored: &Validators<'_>, length: u64) -> bool {
    let fields = Validators::read(head);
    let same_tag = match (fields.tag(), stored.tag()) {
        (Some(new), Some(known)) => new.is_weakly(&known),
        (None, None) => true,
        _ => false,
    };
    let same_date = fields.last_modified.is_none() || fields.last_modified == stored.last_modified;
    let says = head.values("content-length").first().map(|text| text.to_vec());
    let same_length = says.is_none_or(|text| text == length.to_string().into_bytes());
    same_tag && same_date && same_length
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn validators(etag: &'static str, modified: &'static str) -> Validators<'static> {
        let some = |text: &'static str| (!text.is_empty()).then_some(Cow::Borrowed(text.as_bytes()));
        Validators { etag: some(etag), last_modified: some(modified) }
    }

    #[test]
    fn all_tags_are_asked_about_and_one_date() {
        let (a, b) = (validators("\"a\"", "d1"), validators("W/\"b\"", "d2"));
        let lines = conditions(&a, &[a.clone(), b.clone()]);
        assert_eq!(
            lines,
            [("if-none-match", b"\"a\", W/\"b\"".to_vec()), ("if-modified-since", b"d1".to_vec())]
        );
        assert_eq!(conditions(&validators("", "d1"), &[b]), [("if-modified-since", b"d1".to_vec())]);
        assert_eq!(conditions(&validators("", ""), &[a]), []);
        let many: Vec<_> = (0..1000)
            .map(|n| Validators { etag: Some(format!("\"{n}\"").into_bytes().into()), last_modified: None })
            .collect();
        assert!(conditions(&many[0], &many)[0].1.len() < 100);
    }

    #[test]
    fn a_304_updates_what_its_validators_name() {
        let stored = [
            validators("\"a\"", "d"),
            validators("\"a\"", "d"),
            validators("W/\"b\"", "e"),
            validators("W/\"b\"", "e"),
            validators("", "d"),
        ];
        assert_eq!(updated_by(&validators("\"a\"", ""), &stored), [0, 1]);
        assert_eq!(updated_by(&validators("W/\"b\"", ""), &stored), [2]);
        assert_eq!(updated_by(&validators("", "d"), &stored), [0]);
        assert_eq!(updated_by(&validators("\"c\"", "d"), &stored), [0; 0]);
        assert_eq!(updated_by(&validators("", ""), &stored), [0; 0]);
        assert_eq!(updated_by(&validators("", ""), &stored[..1]), [0]);
        assert_eq!(updated_by(&validators("\"a\"", ""), &[]), [0; 0]);
    }

    #[test]
    fn a_head_that_says_otherwise_is_about_another_response() {
        let stored = validators("\"a\"", "d");
        let matches = |lines: &[(&str, &str)]| {
            let lines: Vec<_> = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
            head_matches(&lines[..], &stored, 10)
        };
        assert!(matches(&[("etag", "\"a\""), ("last-modified", "d"), ("content-length", "10")]));
        assert!(matches(&[("etag", "\"a\"")]));
        for other in [
            &[("etag", "\"b\"")][..],
            &[],
            &[("etag", "\"a\""), ("content-length", "11")],
            &[("etag", "\"a\""), ("last-modified", "x")],
        ] {
            assert!(!matches(other), "{other:?}");
        }
    }
}
