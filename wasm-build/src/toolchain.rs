//! The compiler that makes wasm: the one at hand with rustup's standard library for the target, else Debian's, which
//! brings the sources of the standard library and has cargo build it.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::process;

/// Debian's packages: compiler, cargo, sources of the standard library, C library for WASI, linker.
const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc", "lld"];
/// Where they put what is found by name no more once rustup is on the path.
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld";
const LIBRARIES: &str = "/usr/lib/wasm32-wasi";

/// Set by cargo and rustup for what they start; each would lead the other compiler astray.
const INHERITED: [&str; 5] = ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "LD_LIBRARY_PATH"];

/// Where the compiler and the wasm target come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// The first of the others that works.
    #[default]
    Auto,
    /// The compiler at hand; `rustup` adds the target where it is missing.
    Rustup,
    /// Debian's packages, installed where they are missing.
    Debian,
}

/// What is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `wasm32-wasip1`, for Envoy.
    Wasi,
    /// `wasm32-unknown-unknown`, for Node.
    Bare,
}

impl Target {
    /// The target's triple.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::Wasi => "wasm32-wasip1",
            Self::Bare => "wasm32-unknown-unknown",
        }
    }
}

/// A compiler that can make wasm for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    kind: Kind,
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AtHand,
    Debian,
}

impl Toolchain {
    /// The toolchain chosen, made complete where it is not.
    ///
    /// # Errors
    /// It cannot be made complete; the message says by what one could do that by hand.
    pub(crate) fn find(choice: Choice, target: Target) -> Result<Self> {
        let kind = match choice {
            Choice::Rustup => rustup(target)?,
            Choice::Debian => debian()?,
            Choice::Auto => rustup(target).or_else(|first| {
                eprintln!("wasm-build: {first:#}; trying Debian's toolchain");
                debian().map_err(|second| {
                    anyhow::anyhow!(
                        "no compiler for {}.\n- rustup: {first:#}\n- Debian: {second:#}",
                        target.triple()
                    )
                })
            })?,
        };
        Ok(Self { kind, target })
    }

    /// A name for what it builds to be kept apart by.
    pub(crate) fn name(self) -> &'static str {
        match self.kind {
            Kind::AtHand => "rustup",
            Kind::Debian => "debian",
        }
    }

    /// What it compiles for.
    pub(crate) fn target(self) -> Target {
        self.target
    }

    /// `cargo <job>` for the target, to which packages and the like are to be added.
    pub(crate) fn cargo(self, job: &str) -> Command {
        let mut command = match self.kind {
            Kind::AtHand => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Kind::Debian => debian_cargo(),
        };
        command.args([job, "--target", self.target.triple()]);
        if self.kind == Kind::Debian {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

/// The compiler at hand, with the target's standard library.
fn rustup(target: Target) -> Result<Kind> {
    let triple = target.triple();
    let has_target = || {
        let sysroot = process::output("rustc", &["--print", "sysroot"])?;
        Path::new(&sysroot).join("lib/rustlib").join(triple).is_dir().then_some(Kind::AtHand)
    };
    if let Some(found) = has_target() {
        return Ok(found);
    }
    process::run(Command::new("rustup").args(["target", "add", triple]))
        .with_context(|| format!("the compiler at hand has no target {triple}"))?;
    has_target().with_context(|| format!("rustup has added {triple}, but not to the compiler at hand"))
}

/// Debian's packages.
fn debian() -> Result<Kind> {
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(Kind::Debian);
    }
    let by_hand = format!("as root: apt-get install {}", missing.join(" "));
    if process::output("apt-get", &["--version"]).is_none() {
        bail!("no apt-get here; on Debian, {by_hand}");
    }
    eprintln!("wasm-build: installing {}", missing.join(", "));
    process::run(apt_get().arg("update")).with_context(|| by_hand.clone())?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends"]).args(missing);
    process::run(install.env("DEBIAN_FRONTEND", "noninteractive")).context(by_hand)?;
    Ok(Kind::Debian)
}

fn is_installed(package: &str) -> bool {
    process::output("dpkg-query", &["--show", "--showformat=${db:Status-Status}", package])
        .is_some_and(|status| status == "installed")
}

/// `apt-get` as root, by `sudo` for who is not.
fn apt_get() -> Command {
    let mut command = match process::output("id", &["-u"]).as_deref() {
        Some("0") => Command::new("apt-get"),
        _ => {
            let mut sudo = Command::new("sudo");
            sudo.args(["--non-interactive", "apt-get"]);
            sudo
        }
    };
    command.arg("--quiet");
    command
}

fn debian_cargo() -> Command {
    let mut command = Command::new(CARGO);
    INHERITED.iter().for_each(|variable| {
        command.env_remove(variable);
    });
    // The compiler is a stable one; building the standard library is still called unstable.
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", RUSTC);
    for target in [Target::Wasi, Target::Bare] {
        let variable = target.triple().to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{variable}_LINKER"), LINKER);
    }
    command.env("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS", format!("-L native={LIBRARIES}"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &Command) -> String {
        command.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn debian_builds_the_standard_library_and_rustups_does_not() {
        let cargo = |kind| line(&Toolchain { kind, target: Target::Wasi }.cargo("build"));
        assert_eq!(cargo(Kind::AtHand), "build --target wasm32-wasip1");
        assert_eq!(cargo(Kind::Debian), "build --target wasm32-wasip1 -Zbuild-std=std,panic_abort");
    }

    #[test]
    fn debians_cargo_is_not_led_astray_by_the_one_that_runs_us() {
        let command = debian_cargo();
        let value = |name: &str| command.get_envs().find(|(known, _)| *known == name).map(|(_, value)| value);
        assert_eq!(value("RUSTUP_TOOLCHAIN"), Some(None));
        assert_eq!(value("LD_LIBRARY_PATH"), Some(None));
        assert_eq!(value("RUSTC"), Some(Some(RUSTC.as_ref())));
        assert_eq!(value("CARGO_TARGET_WASM32_WASIP1_LINKER"), Some(Some(LINKER.as_ref())));
    }
}
