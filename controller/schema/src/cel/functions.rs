//! The functions that rules may call: CEL's own and those of Kubernetes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use kube_cel::KubeCelExt;
use kube_cel::cel::extractors::This;
use kube_cel::cel::{Context, ExecutionError};
use regex::Regex;

/// Patterns that are kept; rules have some twenty.
const MOST_PATTERNS: usize = 1000;

/// Lends the functions, which are registered once a thread.
pub(super) fn with_functions<T>(take: impl FnOnce(&Context<'static>) -> T) -> T {
    thread_local! {
        static FUNCTIONS: Context<'static> = {
            let mut functions = Context::default().with_all();
            functions.add_function("matches", matches);
            functions
        };
    }
    FUNCTIONS.with(take)
}

/// As CEL's own `matches`, which compiles its pattern each time.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    static PATTERNS: LazyLock<Mutex<HashMap<Arc<String>, Regex>>> = LazyLock::new(Mutex::default);
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = patterns.get(&pattern) {
        return Ok(known.is_match(&text));
    }
    let compiled =
        Regex::new(&pattern).map_err(|error| ExecutionError::function_error("matches", error.to_string()))?;
    let found = compiled.is_match(&text);
    if patterns.len() < MOST_PATTERNS {
        patterns.insert(pattern, compiled);
    }
    Ok(found)
}
