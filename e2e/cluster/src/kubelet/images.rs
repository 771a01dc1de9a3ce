//! What images are: programs of this machine, seen at the paths that the real images have.
//!
//! Images are told apart by the last part of their repository; registries and tags do not matter.

use std::path::{Path, PathBuf};

use crate::containment::Mount;

/// The folder with programs of an image.
const PROGRAMS: &str = "/usr/local/bin";

/// The folder with Envoy's dynamic modules in the image of the proxy.
const MODULES: &str = "/usr/local/lib/ferrule";

/// An image that nobody knows here.
#[derive(Debug, thiserror::Error)]
#[error("no image {name:?} here; known: {known}")]
pub(crate) struct UnknownImage {
    name: String,
    known: String,
}

/// An image.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    /// The program that runs where a container names no command.
    pub(crate) entrypoint: Vec<String>,
    /// Its files, beside the machine's own programs and libraries.
    pub(crate) mounts: Vec<Mount>,
    /// Its environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// Where the programs are that images are made of.
pub(crate) struct Images {
    /// The suite's echo server.
    pub(crate) echo: PathBuf,
    /// Stock Envoy.
    pub(crate) envoy: PathBuf,
    /// The folder with what this workspace builds: `ferrule`, `envoy-bootstrap`, `libferrule.so`.
    pub(crate) built: PathBuf,
    /// This program.
    pub(crate) ourselves: PathBuf,
}

impl Images {
    /// All names.
    const NAMES: [&str; 5] = ["echo-basic", "coredns", "ferrule", "ferrule-proxy", "host"];

    /// The image that a reference such as `registry/path/name:tag@digest` names.
    pub(super) fn find(&self, reference: &str) -> anyhow::Result<Image> {
        let image = match name(reference) {
            "echo-basic" => program("echo-basic", &self.echo, &[]),
            "coredns" => program("coredns", &self.ourselves, &["answer-dns"]),
            "ferrule" => program("ferrule", &self.built.join("ferrule"), &[]),
            "ferrule-proxy" => self.proxy(),
            "host" => Image::default(),
            name => {
                let known = Self::NAMES.join(", ");
                return Err(UnknownImage { name: name.to_owned(), known }.into());
            }
        };
        for mount in &image.mounts {
            anyhow::ensure!(
                mount.from.exists(),
                "{} is not built; `just cluster` builds it",
                mount.from.display()
            );
        }
        Ok(image)
    }

    fn proxy(&self) -> Image {
        let mut image = program("envoy-bootstrap", &self.built.join("envoy-bootstrap"), &[]);
        image.mounts.push(file(&self.envoy, PROGRAMS, "envoy"));
        image.mounts.push(file(&self.built.join("libferrule.so"), MODULES, "libferrule.so"));
        image.environment = vec![
            (envoy_bootstrap::ENVOY_VARIABLE.to_owned(), format!("{PROGRAMS}/envoy")),
            ("ENVOY_DYNAMIC_MODULES_SEARCH_PATH".to_owned(), MODULES.to_owned()),
        ];
        image
    }
}

fn program(name: &str, path: &Path, arguments: &[&str]) -> Image {
    let program = format!("{PROGRAMS}/{name}");
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    Image {
        entrypoint: std::iter::once(program).chain(arguments).collect(),
        mounts: vec![file(path, PROGRAMS, name)],
        environment: Vec::new(),
    }
}

fn file(from: &Path, folder: &str, name: &str) -> Mount {
    Mount { from: from.to_owned(), to: Path::new(folder).join(name), read_only: true }
}

fn name(reference: &str) -> &str {
    let path = reference.split('@').next().unwrap_or(reference);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart_by_their_last_part() {
        assert_eq!(name("registry.example:5000/gateway-api/echo-basic:v0.1.0"), "echo-basic");
        assert_eq!(name("ferrule-proxy@sha256:00"), "ferrule-proxy");
        assert_eq!(name("host"), "host");
    }

    #[test]
    fn an_unknown_image_is_named_with_those_that_are_known() {
        let empty = PathBuf::new;
        let images = Images { echo: empty(), envoy: empty(), built: empty(), ourselves: empty() };
        let error = images.find("registry.example/nginx:1").unwrap_err();
        assert!(error.is::<UnknownImage>());
        assert!(
            error.to_string().contains("\"nginx\"") && error.to_string().contains("ferrule-proxy"),
            "{error}"
        );
    }
}
