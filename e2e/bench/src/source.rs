//! Where objects are put, and the controller that finds them there.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};
use envoy_bootstrap::Address;
use ferrule_translate::{Layout, Settings};
use serde_json::Value;

/// Where objects are put.
pub(crate) trait Source {
    /// Puts objects: makes those that are not there, and changes those that are. All at once.
    ///
    /// # Errors
    /// The source is gone, or refuses one.
    fn put(&mut self, objects: &[Value]) -> Result<()>;

    /// Starts a controller that serves xDS at the socket `xds` of a folder, and its admin interface at `admin`.
    ///
    /// # Errors
    /// It does not start.
    fn start_controller(&mut self, layout: Layout, sockets: &Path) -> Result<Child>;

    /// An address of this machine that endpoints may have.
    fn address(&self) -> IpAddr;
}

/// The controller's standard input: a controller without an API server. Objects are kept for the next one.
pub(crate) struct Lines {
    input: Option<ChildStdin>,
    objects: BTreeMap<(String, String), Value>,
}

impl Lines {
    /// No objects yet.
    pub(crate) fn new() -> Self {
        Self { input: None, objects: BTreeMap::new() }
    }
}

impl Source for Lines {
    fn put(&mut self, objects: &[Value]) -> Result<()> {
        let id = |object: &Value| (object["kind"].to_string(), object["metadata"]["name"].to_string());
        self.objects.extend(objects.iter().map(|object| (id(object), object.clone())));
        match &mut self.input {
            Some(input) => write(input, &Value::from(objects)),
            None => Ok(()),
        }
    }

    fn start_controller(&mut self, layout: Layout, sockets: &Path) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("controller").arg(format!("{layout:?}")).arg(sockets);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let input = self.input.insert(child.stdin.take().context("no stdin")?);
        write(input, &self.objects.values().cloned().collect())?;
        Ok(child)
    }

    fn address(&self) -> IpAddr {
        [127, 0, 0, 1].into()
    }
}

fn write(input: &mut ChildStdin, objects: &Value) -> Result<()> {
    writeln!(input, "{objects}")?;
    Ok(input.flush()?)
}

/// What `bench controller LAYOUT FOLDER` does: objects come by standard input.
///
/// # Errors
/// It does not start.
pub(crate) fn control(layout: &str, folder: &str) -> Result<()> {
    let layout = if layout == "PerPort" { Layout::PerPort } else { Layout::Scoped };
    let socket = |name: &str| Address::Unix(Path::new(folder).join(name));
    let settings = Settings { layout, ..Settings::default() };
    ferrule_controller::piped::serve(
        settings,
        socket("xds"),
        socket("admin"),
        BufReader::new(std::io::stdin()),
    )
}
