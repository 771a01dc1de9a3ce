//! A folder as a source of objects, on a real file system.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn backend(name: &str, port: u16) -> String {
    format!(
        "apiVersion: gateway.kgateway.dev/v1alpha1\nkind: Backend\nmetadata: {{name: {name}}}\nspec:\n  type: \
         Static\n  static:\n    hosts:\n    - {{host: 127.0.0.1, port: {port}}}\n---\n"
    )
}

/// A folder and what the world holds of it, as names with a mark of each put.
struct Fixture {
    home: TempDir,
    folder: Folder,
}

impl Fixture {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path()).unwrap();
        Self { home, folder }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As editors do it.
        let draft = path.with_extension("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, path).unwrap();
    }

    /// Names put (`+name`) and removed (`-name`).
    fn look(&mut self) -> Vec<String> {
        names(&self.folder.look(Patience::Now))
    }

    fn problems(&self) -> Vec<String> {
        let home = format!("{}/", self.home.path().display());
        self.folder.diagnostics().iter().map(|problem| problem.to_string().replace(&home, "")).collect()
    }
}

fn names(look: &Look) -> Vec<String> {
    let put = look.changes.put.keys().map(|key| format!("+{}", key.name));
    put.chain(look.changes.removed.iter().map(|key| format!("-{}", key.name))).collect()
}

#[test]
fn only_what_changed_is_read_again() {
    let mut it = Fixture::new();
    it.write("a.yaml", &backend("a", 1));
    it.write("sub/b.yaml", &backend("b", 1));
    assert_eq!(it.look(), ["+a", "+b"]);
    std::thread::sleep(std::time::Duration::from_millis(40));
    assert_eq!(it.folder.look(Patience::Now).read, 0);
    it.write("a.yaml", &backend("a", 2));
    let look = it.folder.look(Patience::Now);
    assert_eq!((names(&look), look.read), (vec!["+a".to_owned()], 1));
    fs::remove_file(it.home.path().join("sub/b.yaml")).unwrap();
    assert_eq!(it.look(), ["-b"]);
}

#[test]
fn a_syntax_error_keeps_all_that_its_document_could_have_been() {
    let mut it = Fixture::new();
    it.write("a.yaml", &[backend("a", 1), backend("b", 1)].concat());
    it.look();
    it.write("a.yaml", &[backend("a", 2), "kind: [\n---\n".to_owned(), backend("c", 1)].concat());
    assert_eq!(it.look(), ["+a", "+c"]);
    assert_eq!(it.problems().len(), 1);
    it.write("a.yaml", &backend("c", 1));
    assert_eq!(it.look(), ["-a", "-b"]);
    assert_eq!(it.problems(), [] as [&str; 0]);
}

#[test]
fn an_unknown_field_keeps_the_object_and_says_where_it_is() {
    let mut it = Fixture::new();
    it.write("a.yaml", &[backend("a", 1), backend("b", 1)].concat());
    it.look();
    let broken = backend("b", 2).replace("  type: Static", "  bogus: 1\n  type: Static");
    it.write("a.yaml", &[backend("a", 2), broken].concat());
    assert_eq!(it.look(), ["+a"]);
    let problems = it.problems();
    assert!(problems[0].starts_with("a.yaml:14:3: Backend default/b: spec.bogus: "), "{problems:?}");
    assert!(problems[0].contains("unknown field"), "{problems:?}");
}

#[test]
fn of_two_files_with_one_object_the_first_serves_until_it_is_gone() {
    let mut it = Fixture::new();
    it.write("b.yaml", &backend("x", 1));
    it.look();
    it.write("a.yaml", &backend("x", 2));
    assert_eq!(it.look(), [] as [&str; 0]);
    assert_eq!(
        it.problems(),
        [
            "a.yaml:1:1: Backend default/x: is already defined in b.yaml:1, which stays in use; remove one of the two"
        ]
    );
    fs::remove_file(it.home.path().join("b.yaml")).unwrap();
    assert_eq!(it.look(), ["+x"]);
    assert_eq!(it.problems(), [] as [&str; 0]);
}

#[test]
fn an_object_twice_in_one_file_stays_the_first() {
    let mut it = Fixture::new();
    it.write("a.yaml", &[backend("x", 1), backend("x", 2)].concat());
    assert_eq!(it.look(), ["+x"]);
    assert!(it.problems()[0].contains("is already defined on line 1"), "{:?}", it.problems());
}

#[test]
fn a_folder_that_vanishes_keeps_what_it_held_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("config");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.yaml"), backend("a", 1)).unwrap();
    let mut folder = Folder::new(&root).unwrap();
    folder.look(Patience::Now);
    fs::remove_dir_all(&root).unwrap();
    assert!(folder.look(Patience::Now).changes.is_empty());
    assert!(folder.diagnostics()[0].to_string().contains("no such folder"));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("b.yaml"), backend("b", 1)).unwrap();
    assert_eq!(names(&folder.look(Patience::Now)), ["+b", "-a"]);
    assert!(folder.diagnostics().is_empty());
}

