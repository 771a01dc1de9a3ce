#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use super::test;
use super::*;

#[track_caller]
fn does_not_compile(template: &str, error: &str) {
    assert_eq!(Template::compile(template).map(drop).unwrap_err().to_string(), error, "{template}");
}

#[test]
fn syntax_errors_show_the_line_and_the_place() {
    does_not_compile(
        "first\n  {{ user. }}",
        "unexpected end of variable block, expected identifier or integer at line 2, column 12\n    {{ user. }}\n             ^",
    );
    let error = Template::compile("{% if x %}").unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn what_does_not_exist_is_found_when_a_template_is_compiled() {
    does_not_compile(
        "{{ heade('x') }}",
        "no function is called `heade` at line 1, column 4\n  {{ heade('x') }}\n     ^",
    );
    for (template, part) in [
        ("{{ 'a' | uper }}", "no filter is called `uper`"),
        ("{{ 1 is od }}", "no test is called `od`"),
        ("{% include 'x' %}", "stands alone"),
        ("{% extends 'x' %}", "stands alone"),
        ("{% block x %}{% endblock %}", "stands alone"),
        ("{% autoescape true %}{% endautoescape %}", "`autoescape` is not supported"),
        ("{{ super() }}", "stands alone"),
        ("{{ self.x() }}", "can be called"),
        ("{{ f(1)(2) }}", "can be called"),
    ] {
        let error = Template::compile(template).unwrap_err().to_string();
        assert!(error.contains(part), "{template}: {error}");
    }
}

#[test]
fn needs_are_what_a_template_can_read() {
    let needs = |template: &str| Template::compile(template).unwrap().needs().clone();
    assert_eq!(needs("plain {{ header('x') }} {{ env('y') }}"), Needs::default());
    assert!(needs("{% if false %}{{ body() }}{% endif %}").body);
    assert!(needs("{{ context().x }}").context);
    assert_eq!(needs("{{ user.name }}{{ items[user.n] }}").variables, ["user", "items"]);
    assert_eq!(needs("{% set a = 1 %}{{ a }}").variables, ["a"]);
    assert_eq!(needs("{% for x in xs %}{{ loop.index }}{% endfor %}").variables, ["xs", "loop"]);
    assert!(needs("{{ 'body()' }}").variables.is_empty());
    assert!(needs("{{ request_header('x') }}").request && needs("{{ get_cookie('x') | upper }}").request);
    let named = needs("{{ extraction('a') }}{{ secret(extraction(b)) }}").named;
    assert_eq!(
        named,
        [(Source::Extractor, Some("a".to_owned())), (Source::Secret, None), (Source::Extractor, None)]
    );
}
