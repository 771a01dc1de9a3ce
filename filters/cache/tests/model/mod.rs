//! A shared cache as RFC 9111 tells it, one paragraph after the other.

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: u8,
    /// The value of the field that responses vary by.
    pub(crate) variant: u8,
    pub(crate) is_put: bool,
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) has_authorization: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) min_fresh: Option<u32>,
    pub(crate) max_stale: Option<u32>,
}

/// What the origin says of its response.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) no_store: bool,
    pub(crate) private: bool,
    pub(crate) no_cache: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) public: bool,
    pub(crate) has_tag: bool,
    pub(crate) varies: bool,
    pub(crate) max_age: Option<u32>,
    pub(crate) s_maxage: Option<u32>,
    pub(crate) stale_while_revalidate: Option<u32>,
    pub(crate) stale_if_error: Option<u32>,
    pub(crate) age: u32,
    /// Which version it is about.
    pub(crate) tag: u32,
}

/// A request after some seconds, and what the origin would answer.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) after: u64,
    pub(crate) asked: Asked,
    pub(crate) said: Said,
    /// The representation has changed.
    pub(crate) changes: bool,
}

/// What the client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Store { body: u32 },
    Validated { body: u32 },
    Origin { status: u16, body: u32, asked_about: bool },
    GatewayTimeout,
}

/// The origin: versions of representations, told apart by path and variant.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    versions: std::collections::BTreeMap<(u8, u8), u32>,
    last: u32,
}

impl Origin {
    /// Status, fields and body.
    pub(crate) fn answer(&mut self, turn: &Turn, tags: &[u32]) -> (u16, Said, u32) {
        let place = (turn.asked.path, turn.asked.variant);
        if turn.changes || !self.versions.contains_key(&place) {
            self.last += 1;
            self.versions.insert(place, self.last);
        }
        let version = self.versions[&place];
        let said = Said { tag: version, ..turn.said.clone() };
        let matches = tags.contains(&version) && said.status == 200 && !turn.asked.is_put;
        let said = Said { has_tag: said.has_tag || matches, ..said };
        (if matches { 304 } else { said.status }, said, version)
    }
}

