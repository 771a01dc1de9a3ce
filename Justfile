# The index of everything one can do here. `.ci/just RECIPE` does the same on a machine without just.

set shell := ["bash", "-euo", "pipefail", "-c"]

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")

# Recipes, a line each
default:
    @just --list --unsorted

# A gateway on real Envoy with the quick start's routes; `just run --filters wasm` runs the same filters as wasm
run *flags:
    @echo "ferrule: building the controller and the native module (a first build takes some minutes)" >&2
    cargo build --release -p ferrule-controller -p ferrule-native
    @{{ if flags =~ "wasm" { "cargo run --release -p wasm-build" } else { "true" } }}
    exec "{{ target }}/release/ferrule" run -f examples/quickstart --demo-upstream 9000 {{ flags }}

# All tests: what needs no Kubernetes, then Gateway API's conformance suite and our own tests on a cluster
test: essentials (conformance "v1.7.0") cluster-test

# Format, lints, unit, golden, cases on all three hosts, delta xDS, quick start
essentials: check native wasm example
    cargo test --workspace --exclude ferrule-cluster
    cargo run -p wasm-build -- test

# Format and lints, warnings denied
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo fmt --manifest-path examples/filter/Cargo.toml --check && cargo clippy --manifest-path examples/filter/Cargo.toml --target-dir {{ target }}/example --all-targets --all-features -- -D warnings

# Rewrite the goldens from what the code gives now; read the diff before you commit it
bless:
    BLESS=1 cargo test -p ferrule-translate -p ferrule-convert -p ferrule-transformation -p ferrule-provision -p ferrule-schema -p ferrule-controller

# Derive Gateway API's schemas anew from its Go module (needs go; the version is in controller/schema/tests/support)
crds:
    BLESS=1 cargo test -p ferrule-schema --test upstream

# Hold the offline validation against the API server's own, on 20,000 strange objects (compiles a part of Kubernetes with go)
schema-oracle:
    cargo test -p ferrule-schema --test oracle -- --ignored --nocapture

# Case tables: in process, then through the .so and the .wasm on real Envoy
cases: native wasm
    cargo test -p ferrule-transformation -p ferrule-lambda -p ferrule-aws-signing -p ferrule-probe
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

# A Kubernetes cluster without docker, until Ctrl-C; `just cluster --controller` also starts the controller
cluster *flags: cluster-programs
    {{ target }}/debug/cluster up {{ flags }}

# The conformance suite of Gateway API, whole or `--run REGEX`, on a cluster of its own or on $KUBECONFIG's; writes target/conformance/VERSION.yaml
conformance VERSION="v1.7.0" *flags: cluster-programs
    {{ target }}/debug/cluster conformance {{ VERSION }} {{ flags }}

# Tests of the cluster itself (need root; the first time they build Kubernetes and the suites, 15 minutes)
cluster-test: cluster-programs
    cargo test -p ferrule-cluster

[private]
cluster-programs:
    cargo build -p ferrule-cluster -p ferrule-controller -p ferrule-native -p ferrule-probe -p envoy-bootstrap

# Figures of one AREA beside their baselines, from one run: filters, transformation, transformation-soak [REQUESTS], lambda, lambda-soak [REQUESTS], cache, cache-soak [REQUESTS], control-plane
bench AREA *ARGUMENTS:
    cargo build --release -p ferrule-native -p ferrule-probe -p ferrule-controller -p ferrule-cluster -p bench
    cargo run --release -p wasm-build
    cargo run --release -p bench -- {{ AREA }} {{ ARGUMENTS }}

# The example filter's cases on all three hosts, from a workspace of its own
example:
    cargo run -p wasm-build -- package examples/filter/Cargo.toml --target-dir {{ target }}/example
    cargo test --manifest-path examples/filter/Cargo.toml --target-dir {{ target }}/example --features envoy

# Random input for SECONDS to each fuzz target: transform, answer, subscription, and what the cache parses; what crashes one is kept in its `artifacts`
fuzz SECONDS="60": (fuzz-target "filters/transformation" "transform" SECONDS) (fuzz-target "filters/lambda" "answer" SECONDS) (fuzz-target "controller/xds" "subscription" SECONDS) (fuzz-cache SECONDS)

[private]
fuzz-cache SECONDS: (fuzz-target "filters/cache" "cache_control" SECONDS) (fuzz-target "filters/cache" "dates" SECONDS) (fuzz-target "filters/cache" "ranges" SECONDS) (fuzz-target "filters/cache" "structured_fields" SECONDS) (fuzz-target "filters/cache" "stored_entry" SECONDS)

# Inputs that reach new code are kept in the target folder, from one run to the next.
[private]
fuzz-target FOLDER NAME SECONDS:
    @cargo +nightly --version >/dev/null || { echo "ferrule: no nightly compiler; rustup toolchain install nightly --profile minimal" >&2; exit 1; }
    @cargo +nightly fuzz --version >/dev/null || { echo "ferrule: no cargo-fuzz; cargo install cargo-fuzz" >&2; exit 1; }
    mkdir -p {{ target }}/fuzz/corpus/{{ NAME }}
    @{{ if path_exists(FOLDER / "fuzz/corpus" / NAME + ".txt") == "true" { "python3 filters/transformation/fuzz/corpus.py unpack " + FOLDER + "/fuzz/corpus/" + NAME + ".txt " + target + "/fuzz/corpus/" + NAME } else { "true" } }}
    cargo +nightly fuzz run --fuzz-dir {{ FOLDER }}/fuzz --target-dir {{ target }}/fuzz {{ NAME }} \
        {{ target }}/fuzz/corpus/{{ NAME }} -- \
        -max_total_time={{ SECONDS }} -timeout=10 -print_final_stats=1 \
        $(find {{ FOLDER }}/fuzz -name dictionary.txt -printf '-dict=%p')
