# The index of everything one can do here. `.ci/just RECIPE` does the same on a machine without just.

set shell := ["bash", "-euo", "pipefail", "-c"]

wasm_flag := "--filters wasm"

# Recipes, a line each
default:
    @just --list --unsorted

# A gateway on real Envoy with the quick start's routes; `just run --filters wasm` runs the same filters as wasm
run *flags:
    @echo "ferrule: building the controller and the native module (a first build takes some minutes)" >&2
    cargo build --release -p ferrule-controller -p ferrule-native
    {{ if flags =~ "wasm" { "cargo run --release -p wasm-build" } else { "true" } }}
    exec target/release/ferrule run -f examples/quickstart --demo-upstream 9000 {{ flags }}

# All tests: format, lints, unit, golden, cases on all three hosts, delta xDS, quick start
test: check native wasm
    cargo test
    cargo run -p wasm-build -- test

# Format and lints, warnings denied
check:
    cargo fmt --all --check
    cargo clippy --all-targets -- -D warnings

# Rewrite the goldens from what the code gives now; read the diff before you commit it
bless:
    BLESS=1 cargo test -p ferrule-translate

# Case tables: in process, then through the .so and the .wasm on real Envoy
cases: native wasm
    cargo test -p ferrule-transformation -p ferrule-probe
    cargo test -p e2e --test cases

# The native modules and the controller
native:
    cargo build -p ferrule-native -p ferrule-probe -p ferrule-controller

# The wasm modules, into target/wasm
wasm:
    cargo run -p wasm-build

# Tests on real Envoy
e2e: native wasm
    cargo test -p e2e

# Figures of one AREA beside their baselines, from one run: filters, control-plane
bench AREA:
    cargo build --release -p ferrule-native -p ferrule-probe -p ferrule-controller -p bench
    cargo run --release -p wasm-build
    cargo run --release -p bench -- {{ AREA }}
