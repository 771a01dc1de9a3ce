//! Containers' logs: a file for each run, each line with its time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The log of one run.
#[derive(Clone)]
pub(super) struct Log {
    file: Arc<Mutex<File>>,
}

/// The log of the run that was restarted `restarts` times before.
fn path(folder: &Path, container: &str, restarts: i32) -> PathBuf {
    folder.join("logs").join(container).join(format!("{restarts}.log"))
}

impl Log {
    /// An empty log in the folder of the pod.
    pub(super) fn create(folder: &Path, container: &str, restarts: i32) -> io::Result<Self> {
        let path = path(folder, container, restarts);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        Ok(Self { file: Arc::new(Mutex::new(File::create(path)?)) })
    }

    /// Writes what comes from both pipes until they end.
    pub(super) fn follow(
        &self,
        output: Option<impl AsyncRead + Unpin + Send + 'static>,
        errors: Option<impl AsyncRead + Unpin + Send + 'static>,
    ) {
        output.map(|output| tokio::spawn(self.clone().copy(output)));
        errors.map(|errors| tokio::spawn(self.clone().copy(errors)));
    }

    async fn copy(self, pipe: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            let mut whole = format!("{:.9} ", Timestamp::now()).into_bytes();
            whole.append(&mut line);
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            // A disk that is full must not stop the container.
            let _ = file.write_all(&whole);
        }
    }
}

/// What of a log is asked for: the query of `/containerLogs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Only lines of this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Only so many lines at the end.
    pub(crate) tail: Option<usize>,
    /// Each line with its time.
    pub(crate) timestamps: bool,
    /// The log of the run before.
    pub(crate) previous: bool,
    /// At most so many bytes.
    pub(crate) limit: Option<usize>,
    /// Go on with what is written later.
    pub(crate) follow: bool,
}

impl Selection {
    /// Reads the query; what is unknown is ignored, as the kubelet does.
    pub(super) fn of_query(query: &str, now: Timestamp) -> Self {
        let mut ours = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = value.replace("%3A", ":").replace("%3a", ":").replace("%2B", "+");
            match name {
                "sinceTime" => ours.since = value.parse().ok(),
                "sinceSeconds" => {
                    let seconds = value.parse::<i64>().ok();
                    ours.since =
                        seconds.and_then(|seconds| Timestamp::from_second(now.as_second() - seconds).ok());
                }
                "tailLines" => ours.tail = value.parse().ok(),
                "limitBytes" => ours.limit = value.parse().ok(),
                "timestamps" => ours.timestamps = value == "true",
                "previous" => ours.previous = value == "true",
                "follow" => ours.follow = value == "true",
                _ => {}
            }
        }
        ours
    }

    /// The lines of `log` that are asked for.
    pub(super) fn select(&self, log: &str) -> String {
        let since = |line: &&str| match (self.since, time(line)) {
            (Some(since), Some(time)) => time >= since,
            _ => true,
        };
        let lines: Vec<&str> = log.split_inclusive('\n').filter(since).collect();
        let first = self.tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        let mut text: String = lines[first..].iter().map(|line| self.shown(line)).collect();
        if let Some(limit) = self.limit {
            text.truncate(text.floor_char_boundary(limit));
        }
        text
    }

    fn shown<'a>(&self, line: &'a str) -> &'a str {
        match line.split_once(' ') {
            Some((_, text)) if !self.timestamps => text,
            _ => line,
        }
    }
}

fn time(line: &str) -> Option<Timestamp> {
    line.split_once(' ')?.0.parse().ok()
}

/// The path of the log of a container's latest run, or of the one before.
pub(super) fn find(folder: &Path, container: &str, previous: bool) -> Option<PathBuf> {
    let files = fs::read_dir(folder.join("logs").join(container)).ok()?;
    let numbers = files.filter_map(|file| {
        let name = file.ok()?.file_name();
        name.to_str()?.strip_suffix(".log")?.parse::<i32>().ok()
    });
    let last = numbers.max()?;
    let wanted = if previous { last - 1 } else { last };
    Some(path(folder, container, wanted)).filter(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-01-01T00:00:01.000000000Z one\n2026-01-01T00:00:02.000000000Z two\n\
                       2026-01-01T00:00:03.000000000Z three\n";

    fn select(query: &str) -> String {
        Selection::of_query(query, "2026-01-01T00:00:04Z".parse().unwrap()).select(LOG)
    }

    #[test]
    fn a_query_selects_lines_by_time_and_number() {
        assert_eq!(select(""), "one\ntwo\nthree\n");
        assert_eq!(select("sinceTime=2026-01-01T00%3A00%3A02Z"), "two\nthree\n");
        assert_eq!(select("sinceSeconds=1"), "three\n");
        assert_eq!(select("tailLines=1&timestamps=true"), "2026-01-01T00:00:03.000000000Z three\n");
        assert_eq!(select("limitBytes=5"), "one\nt");
    }

    #[tokio::test]
    async fn the_log_of_the_run_before_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (restarts, text) in [(0, "first"), (1, "second, unfinished")] {
            let log = Log::create(folder.path(), "c", restarts).unwrap();
            log.copy(text.as_bytes()).await;
        }
        let read = |previous| {
            let text = fs::read_to_string(find(folder.path(), "c", previous).unwrap()).unwrap();
            Selection::default().select(&text)
        };
        assert_eq!((read(true).as_str(), read(false).as_str()), ("first\n", "second, unfinished\n"));
        assert_eq!(find(folder.path(), "other", false), None);
    }
}
