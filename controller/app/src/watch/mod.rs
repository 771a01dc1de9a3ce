//! Where objects come from: a folder, watched.
//!
//! The seam to the rest is [`Update`]: whatever a source is, it says which objects to put and which to remove, and
//! what is wrong with what it read. Nothing behind the seam knows of files but through [`Loaded`].

mod catalogue;
mod changes;
mod folder;
mod notices;
mod walk;

pub(crate) use changes::{Changes, Invitation, Loaded, content_hash};
pub(crate) use folder::{Folder, Look, Patience};
pub(crate) use notices::Stopper;

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use ferrule_translate::Issues;

use crate::diagnostic::Diagnostic;
use notices::{Notices, Woken};

/// How long the folder must be quiet before it is looked at...
const QUIET: Duration = Duration::from_millis(50);
/// ...but a folder that is never quiet is looked at this often.
const BUSY: Duration = Duration::from_millis(250);
/// A look without a notice: for file systems that give none.
const REGULAR: Duration = Duration::from_secs(5);

/// What a source has to say.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) changes: Changes,
    /// Everything that is wrong with what was read, from now on; `None` where nothing was read.
    pub(crate) diagnostics: Option<Vec<Diagnostic>>,
    /// What is known of those who sign, from now on, if there is news of them.
    pub(crate) credentials: Option<Issues>,
    /// How long it took to read what changed.
    pub(crate) took: Duration,
}

impl Update {
    /// News of objects.
    pub(crate) fn of_objects(changes: Changes, diagnostics: Vec<Diagnostic>, took: Duration) -> Self {
        Self { changes, diagnostics: Some(diagnostics), credentials: None, took }
    }

    /// News of those who sign.
    pub(crate) fn of_credentials(credentials: Issues) -> Self {
        let changes = Changes::default();
        Self { changes, diagnostics: None, credentials: Some(credentials), took: Duration::ZERO }
    }
}

/// Watches a folder on a thread of its own and sends what changes to `tell`, at once what it holds at the start, until
/// it is stopped or `tell` returns false.
///
/// # Errors
/// The kernel has no watches left, or no thread.
pub(crate) fn spawn(
    folder: &Path,
    tell: impl FnMut(Update) -> bool + Send + 'static,
) -> anyhow::Result<(Stopper, JoinHandle<()>)> {
    let folder = Folder::new(folder).context("the current folder is gone")?;
    let notices = Notices::new(folder.root()).context("cannot watch folders")?;
    let stopper = notices.stopper();
    let watch = Watch { folder, notices, tell, told: Vec::new(), refused: false };
    let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || watch.run())?;
    Ok((stopper, thread))
}

struct Watch<T> {
    folder: Folder,
    notices: Notices,
    tell: T,
    told: Vec<Diagnostic>,
    /// Whether the kernel refused to watch something.
    refused: bool,
}

impl<T: FnMut(Update) -> bool> Watch<T> {
    fn run(mut self) {
        // At the start there is nothing to lose by taking each file as it is.
        let mut patience = Patience::Now;
        let mut first = true;
        loop {
            let begun = Instant::now();
            let mut look = self.folder.look(patience);
            let again = std::mem::take(&mut look.again) | self.follow(&look);
            if !self.report(look, begun, first) {
                return;
            }
            (patience, first) = (Patience::Settled, false);
            let pause = if again { QUIET } else { REGULAR };
            if self.notices.wait(Instant::now() + pause, QUIET, BUSY) == Woken::Stopped {
                return;
            }
        }
    }

    /// Watches what the look has found; says whether something may have been missed.
    fn follow(&mut self, look: &Look) -> bool {
        match self.notices.watch(&look.walk.watch, &look.walk.above) {
            Ok(joined) => {
                self.refused = false;
                joined
            }
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::warn!(
                        "cannot watch every folder ({error}); changes may take {REGULAR:?} to show"
                    );
                }
                false
            }
        }
    }

    fn report(&mut self, look: Look, begun: Instant, first: bool) -> bool {
        let diagnostics = self.folder.diagnostics();
        let news = first || look.read > 0 || !look.changes.is_empty() || diagnostics != self.told;
        if !news {
            return true;
        }
        self.told.clone_from(&diagnostics);
        (self.tell)(Update::of_objects(look.changes, diagnostics, begun.elapsed()))
    }
}

#[cfg(test)]
mod tests;
