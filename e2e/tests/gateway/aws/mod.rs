//! Requests to AWS: `ferrule run` on the folder of an example, its Envoy, and an AWS that checks signatures and policies.

mod functions;
mod invoke;
mod moto;
mod refused;
mod signing;
mod sts;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use moto::Key;

fn of_example(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example)
}

/// An example's Secret with this key.
fn secret(example: &str, key: &Key) -> String {
    let text = fs::read_to_string(of_example(example).join("secret.yaml")).unwrap();
    let text = text.replace("AKIAIOSFODNN7EXAMPLE", &key.id);
    text.replace("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &key.secret)
}

/// Puts an example in the place of what is in `folder`, on the same port, with AWS at the port `aws` and this key.
fn put(example: &str, folder: &Path, aws: u16, key: &Key, edit: impl Fn(String) -> String) {
    let gateway = fs::read_to_string(folder.join("gateway.yaml")).unwrap();
    let port = gateway.lines().find_map(|line| line.trim().strip_prefix("port: ")).unwrap().to_owned();
    fs::read_dir(folder).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    for file in fs::read_dir(of_example(example)).unwrap().map(Result::unwrap) {
        let name = file.file_name();
        if name.to_string_lossy().ends_with(".yaml") && name != "secret.yaml" {
            let text = fs::read_to_string(file.path()).unwrap();
            let text = text.replace("8080", &port).replace("5000", &aws.to_string());
            fs::write(folder.join(name), edit(text)).unwrap();
        }
    }
    fs::write(folder.join("secret.yaml"), secret(example, key)).unwrap();
}