fn list(parts: Vec<Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn flag(is: bool, name: &str) -> Option<String> {
    is.then(|| name.to_owned())
}

fn number(value: Option<u32>, name: &str) -> Option<String> {
    value.map(|value| format!("{name}={value}"))
}

impl Asked {
    pub(crate) fn lines(&self) -> Vec<(String, Vec<u8>)> {
        let directives = list(vec![
            flag(self.no_cache, "no-cache"),
            flag(self.no_store, "no-store"),
            flag(self.only_if_cached, "only-if-cached"),
            number(self.max_age, "max-age"),
            number(self.min_fresh, "min-fresh"),
            number(self.max_stale, "max-stale"),
        ]);
        let mut lines = vec![
            (":method", if self.is_put { "PUT" } else { "GET" }.to_owned()),
            (":path", format!("/{}", self.path)),
            (":authority", "a.example".to_owned()),
            (":scheme", "http".to_owned()),
            ("x-a", self.variant.to_string()),
        ];
        if !directives.is_empty() {
            lines.push(("cache-control", directives));
        }
        if self.has_authorization {
            lines.push(("authorization", "Basic x".to_owned()));
        }
        lines.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
    }
}

impl Said {
    pub(crate) fn lines(&self, status: u16) -> Vec<(String, Vec<u8>)> {
        let directives = list(vec![
            Some("x".to_owned()),
            flag(self.no_store, "no-store"),
            flag(self.private, "private"),
            flag(self.no_cache, "no-cache"),
            flag(self.must_revalidate, "must-revalidate"),
            flag(self.public, "public"),
            number(self.max_age, "max-age"),
            number(self.s_maxage, "s-maxage"),
            number(self.stale_while_revalidate, "stale-while-revalidate"),
            number(self.stale_if_error, "stale-if-error"),
        ]);
        let mut lines = vec![
            (":status", status.to_string()),
            ("cache-control", directives),
            ("age", self.age.to_string()),
        ];
        if self.has_tag {
            lines.push(("etag", format!("\"{}\"", self.tag)));
        }
        if self.varies {
            lines.push(("vary", "x-a".to_owned()));
        }
        lines.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
    }
}

#[derive(Clone, Debug)]
struct Entry {
    path: u8,
    variant: Option<u8>,
    body: u32,
    tag: Option<u32>,
    status: u16,
    came: u64,
    said: Said,
}

impl Entry {
    fn age(&self, now: u64) -> u64 {
        u64::from(self.said.age) + now - self.came
    }
    /// §4.2.1
    fn lifetime(&self) -> u64 {
        self.said.s_maxage.or(self.said.max_age).unwrap_or(0).into()
    }
    fn is_fresh(&self, now: u64) -> bool {
        self.lifetime() > self.age(now)
    }
    fn staleness(&self, now: u64) -> u64 {
        self.age(now).saturating_sub(self.lifetime())
    }
    /// §4.2.4
    fn may_be_stale(&self) -> bool {
        !self.said.no_cache && !self.said.must_revalidate && self.said.s_maxage.is_none()
    }
}

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct Model {
    entries: Vec<Entry>,
}

enum Choice {
    Serve,
    Validate,
}

impl Model {
    pub(crate) fn play(&mut self, now: u64, turn: &Turn, origin: &mut Origin) -> Outcome {
        let asked = &turn.asked;
        if asked.is_put {
            let (status, _, body) = origin.answer(turn, &[]);
            // §4.4
            if status < 400 {
                self.entries.retain(|entry| entry.path != asked.path);
            }
            return Outcome::Origin { status, body, asked_about: false };
        }
        let selected = self.select(asked);
        if let Some(place) = selected
            && let Choice::Serve = choose(&self.entries[place], asked, now)
        {
            return Outcome::Store { body: self.entries[place].body };
        }
        // §5.2.1.7
        if asked.only_if_cached {
            return Outcome::GatewayTimeout;
        }
        if asked.no_store {
            let (status, _, body) = origin.answer(turn, &[]);
            return Outcome::Origin { status, body, asked_about: false };
        }
        self.fetch(now, turn, origin, selected)
    }

    /// §4.1, and §4: the most recent; of two freshened at once, the one that varies.
    fn select(&self, asked: &Asked) -> Option<usize> {
        let matches = |entry: &Entry| {
            entry.path == asked.path && entry.variant.is_none_or(|value| value == asked.variant)
        };
        let places = (0..self.entries.len()).filter(|place| matches(&self.entries[*place]));
        places.max_by_key(|place| (self.entries[*place].came, self.entries[*place].variant))
    }

    fn fetch(&mut self, now: u64, turn: &Turn, origin: &mut Origin, selected: Option<usize>) -> Outcome {
        let asked = &turn.asked;
        // §4.3.1: the tags of all that is stored for the URI, where the selected one has one.
        let validates = selected.is_some_and(|place| self.entries[place].tag.is_some());
        let stored = self.entries.iter().filter(|entry| validates && entry.path == asked.path);
        let tags: Vec<u32> = stored.filter_map(|entry| entry.tag).collect();
        let (status, said, body) = origin.answer(turn, &tags);
        if status == 304 {
            return self.freshen(now, asked, said, selected);
        }
        if let Some(place) = selected.filter(|_| status == 503)
            && serves_on_error(&self.entries[place], asked, now)
        {
            return Outcome::Validated { body: self.entries[place].body };
        }
        let entry = Entry {
            path: asked.path,
            variant: said.varies.then_some(asked.variant),
            body,
            tag: said.has_tag.then_some(said.tag),
            status,
            came: now,
            said,
        };
        if is_stored(&entry, asked.has_authorization, now) {
            self.entries.retain(|old| (old.path, old.variant) != (entry.path, entry.variant));
            self.entries.push(entry);
        } else if let Some(place) = selected.filter(|_| status < 500 && !asked.has_authorization) {
            // What someone with credentials gets says nothing of what others do.
            self.entries.remove(place);
        }
        Outcome::Origin { status, body, asked_about: !tags.is_empty() }
    }

    /// §4.3.4
    fn freshen(&mut self, now: u64, asked: &Asked, said: Said, selected: Option<usize>) -> Outcome {
        let body = said.tag;
        let is_meant = |entry: &Entry| entry.path == asked.path && entry.tag == Some(said.tag);
        let meant = (0..self.entries.len()).filter(|place| is_meant(&self.entries[*place]));
        let latest = meant.max_by_key(|place| (self.entries[*place].came, self.entries[*place].variant));
        let answering = selected.filter(|place| is_meant(&self.entries[*place])).or(latest);
        let mut entries: Vec<Entry> = Vec::new();
        let mut moved = None;
        for (place, entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            // §3.2: a field that did not come stays as it was.
            let varies = said.varies || entry.said.varies;
            let fresh = Entry { came: now, said: Said { varies, ..said.clone() }, ..entry.clone() };
            if !is_meant(&entry) {
                entries.push(entry);
            } else if asked.has_authorization && !is_stored(&fresh, true, now) {
                // §3.5: what the origin says to someone with credentials changes what others get where it says that it may.
                entries.push(entry);
            } else if !is_stored(&fresh, false, now) {
                continue;
            } else if entry.variant.is_some() == varies {
                entries.push(fresh);
            } else if answering == Some(place) {
                // §4.1: it is selected by what the request says that it answers.
                moved = Some(Entry { variant: Some(asked.variant), ..fresh });
            }
        }
        if let Some(moved) = moved {
            entries.retain(|entry| (entry.path, entry.variant) != (moved.path, moved.variant));
            entries.push(moved);
        }
        self.entries = entries;
        Outcome::Validated { body }
    }
}

/// §4
fn choose(entry: &Entry, asked: &Asked, now: u64) -> Choice {
    let young = asked.max_age.is_none_or(|limit| entry.age(now) <= limit.into());
    let left = entry.lifetime() as i64 - entry.age(now) as i64;
    let fresh_enough = asked.min_fresh.is_none_or(|least| left >= least.into());
    if entry.said.no_cache || asked.no_cache || !young || !fresh_enough {
        return Choice::Validate;
    }
    if entry.is_fresh(now) {
        return Choice::Serve;
    }
    let window = entry.said.stale_while_revalidate.unwrap_or(0).into();
    // RFC 5861 §3: no one else refreshes it, so that this request does.
    let in_window = window > 0 && entry.staleness(now) <= window;
    let is_refreshed = in_window && !asked.only_if_cached;
    let stays = in_window && asked.only_if_cached && asked.max_age.is_none() && asked.min_fresh.is_none();
    let accepts = asked.max_stale.is_some_and(|limit| entry.staleness(now) <= limit.into());
    if entry.may_be_stale() && ((accepts && !is_refreshed) || stays) {
        Choice::Serve
    } else {
        Choice::Validate
    }
}

/// RFC 5861 §4
fn serves_on_error(entry: &Entry, asked: &Asked, now: u64) -> bool {
    let window = entry.said.stale_if_error.unwrap_or(0).into();
    let in_window = window > 0 && entry.staleness(now) <= window;
    let accepts = asked.max_stale.is_some_and(|limit| entry.staleness(now) <= limit.into());
    let young = asked.max_age.is_none_or(|limit| entry.age(now) <= limit.into());
    entry.may_be_stale() && !asked.no_cache && young && (in_window || accepts || entry.is_fresh(now))
}

/// §3, and that it could ever be used.
fn is_stored(entry: &Entry, has_authorization: bool, now: u64) -> bool {
    let said = &entry.said;
    let shared = said.public || said.must_revalidate || said.s_maxage.is_some();
    let explicit = said.s_maxage.is_some() || said.max_age.is_some();
    let guessed = said.public || matches!(entry.status, 200 | 404);
    let windows = said.stale_while_revalidate.unwrap_or(0) > 0 || said.stale_if_error.unwrap_or(0) > 0;
    let of_use =
        (entry.is_fresh(now) && !said.no_cache) || entry.tag.is_some() || (entry.may_be_stale() && windows);
    !said.no_store && !said.private && (!has_authorization || shared) && (explicit || guessed) && of_use
}
