//! Where our interpreter must do as MiniJinja does.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use super::test;
use super::*;

const JSON: &str = r#"{
    "name": "ada lovelace", "n": 7, "x": 2.5, "yes": true, "no": false, "nil": null, "empty": [],
    "words": ["pear", "Apple", "fig", "apple"], "numbers": [3, 1, 2, 10],
    "users": [
        {"name": "bo", "age": 30, "team": "red", "tags": ["a", "b"]},
        {"name": "al", "age": 25, "team": "blue", "tags": []},
        {"name": "cy", "age": 30, "team": "red", "tags": ["c"]}
    ],
    "map": {"one": 1, "two": 2, "three": 3}, "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": []}]}]
}"#;

/// Every line is a template; both must print the same.
const TEMPLATES: &str = r#"
{{ name }}|{{ n }}|{{ x }}|{{ yes }}|{{ no }}|{{ nil }}|{{ missing }}|{{ missing.below.that }}
{{ name | upper }} {{ name | title }} {{ name | capitalize }} {{ 'ABC' | lower }}
{{ name | replace('a', 'b') }} {{ 'x-y-z' | split('-') | join('+') }} {{ 'x-y-z' | split('-', 1) | join('+') }}
{{ '  a b   c ' | split | join('|') }} {{ '  a b   c ' | split(none, 1) | join('|') }}
{{ '  pad ' | trim }}| {{ 'xxaxx' | trim('x') }}
{{ words | length }} {{ name | length }} {{ map | length }} {{ empty | count }}
{{ words | first }} {{ words | last }} {{ 'abc' | first }} {{ 'abc' | last }}
{{ words | sort | join(',') }} {{ words | sort(case_sensitive=true) | join(',') }} {{ words | sort(reverse=true) | join(',') }}
{{ numbers | sort | join(',') }} {{ numbers | min }} {{ numbers | max }} {{ numbers | sum }}
{{ users | map(attribute='name') | join(' ') }} {{ users | map(attribute='nope', default='-') | join }}
{{ words | map('upper') | join(' ') }} {{ words | map('replace', 'p', 'q') | join(' ') }}
{{ users | selectattr('age', 'ge', 30) | map(attribute='name') | join(' ') }}
{{ users | rejectattr('team', 'equalto', 'red') | map(attribute='name') | join(' ') }}
{{ numbers | select('odd') | join(' ') }} {{ numbers | reject('odd') | join(' ') }} {{ [0, 1, '', 'a'] | select | join(' ') }}
{% for team, members in users | groupby('team') %}{{ team }}:{{ members | map(attribute='name') | join('+') }};{% endfor %}
{% for g in users | groupby('team') %}{{ g.grouper }}:{{ g.list | length }};{% endfor %}
{{ users | sort(attribute='age') | map(attribute='name') | join(' ') }}
{{ users | sort(attribute='age,name') | map(attribute='name') | join(' ') }}
{{ users | sort(attribute='team') | map(attribute='name') | join(' ') }}
{{ words | unique | join(' ') }} {{ words | unique(case_sensitive=true) | join(' ') }}
{{ users | sum(attribute='age') }} {{ numbers | sum(start=100) }} {{ users | min(attribute='age') | attr('name') }}
{% for k, v in map | items %}{{ k }}={{ v }} {% endfor %}{% for k in map %}{{ k }} {% endfor %}
{% for k, v in map | dictsort %}{{ k }}={{ v }} {% endfor %}{% for k, v in map | dictsort(by='value', reverse=true) %}{{ k }} {% endfor %}
{% for b in numbers | batch(3, 'x') %}{{ b | join(',') }};{% endfor %}{% for b in numbers | batch(3) %}{{ b | join(',') }};{% endfor %}
{% for s in numbers | slice(3) %}{{ s | join(',') }};{% endfor %}{% for s in numbers | slice(3, 'x') %}{{ s | join(',') }};{% endfor %}
{% for a, b in numbers | zip(words) %}{{ a }}{{ b }} {% endfor %}{{ [1] | chain([2, 3]) | join(',') }}
{{ numbers | reverse | join(',') }} {{ 'abc' | reverse }} {{ 'abc' | list | join('-') }}
{{ -7 | abs }} {{ 2.6 | round }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.345 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 1234 | round(-2) }}
{{ '42' | int }} {{ 'x' | int(5) }} {{ '2.9' | int }} {{ 'ff' | int(0, 16) }} {{ '1.5' | float }} {{ 'x' | float(0.5) }} {{ true | int }}
{{ missing | default('d') }} {{ nil | default('d') }} {{ '' | default('d', true) }} {{ n | d('x') }}
{{ 'a<b>&"c"' | escape }} {{ 'a b/c?d=é' | urlencode }} {{ map | urlencode }}
{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, false, true) }}
{{ 'a\nb\r\nc' | lines | join('|') }} {{ users[0].tags | length }} {{ users[0]['name'] }} {{ users[-1].name }} {{ users[9].name }}
{{ '%s is %d years and %.2f%% %05d %-5s| %5s' | format('al', 30, 1.5, 42, 'l', 'r') }} {{ '%x %X %o %e' | format(255, 255, 8, 12345.678) }}
{{ 1 + 2 * 3 - 4 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 1.5 + 1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ 'a' + 'b' }} {{ 'a' ~ 1 ~ 'b' }} {{ 'ab' * 3 }} {{ ([1] + [2]) | join(',') }} {{ ([1, 2] * 2) | join(',') }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 'a' }} {{ [1, 2] == [1, 2] }} {{ {'a': 1} == {'a': 1} }} {{ none == missing }}
{{ 2 in numbers }} {{ 9 in numbers }} {{ 'ada' in name }} {{ 'one' in map }} {{ 5 not in numbers }} {{ not yes }} {{ yes and 'x' }} {{ no or 'y' }} {{ '' or none or 3 }}
{{ 'a' if yes else 'b' }} {{ 'a' if no else 'b' }} {{ 'a' if no }}
{{ name[0] }} {{ name[-1] }} {{ name[:3] }} {{ name[4:] }} {{ name[::2] }} {{ name[-3:] }} {{ numbers[1:3] | join(',') }} {{ name[::-1] }} {{ numbers[:-1] | join(',') }} {{ 'abcdef'[4:1:-1] }}
{% if n > 5 %}big{% elif n > 2 %}middle{% else %}small{% endif %} {% if empty %}x{% else %}y{% endif %}
{% for u in users %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{{ u.name }} {% endfor %}
{% for u in users if u.age > 26 %}{{ loop.index }}{{ u.name }} {% else %}none{% endfor %}{% for u in empty %}x{% else %}none{% endfor %}
{% for x in numbers %}{% if x == 2 %}{% break %}{% endif %}{% if x == 1 %}{% continue %}{% endif %}{{ x }};{% endfor %}
{% for x in numbers %}{{ loop.cycle('odd', 'even') }} {{ loop.changed(x > 2) }} {{ loop.previtem }} {{ loop.nextitem }};{% endfor %}
{% for node in tree recursive %}{{ node.v }}{{ loop.depth }}({{ loop(node.c) }}){% endfor %}
{% set a = 1 %}{% for x in numbers %}{% set a = a + x %}{{ a }} {% endfor %}{{ a }}
{% set ns = namespace(total=0) %}{% for x in numbers %}{% set ns.total = ns.total + x %}{% endfor %}{{ ns.total }}
{% set a, b = [1, 2] %}{{ b }}{{ a }} {% for (a, b), c in [[[1, 2], 3]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}
{% set captured %}x{{ n }}y{% endset %}{{ captured }}{{ captured | length }} {% set up | upper %}abc{% endset %}{{ up }}
{% filter upper %}a{{ name }}b{% endfilter %} {% filter replace('a', 'b') | upper %}banana{% endfilter %}
{% macro greet(who, word='hello') %}{{ word }} {{ who }}{% endmacro %}{{ greet('bo') }} {{ greet('al', 'bye') }} {{ greet(word='hi', who='cy') }}
{% macro wrap() %}<{{ caller() }}>{% endmacro %}{% call wrap() %}in{{ n }}{% endcall %}
{% macro each(xs) %}{% for x in xs %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) each(numbers) %}[{{ x }}]{% endcall %}
{% macro fact(n) %}{% if n < 2 %}1{% else %}{{ n * (fact(n - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% set y = 5 %}{% macro show() %}{{ y }}{{ n }}{% endmacro %}{{ show() }}
{{ range(5) | join(',') }} {{ range(2, 8, 3) | join(',') }} {{ range(5, 0, -2) | join(',') }} {{ dict(a=1, b=2).b }} {{ dict(map, one=9).one }}
{{ n is odd }} {{ n is even }} {{ n is divisibleby(7) }} {{ n is number }} {{ x is float }} {{ n is integer }} {{ name is string }} {{ map is mapping }} {{ words is sequence }} {{ words is iterable }} {{ missing is defined }} {{ missing is undefined }} {{ nil is none }} {{ yes is true }} {{ no is false }} {{ yes is boolean }}
{{ name is startingwith('ada') }} {{ name is endingwith('x') }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 2 is in(numbers) }} {{ 1 is eq(1) }} {{ 1 is lt(2) }} {{ 1 is not ge(2) }} {{ n is sameas(n) }} {{ 'upper' is filter }} {{ 'odd' is test }}
a{#- comment -#} b {%- if yes %} c {% endif -%} d {{- n -}} e
{% raw %}{{ name }}{% endraw %} {{ "it's" }} {{ 'a\tb\u0041' }} {{ 1_000 }} {{ 0x1f }} {{ 1.5e3 }}
{{ [1, 'a', none, true][1] }} {{ {'k': {'j': 5}}.k.j }} {{ (1, 2)[0] }} {{ (1, 2) | join('+') }}
{% do namespace(a=1) %}{{ words | join(', ', attribute='x') }}|{{ users | join(', ', 'name') }}
{{ [[1, 2], [3]] | map('join', '+') | join(' ') }} {{ ['b', 'a'] | sort | first }} {{ [3, 'a', 1.5, none] | length }}
{{ 10 // 3.0 }} {{ 1e20 // 3 > 1 }} {{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 100 / 10 }} {{ 3 * 1.0 }}
{{ users | selectattr('tags') | map(attribute='name') | join(' ') }} {{ users | map(attribute='tags.0') | join(',') }}
"#;

#[test]
fn templates_print_what_minijinja_prints() {
    let mut count = 0;
    let mut wrong = String::new();
    for template in TEMPLATES.lines().filter(|line| !line.is_empty()) {
        let template = template.replace("\\n", "\n").replace("\\r", "\r");
        let theirs = minijinja(&template, JSON);
        let ours = render_json(&template, JSON);
        if ours.as_deref() != Ok(&*theirs) {
            wrong += &format!("\n{template}\n  theirs {theirs:?}\n  ours   {ours:?}");
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 60, "{count}");
}
