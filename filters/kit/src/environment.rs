//! Which environment variables of the proxy templates may see.
//!
//! By default only the proxy's own identity. The operator adds names, separated by commas, in `FERRULE_ENV_ALLOW`.

use std::sync::OnceLock;

/// Variables that a Ferrule proxy sets for itself and that are no secret.
pub const IDENTITY: [&str; 5] = ["POD_NAME", "POD_NAMESPACE", "POD_IP", "NODE_NAME", "HOSTNAME"];

/// The variable that holds further allowed names.
pub const ALLOW: &str = "FERRULE_ENV_ALLOW";

/// The value of `name` in this process, if templates may see it.
pub fn lookup(name: &str) -> Option<String> {
    static ALLOWED: OnceLock<String> = OnceLock::new();
    let allowed = ALLOWED.get_or_init(|| std::env::var(ALLOW).unwrap_or_default());
    is_allowed(name, allowed).then(|| std::env::var(name).ok()).flatten()
}

/// Whether `name` is part of the identity or of the comma-separated list `allowed`.
pub fn is_allowed(name: &str, allowed: &str) -> bool {
    !name.is_empty() && (IDENTITY.contains(&name) || allowed.split(',').any(|entry| entry.trim() == name))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn only_the_identity_and_the_operators_names_are_visible() {
        assert!(is_allowed("POD_NAME", ""));
        assert!(is_allowed("REGION", "ZONE, REGION"));
        assert!(!is_allowed("AWS_SECRET_ACCESS_KEY", "ZONE,REGION"));
        assert!(!is_allowed("", ",,"));
    }
}
