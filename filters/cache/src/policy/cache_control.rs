//! Cache-Control (RFC 9111 §5.2) of requests and responses.
//!
//! Where a directive comes twice, the first counts (RFC 9111 §4.2.1). Where its argument cannot be read, a lifetime is none at
//! all (§4.2.1: "encouraged to consider responses that have invalid freshness information to be stale").

use std::borrow::Cow;

use super::field::{is_token_char, members, trim, unquote};
use super::time::delta_seconds;

/// A directive as written: its name in any case and its argument, if any, out of its quotes.
pub type Directive<'a> = (&'a [u8], Option<Cow<'a, [u8]>>);

/// The directives of a combined field value; members that have no name are left out.
pub fn directives(value: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    members(value).filter_map(directive)
}

fn directive(member: &[u8]) -> Option<Directive<'_>> {
    let end = member.iter().position(|byte| !is_token_char(*byte)).unwrap_or(member.len());
    let (name, rest) = member.split_at(end);
    if name.is_empty() {
        return None;
    }
    let argument = match rest {
        [] => None,
        // RFC 9111 §5.2: both forms of arguments are accepted, whichever a directive's definition uses.
        [b'=', argument @ ..] => Some(unquote(argument).unwrap_or(Cow::Borrowed(argument))),
        // Junk after the name: it still restricts what it restricts, but is no number.
        junk => Some(Cow::Borrowed(junk)),
    };
    Some((name, argument))
}

/// What a directive with field names says (RFC 9111 §5.2.2.4, §5.2.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Qualified {
    /// Absent.
    #[default]
    No,
    /// About these fields alone; names in lower case.
    Fields(Vec<String>),
    /// About the whole response.
    All,
}

impl Qualified {
    /// Reads an argument: none, or one without any name, is about the whole response.
    pub fn parse(argument: Option<&[u8]>) -> Self {
        let Some(argument) = argument else { return Self::All };
        let names = argument.split(|byte| *byte == b',').map(trim).filter(|name| !name.is_empty());
        let name = |name: &[u8]| {
            let is_name = name.iter().copied().all(is_token_char);
            is_name.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
        };
        match names.map(name).collect::<Option<Vec<_>>>() {
            Some(names) if !names.is_empty() => Self::Fields(names),
            _ => Self::All,
        }
    }

    /// About the whole response.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The fields it is about, where it is about some alone.
    pub fn fields(&self) -> &[String] {
        match self {
            Self::Fields(names) => names,
            Self::No | Self::All => &[],
        }
    }

    fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Fields(known), Self::Fields(more)) => known.extend(more),
            (Self::All, _) => {}
            (_, other) => *self = other,
        }
    }
}

/// A number of seconds; `Some(0)` where it was there but could not be read.
pub type Seconds = Option<u32>;

/// Directives of a response (RFC 9111 §5.2.2, RFC 5861).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// §5.2.2.1
    pub max_age: Seconds,
    /// §5.2.2.10
    pub s_maxage: Seconds,
    /// §5.2.2.2
    pub must_revalidate: bool,
    /// §5.2.2.3
    pub must_understand: bool,
    /// §5.2.2.4
    pub no_cache: Qualified,
    /// §5.2.2.5
    pub no_store: bool,
    /// §5.2.2.7
    pub private: Qualified,
    /// §5.2.2.8
    pub proxy_revalidate: bool,
    /// §5.2.2.9
    pub public: bool,
    /// RFC 5861 §3
    pub stale_while_revalidate: Seconds,
    /// RFC 5861 §4
    pub stale_if_error: Seconds,
}

impl ResponseDirectives {
    /// Reads a combined Cache-Control.
    pub fn parse(value: &[u8]) -> Self {
        let mut read = Self::default();
        directives(value).for_each(|(name, argument)| read.take(name, argument.as_deref()));
        read
    }

    /// Takes one more directive; unknown ones are ignored (RFC 9111 §5.2.3).
    pub fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("max-age") => first(&mut self.max_age, argument),
            () if is("s-maxage") => first(&mut self.s_maxage, argument),
            () if is("must-revalidate") => self.must_revalidate = true,
            () if is("must-understand") => self.must_understand = true,
            () if is("no-cache") => self.no_cache.add(Qualified::parse(argument)),
            () if is("no-store") => self.no_store = true,
            () if is("private") => self.private.add(Qualified::parse(argument)),
            () if is("proxy-revalidate") => self.proxy_revalidate = true,
            // What permits must be said as it is defined: without an argument.
            () if is("public") => self.public |= argument.is_none(),
            () if is("stale-while-revalidate") => first(&mut self.stale_while_revalidate, argument),
            () if is("stale-if-error") => first(&mut self.stale_if_error, argument),
            () => {}
        }
    }
}

fn first(seconds: &mut Seconds, argument: Option<&[u8]>) {
    seconds.get_or_insert_with(|| argument.and_then(delta_seconds).unwrap_or(0));
}

/// What a client says of stale responses (RFC 9111 §5.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxStale {
    /// However stale.
    Any,
    /// At most that many seconds beyond its lifetime.
    Seconds(u32),
}

/// Directives of a request (RFC 9111 §5.2.1, RFC 5861 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// §5.2.1.1
    pub max_age: Seconds,
    /// §5.2.1.2
    pub max_stale: Option<MaxStale>,
    /// §5.2.1.3
    pub min_fresh: Seconds,
    /// §5.2.1.4
    pub no_cache: bool,
    /// §5.2.1.5
    pub no_store: bool,
    /// §5.2.1.7
    pub only_if_cached: bool,
    /// RFC 5861 §4
    pub stale_if_error: Seconds,
}

