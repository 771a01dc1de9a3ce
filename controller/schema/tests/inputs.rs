//! The inputs of the translator's goldens, and the examples, are objects that an API server takes, but for those that
//! are about what it would not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::fmt::Write;

use ferrule_schema::Schemas;
use support::{compare, here, objects};

#[test]
fn only_inputs_about_bad_input_are_refused() {
    let mut told = String::new();
    let mut taken = 0;
    for folder in ["../translate/tests/golden", "../../examples"] {
        for (file, object) in objects(&here(folder)) {
            if folder.ends_with("golden") && !file.ends_with(".in.yaml") {
                continue;
            }
            let violations = Schemas::builtin().validate(&object, None).unwrap_or_default();
            taken += usize::from(violations.is_empty());
            for violation in violations {
                let about = format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
                writeln!(told, "{file}: {about}: {violation}").unwrap();
            }
        }
    }
    assert!(taken > 200, "only {taken} objects were taken");
    compare(&here("tests/golden/inputs.txt"), &told);
}