#[test]
fn an_empty_folder_is_told_and_empties_the_world() {
    let mut it = Fixture::new();
    assert_eq!(it.look(), [] as [&str; 0]);
    let told = format!("{}: warning: holds no manifest (*.yaml, *.yml, *.json)", it.home.path().display());
    assert_eq!(it.problems(), [told]);
    it.write("a.yaml", &backend("a", 1));
    assert_eq!(it.look(), ["+a"]);
    assert_eq!(it.problems(), [] as [&str; 0]);
    fs::remove_file(it.home.path().join("a.yaml")).unwrap();
    assert_eq!(it.look(), ["-a"]);
    assert_eq!(it.problems().len(), 1);
}

#[test]
fn a_mistyped_kind_keeps_the_object_and_a_kind_for_others_does_not() {
    let mut it = Fixture::new();
    let text = [backend("a", 1), backend("b", 1)].concat();
    it.write("a.yaml", &text);
    it.look();
    it.write("a.yaml", &text.replacen("kind: Backend", "kind: backend", 1));
    assert_eq!(it.look(), [] as [&str; 0]);
    assert_eq!(it.problems(), ["a.yaml:2:1: backend a: kind: there is no kind backend; is Backend meant?"]);
    it.write("a.yaml", &text.replacen("kind: Backend", "kind: DirectResponse", 1));
    assert_eq!(it.look(), ["-a"]);
    let unserved = "DirectResponse of gateway.kgateway.dev/v1alpha1 is not served; ignored";
    assert_eq!(it.problems(), [format!("a.yaml:2:1: DirectResponse a: kind: {unserved}")]);
    it.write("a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n");
    it.look();
    assert!(it.problems()[0].contains("warning: Deployment a: kind: "), "{:?}", it.problems());
}

#[test]
fn a_configmap_swap_is_one_change() {
    let mut it = Fixture::new();
    let home = it.home.path().to_owned();
    let put = |version: &str, port| {
        fs::create_dir(home.join(version)).unwrap();
        fs::write(home.join(version).join("a.yaml"), backend("a", port)).unwrap();
        symlink(version, home.join("..tmp")).unwrap();
        fs::rename(home.join("..tmp"), home.join("..data")).unwrap();
    };
    put("..1", 1);
    symlink("..data/a.yaml", home.join("a.yaml")).unwrap();
    assert_eq!(it.look(), ["+a"]);
    put("..2", 2);
    assert_eq!(it.look(), ["+a"]);
}

#[test]
fn a_file_being_written_is_left_alone_until_it_is_quiet() {
    let mut it = Fixture::new();
    it.write("a.yaml", &backend("a", 1));
    let look = it.folder.look(Patience::Settled);
    assert!(look.again && look.changes.is_empty());
    let mut looks = 0;
    while it.folder.look(Patience::Settled).changes.is_empty() {
        looks += 1;
        assert!(looks < 1000, "never read");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused_and_keep_their_objects() {
    let mut it = Fixture::new();
    it.write("a.yaml", &backend("a", 1));
    it.look();
    fs::write(it.home.path().join("a.yaml"), b"a: 1\n\xff").unwrap();
    assert_eq!(it.look(), [] as [&str; 0]);
    assert_eq!(it.problems(), ["a.yaml: is not UTF-8 text (line 2)"]);
    fs::File::create(it.home.path().join("a.yaml")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(it.look(), [] as [&str; 0]);
    assert_eq!(it.problems(), ["a.yaml: is larger than 16 MiB; cut it into several"]);
    it.write("a.yaml", &backend("a", 1));
    it.look();
    assert_eq!(it.problems(), [] as [&str; 0]);
}

#[test]
fn a_missing_folder_is_told_by_the_name_it_was_given() {
    let folder = &mut Folder::new(Path::new("no/such")).unwrap();
    folder.look(Patience::Now);
    assert_eq!(
        folder.diagnostics()[0].to_string(),
        "no/such: there is no such folder; what it held stays in use"
    );
}

#[test]
fn a_watched_folder_tells_what_it_holds_and_then_what_changes() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.yaml"), backend("a", 1)).unwrap();
    let (sender, updates) = std::sync::mpsc::channel();
    let (stopper, thread) = spawn(home.path(), move |update| sender.send(update).is_ok()).unwrap();
    let mut held = std::collections::BTreeSet::new();
    let mut until = |wanted: &[&str]| {
        while held.iter().map(String::as_str).collect::<Vec<_>>() != wanted {
            let update = updates.recv_timeout(Duration::from_secs(20)).expect("no update");
            held.extend(update.changes.put.into_keys().map(|key| key.name.to_string()));
            held.retain(|name| update.changes.removed.iter().all(|key| *key.name != **name));
        }
    };
    until(&["a"]);
    fs::create_dir_all(home.path().join("x/y")).unwrap();
    fs::write(home.path().join("x/y/b.yaml"), backend("b", 1)).unwrap();
    until(&["a", "b"]);
    fs::remove_dir_all(home.path().join("x")).unwrap();
    until(&["a"]);
    fs::create_dir_all(home.path().join("x/y")).unwrap();
    fs::write(home.path().join("x/y/c.yaml"), backend("c", 1)).unwrap();
    until(&["a", "c"]);
    stopper.stop();
    thread.join().unwrap();
}