impl RequestDirectives {
    /// None of them.
    pub const NONE: Self = Self {
        max_age: None,
        max_stale: None,
        min_fresh: None,
        no_cache: false,
        no_store: false,
        only_if_cached: false,
        stale_if_error: None,
    };

    /// Reads a combined Cache-Control, or a Pragma where there is none (§5.4).
    pub fn parse(cache_control: Option<&[u8]>, pragma: Option<&[u8]>) -> Self {
        let mut read = Self::default();
        match (cache_control, pragma) {
            (Some(value), _) => {
                directives(value).for_each(|(name, argument)| read.take(name, argument.as_deref()));
            }
            // RFC 9111 §5.4: Pragma counts only where Cache-Control is absent.
            (None, Some(pragma)) => {
                read.no_cache = directives(pragma).any(|(name, _)| name.eq_ignore_ascii_case(b"no-cache"));
            }
            (None, None) => {}
        }
        read
    }

    fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("max-age") => first(&mut self.max_age, argument),
            () if is("max-stale") => {
                let seconds = |text| MaxStale::Seconds(delta_seconds(text).unwrap_or(0));
                self.max_stale.get_or_insert(argument.map_or(MaxStale::Any, seconds));
            }
            // A bound that cannot be read is the narrowest.
            () if is("min-fresh") => {
                self.min_fresh.get_or_insert_with(|| argument.and_then(delta_seconds).unwrap_or(u32::MAX));
            }
            () if is("no-cache") => self.no_cache = true,
            () if is("no-store") => self.no_store = true,
            () if is("only-if-cached") => self.only_if_cached = true,
            () if is("stale-if-error") => first(&mut self.stale_if_error, argument),
            () => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::policy::time::MAX_SECONDS;

    fn response(value: &str) -> ResponseDirectives {
        ResponseDirectives::parse(value.as_bytes())
    }

    fn request(value: &str) -> RequestDirectives {
        RequestDirectives::parse(Some(value.as_bytes()), None)
    }

    #[test]
    fn names_are_the_same_in_any_case_and_arguments_in_both_forms() {
        let expected = ResponseDirectives { max_age: Some(60), public: true, ..Default::default() };
        for value in [
            "max-age=60,public",
            "MAX-AGE=60 , Public",
            "max-age=\"60\", PUBLIC",
            "x=\"public, no-store\", max-age=60, public",
        ] {
            assert_eq!(response(value), expected, "{value}");
        }
    }

    #[test]
    fn the_first_of_two_lifetimes_counts_and_one_that_is_no_number_is_none() {
        assert_eq!(response("max-age=5, max-age=9").max_age, Some(5));
        assert_eq!(response("max-age=99999999999999").max_age, Some(MAX_SECONDS));
        for junk in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age =1",
            "max-age= 1",
            "max-age=1s",
            "max-age='1'",
            "max-age: 1",
            "max-age=\"1",
            "max-age=junk, max-age=9",
        ] {
            assert_eq!(response(junk).max_age, Some(0), "{junk}");
        }
        for other in ["max-age-x=1", "xmax-age=1", "=1", "\"max-age=1\""] {
            assert_eq!(response(other).max_age, None, "{other}");
        }
    }

    #[test]
    fn what_restricts_does_so_with_any_argument_and_what_permits_with_none() {
        let read = response("no-store=1, must-revalidate;x, public=\"yes\"");
        assert!(read.no_store && read.must_revalidate && !read.public);
    }

    #[test]
    fn qualified_directives_name_fields_and_unqualified_ones_win() {
        let fields =
            |names: &[&str]| Qualified::Fields(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(response("private=\"Set-Cookie, x-a\"").private, fields(&["set-cookie", "x-a"]));
        assert_eq!(response("no-cache=set-cookie").no_cache, fields(&["set-cookie"]));
        assert_eq!(response("private=a, private=b").private, fields(&["a", "b"]));
        for all in [
            "private",
            "private=\"\"",
            "private=\" , \"",
            "private=\"a b\"",
            "private=a, private",
            "private, private=a",
            "private=",
        ] {
            assert_eq!(response(all).private, Qualified::All, "{all}");
        }
    }

    #[test]
    fn an_unclosed_quote_hides_no_restriction() {
        assert!(response("x=\"y, no-store").no_store);
        assert!(response("private=\"set-cookie, no-store").no_store);
    }

    #[test]
    fn requests_say_how_fresh_and_how_stale() {
        assert_eq!(request("max-stale").max_stale, Some(MaxStale::Any));
        assert_eq!(request("max-stale=7, max-stale").max_stale, Some(MaxStale::Seconds(7)));
        assert_eq!(request("max-stale=x").max_stale, Some(MaxStale::Seconds(0)));
        assert_eq!(request("min-fresh=x").min_fresh, Some(u32::MAX));
        assert_eq!(request("max-age=x").max_age, Some(0));
        assert!(request("Only-If-Cached").only_if_cached);
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        assert!(RequestDirectives::parse(None, Some(b"x, No-Cache")).no_cache);
        assert!(!RequestDirectives::parse(Some(b""), Some(b"no-cache")).no_cache);
        assert!(!RequestDirectives::parse(None, Some(b"x=\"no-cache\"")).no_cache);
    }
}
