#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use super::test;
use super::*;

#[track_caller]
fn is_bounded(template: &str) {
    let error = render(template).unwrap_err();
    let bounds = [
        "too much work",
        "too large",
        "too deep",
        "too long",
        "too many",
        "too wide",
        "not between",
        "small integer",
    ];
    assert!(bounds.iter().any(|bound| error.contains(bound)), "{template}: {error}");
}

#[test]
fn texts_cannot_explode() {
    for template in [
        "{{ 'x' * 10 ** 9 }}",
        "{{ 10 ** 9 * 'x' }}",
        "{{ 'x' * 10 ** 30 }}",
        "{{ ('x' * 10 ** 5) * 10 ** 5 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s | length }}",
        "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s | length }}",
        "{% set s = 'a' * 10000 %}{{ s | replace('a', s) }}",
        "{% set s = 'a' * 10000 %}{{ replace_with_string(s, 'a', s) }}",
        "{% set s = 'a' * 10000 %}{{ replace_with_string(s, '', s) }}",
        "{{ range(100000) | join('a' * 10000) }}",
        "{{ '%99999999d' | format(1) }}",
        "{{ '%.99999999f' | format(1.0) }}",
        "{{ ('%1000d' * 100000) | format(*range(100000)) }}",
        "{{ 'a\n' * 100 | indent(99999999) }}",
        "{{ ('a\n' * 100) | indent(99999999) }}",
        "{{ [1] | tojson(99999999) }}",
        "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% set a %}{% for i in range(100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endset %}{{ a | length }}{{ a ~ a ~ a ~ a ~ a }}",
    ] {
        is_bounded(template);
    }
}

#[test]
fn lists_cannot_explode() {
    for template in [
        "{{ range(10 ** 9) | length }}",
        "{{ range(0, -10 ** 9, -1) | length }}",
        "{{ ([0] * 10 ** 9) | length }}",
        "{{ ([0] * 10 ** 5 * 10 ** 5) | length }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l | length }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson | length }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ [ns.l, [ns.l]] | sort }}",
        "{{ [1] | batch(10 ** 9, 0) }}",
        "{{ [1] | slice(10 ** 9) }}",
        "{{ ('a,' * 1000000) | split(',') | length }}",
        "{{ ('a' * 10000000) | list | length }}",
        "{{ ('a' * 10000000)[::-1] }}",
    ] {
        is_bounded(template);
    }
}

#[test]
fn loops_end() {
    for template in [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{{ (range(1000) | list) == (range(1000) | list) }}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{{ 'x' * 10000 in 'y' * 10000 }}{% endfor %}",
        "{% set s = 'a' * 100000 %}{% for a in range(100000) %}{{ s[5:6] }}{% endfor %}",
        "{% set s = 'a' * 100000 %}{% for a in range(100000) %}{{ s | length }}{% endfor %}",
        "{% set l = range(100000) %}{% for a in l %}{{ l | first }}{% for b in l %}{% endfor %}{% endfor %}",
    ] {
        is_bounded(template);
    }
}

#[test]
fn recursion_ends() {
    for template in [
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}",
        "{% set ns = namespace(l={}) %}{% for i in range(1000) %}{% set ns.l = {'a': ns.l} %}{% endfor %}",
    ] {
        is_bounded(template);
    }
    assert!(
        Template::compile(&format!(
            "{}1{}",
            "{{ ".to_owned() + &"(".repeat(10_000),
            ")".repeat(10_000) + " }}"
        ))
        .is_err()
    );
    assert!(Template::compile(&"{% if true %}".repeat(10_000)).is_err());
}

#[test]
fn as_much_as_the_parser_takes_can_be_run() {
    let nested = format!("{{{{ {}1{} }}}}", "[".repeat(60), "]".repeat(60));
    assert!(render(&nested).is_ok());
    let deep = format!("{{{{ {}true }}}}", "not ".repeat(50));
    prints(&deep, "true");
    prints(&format!("{}x{}", "{% if true %}".repeat(70), "{% endif %}".repeat(70)), "x");
}

#[test]
fn long_chains_of_operators_are_bounded() {
    let chain = format!("{{{{ 1{} }}}}", " + 1".repeat(100_000));
    if let Ok(template) = Template::compile(&chain) {
        assert!(template.render(&World::default(), &Meter::for_body(0), 100).is_err());
    }
    let chain = format!("{{{{ 'a'{} }}}}", " | upper".repeat(100_000));
    if let Ok(template) = Template::compile(&chain) {
        assert!(template.render(&World::default(), &Meter::for_body(0), 100).is_err());
    }
}

#[test]
fn ordinary_big_work_is_within_the_bounds() {
    let items: Vec<String> = (0..10_000).map(|n| format!("{{\"id\":{n},\"name\":\"user {n}\"}}")).collect();
    let json = format!("{{\"items\":[{}]}}", items.join(","));
    let rendered =
        render_json("{% for i in items %}{{ i.id }}:{{ i.name | upper }};{% endfor %}", &json).unwrap();
    assert!(rendered.ends_with("9999:USER 9999;"));
    let rendered = render_json("{{ context() }}", &json).unwrap();
    assert_eq!(rendered, json);
    assert_eq!(render_json("{{ items | map(attribute='id') | sum }}", &json).unwrap(), "49995000");
}

#[test]
fn output_is_limited() {
    let template = Template::compile("{{ body() }}").unwrap();
    let world = World { body: b"12345", ..World::default() };
    assert!(template.render(&world, &Meter::for_body(5), 5).is_ok());
    let failure = template.render(&world, &Meter::for_body(5), 4).unwrap_err();
    assert_eq!((failure.fault, &*failure.reason), (Fault::Bound, "the output is too large"));
}
