//! The cluster's certificates: one authority, a certificate for each part, files and a kubeconfig.
//!
//! Invariants: keys are readable by their owner only, and are gone with the cluster's folder.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::addresses::Plan;

/// The group that may do anything.
const ADMINISTRATORS: &str = "system:masters";

/// The folder of certificates, `ca.crt` and `NAME.crt` with `NAME.key` for each part.
pub(crate) struct Certificates {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// Writes all that the parts of a cluster need into `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn write(folder: PathBuf, plan: Plan) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder)?;
        let ours = Self { folder, authority: authority()? };
        fs::write(ours.path("ca.crt"), ours.authority.pem())?;
        ours.server(
            "api-server",
            &["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"],
            &[plan.control_plane(), plan.kubernetes_service(), Ipv4Addr::LOCALHOST],
        )?;
        ours.server("kubelet", &[], &[plan.node()])?;
        ours.client("admin", "kubernetes-admin")?;
        ours.client("api-server-to-kubelet", "kube-apiserver-kubelet-client")?;
        ours.client("controller-manager", "system:kube-controller-manager")?;
        ours.service_account_key()?;
        Ok(ours)
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a kubeconfig, whole in itself, for the client certificate `name`.
    ///
    /// # Errors
    /// There is no such certificate, or `path` cannot be written.
    pub(crate) fn write_kubeconfig(&self, name: &str, server: &str, path: &Path) -> anyhow::Result<()> {
        let data = |file: String| anyhow::Ok(encode(&fs::read(self.path(&file)).with_context(|| file)?));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "ferrule",
            "contexts": [{"name": "ferrule", "context": {"cluster": "ferrule", "user": name}}],
            "clusters": [{"name": "ferrule", "cluster": {
                "server": server,
                "certificate-authority-data": data("ca.crt".to_owned())?,
            }}],
            "users": [{"name": name, "user": {
                "client-certificate-data": data(format!("{name}.crt"))?,
                "client-key-data": data(format!("{name}.key"))?,
            }}],
        });
        // JSON is YAML.
        write_private(path, &serde_json::to_string_pretty(&config)?)
    }

    fn server(&self, name: &str, names: &[&str], addresses: &[Ipv4Addr]) -> anyhow::Result<()> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names {
            parameters.subject_alt_names.push(SanType::DnsName((*name).try_into()?));
        }
        parameters
            .subject_alt_names
            .extend(addresses.iter().map(|address| SanType::IpAddress((*address).into())));
        self.issue(name, &parameters)
    }

    fn client(&self, name: &str, user: &str) -> anyhow::Result<()> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::OrganizationName, ADMINISTRATORS);
        parameters.distinguished_name.push(DnType::CommonName, user);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(name, &parameters)
    }

    fn issue(&self, name: &str, parameters: &CertificateParams) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.authority)?;
        fs::write(self.path(&format!("{name}.crt")), certificate.pem())?;
        write_private(&self.path(&format!("{name}.key")), &key.serialize_pem())
    }

    fn service_account_key(&self) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        fs::write(self.path("service-accounts.pub"), key.public_key_pem())?;
        write_private(&self.path("service-accounts.key"), &key.serialize_pem())
    }
}

fn authority() -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "ferrule-cluster");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?)
}

fn encode(data: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// Writes what only its owner may read.
fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    let mut file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, content.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}
