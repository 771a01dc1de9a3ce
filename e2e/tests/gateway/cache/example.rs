//! `examples/caching`, as its README has it.

use std::fs;
use std::path::Path;

use super::{cache_status, is_hit};
use crate::client::{Answer, ask, get};
use crate::controller::Controller;

/// Puts the example in the place of what is in `folder`, on the same ports.
fn example(folder: &Path) {
    let port = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let digits = text.split("port: ").nth(1).unwrap();
        digits.split(|char: char| !char.is_ascii_digit()).next().unwrap().to_owned()
    };
    let (listener, upstream) = (port("gateway.yaml"), port("route.yaml"));
    fs::read_dir(folder).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/caching");
    for name in ["gateway.yaml", "policies.yaml"] {
        let text = fs::read_to_string(from.join(name)).unwrap();
        let text = text.replace("port: 8080", &format!("port: {listener}"));
        fs::write(folder.join(name), text.replace("port: 9000", &format!("port: {upstream}"))).unwrap();
    }
}

#[test]
fn the_example_caches_as_it_says_and_purges_by_tag() {
    let controller = Controller::with(&[], example);
    controller.wait_for_line("Gateway default/pages: serving");
    let gateway = controller.gateway;
    assert!(cache_status(&get(gateway, "/a?x=1&y=2")).starts_with("ferrule; fwd=uri-miss"));
    assert!(is_hit(&get(gateway, "/a?y=2&utm_source=mail&x=1")));
    let with_session = ask(gateway, "GET", "/a?x=1&y=2", &[("cookie", "session=1")]);
    assert!(cache_status(&with_session).starts_with("ferrule; fwd=bypass"), "{with_session:?}");
    assert_eq!([(); 2].map(|()| cache_status(&get(gateway, "/account")).to_owned()), ["", ""]);

    let news = || -> Answer { get(gateway, "/news") };
    assert!(!is_hit(&news()) && is_hit(&news()));
    assert_eq!(news().header("cache-tag"), None, "tags are not for clients");
    let purged = controller.cache(&["purge", "--tag", "news"]);
    assert!(String::from_utf8_lossy(&purged.stdout).contains(": purged 1\n"), "{purged:?}");
    assert!(!is_hit(&news()));

    let url = "http://localhost/a?x=1&y=2";
    let seen = controller.cache(&["inspect", url]);
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    for line in
        ["the request: hit, because what is stored is fresh", "    * 200 with ", "stale-if-error 600 s"]
    {
        assert!(seen.contains(line), "{seen}");
    }
}
