//! Reads what Envoy writes down of each stream that is over.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Map, Value};

/// One stream.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Entry {
    site: String,
    /// Response-code details.
    pub(super) details: Option<String>,
    /// Dynamic metadata of the namespaces that the case names.
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
}

/// The file, read as it grows.
pub(super) struct AccessLog {
    file: File,
    rest: Vec<u8>,
    entries: HashMap<String, Vec<Entry>>,
}

impl AccessLog {
    /// Makes the file.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        File::create(path)?;
        Ok(Self { file: File::open(path)?, rest: Vec::new(), entries: HashMap::new() })
    }

    /// Takes the entries of a site that have come since the last call.
    pub(super) fn take(&mut self, site: &str) -> Vec<Entry> {
        self.read();
        self.entries.remove(site).unwrap_or_default()
    }

    fn read(&mut self) {
        // A file that cannot be read shows as entries that never come.
        let _ = self.file.read_to_end(&mut self.rest);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in self.rest.drain(..whole).collect::<Vec<_>>().split(|byte| *byte == b'\n') {
            if let Ok(entry) = serde_json::from_slice::<Entry>(line) {
                self.entries.entry(entry.site.clone()).or_default().push(entry);
            }
        }
    }
}

/// Asks `look` until it gives something or `patience` is over; then gives what it gave last.
pub(super) fn poll<T>(patience: Duration, mut look: impl FnMut() -> (bool, T)) -> T {
    let until = Instant::now() + patience;
    loop {
        let (enough, seen) = look();
        if enough || Instant::now() > until {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_counts_once_it_is_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut log = AccessLog::create(file.path()).unwrap();
        let mut envoy = File::options().append(true).open(file.path()).unwrap();
        envoy.write_all(b"{\"site\": \"a\", \"details\": null}\n{\"site\": \"b\",").unwrap();
        assert_eq!((log.take("a").len(), log.take("b").len()), (1, 0));
        envoy.write_all(b"\"details\": \"x\"}\n").unwrap();
        assert_eq!(log.take("b")[0].details.as_deref(), Some("x"));
        assert_eq!(log.take("b").len(), 0);
    }
}
