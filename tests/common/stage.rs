//! A gateway's folder, the gateway over it, and clients of its partners.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use puente::cli::{Client, Profile};
use puente::clock::Env;
use puente::config::Config;
use puente::gateway::{self, Running};
use puente::pki::{self, Authority};
use puente::proto::puente::access::v1::partner_service_client::PartnerServiceClient;
use puente::proto::puente::access::v1::{
    CertificateIdentity, CreatePartnerRequest, IdentityType, Partner, Role,
};
use puente::proto::puente::registry::v1::registry_service_client::RegistryServiceClient;
use tempfile::TempDir;

use super::goods;
use super::process::{self, Served};
use super::wire::Identity;

/// A folder made by `puente init`.
pub struct Folder {
    dir: TempDir,
}

impl Folder {
    pub fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        process::init(&dir.path().join("gateway"));
        Self { dir }
    }

    /// The folder of the gateway.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("gateway")
    }

    /// A file for the test's own use, outside the gateway's folder.
    pub fn scratch(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn config(&self) -> Config {
        Config::load(&self.path().join("puente.toml")).unwrap()
    }

    pub fn profile(&self, partner: &str) -> PathBuf {
        self.path().join(format!("profiles/{partner}.toml"))
    }

    pub fn identity(&self, partner: &str) -> Identity {
        let folder = self.path().join("pki/clients");
        Identity {
            certificate: folder.join(format!("{partner}.pem")),
            key: folder.join(format!("{partner}.key.pem")),
        }
    }

    /// Lets all profiles name a gateway at `address`.
    pub fn point_profiles_to(&self, address: SocketAddr) {
        for entry in std::fs::read_dir(self.path().join("profiles")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().map(|line| match line.starts_with("endpoint") {
                true => format!("endpoint = \"https://{address}\"\n"),
                false => format!("{line}\n"),
            });
            std::fs::write(&path, lines.collect::<String>()).unwrap();
        }
    }

    /// A client of the gateway that the profiles name.
    pub fn client(&self, partner: &str) -> Client {
        Client::load(&self.profile(partner)).unwrap()
    }

    /// The development authority.
    pub fn authority(&self) -> Authority {
        let read = |name: &str| std::fs::read_to_string(self.path().join(name)).unwrap();
        Authority::from_pem(&read("pki/ca.pem"), &read("pki/ca.key.pem")).unwrap()
    }

    /// A certificate of the authority as `profile` says, beside the folder under `name`.
    pub fn issue(&self, name: &str, profile: &pki::Profile) -> Identity {
        let issued = self.authority().issue(&Env::system(), profile).unwrap();
        let certificate = self.scratch(&format!("{name}.pem"), &issued.certificate_pem);
        let key = self.dir.path().join(format!("{name}.key.pem"));
        pki::write_secret(&key, &issued.key_pem).unwrap();
        Identity { certificate, key }
    }

    /// One more certificate of a partner.
    pub fn second_identity(&self, partner: &str) -> Identity {
        let profile = pki::Profile::client(partner, SignedDuration::from_hours(24));
        self.issue(&format!("{partner}-second"), &profile)
    }

    /// A profile beside the folder, of `identity`.
    pub fn profile_of(&self, partner: &str, identity: &Identity) -> Profile {
        let profile = Profile::load(&self.profile("operator")).unwrap();
        Profile {
            certificate: identity.certificate.clone(),
            key: identity.key.clone(),
            client_id: partner.to_owned(),
            ..profile
        }
    }
}

/// A gateway in this process.
pub struct Stage {
    pub folder: Folder,
    running: Running,
}

impl Stage {
    /// Starts one whose quotas do not stand in a test's way.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts one with a configuration that `change` has changed.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = Folder::make();
        let mut config = folder.config();
        config.listen = ([127, 0, 0, 1], 0).into();
        config.admin_listen = ([127, 0, 0, 1], 0).into();
        config.quota.enforced = false;
        change(&mut config);
        let running = gateway::start(&config, prometheus::Registry::new()).await.unwrap();
        folder.point_profiles_to(running.address);
        Self { folder, running }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.running.admin_address
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path()
    }

    pub fn client(&self, partner: &str) -> Client {
        self.folder.client(partner)
    }

    /// Registers one more marketplace, with a certificate of its own.
    pub async fn second_marketplace(&self, id: &str) -> Client {
        second_marketplace(&self.folder, id).await
    }

    /// Lets the registry say that the example exporter is eligible.
    pub async fn with_exporter(self) -> Self {
        sync_exporter(&self.client("registry")).await;
        self
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

/// A gateway as a process of its own.
pub struct ProcessStage {
    pub folder: Folder,
    pub served: Served,
}

impl ProcessStage {
    /// Starts one whose quotas do not stand in a test's way.
    pub fn start() -> Self {
        Self::with("")
    }

    /// With `sections` added to its configuration.
    pub fn with(sections: &str) -> Self {
        Self::with_quota("enforced = false", sections)
    }

    /// With its quotas as `quota` says.
    pub fn with_quota(quota: &str, sections: &str) -> Self {
        let folder = Folder::make();
        let path = folder.path().join("puente.toml");
        let text = read(&path);
        std::fs::write(&path, format!("{text}\n[quota]\n{quota}\n{sections}")).unwrap();
        let served = Served::start(&folder.path());
        folder.point_profiles_to(served.address);
        Self { folder, served }
    }

    /// Starts it again after it ended.
    pub fn restart(&mut self) {
        self.served = Served::start(&self.folder.path());
        self.folder.point_profiles_to(self.served.address);
    }

    /// The same where it was before, so that clients find it again.
    pub fn restart_in_place(&mut self) {
        let Served { address, admin_address, .. } = self.served;
        self.served = Served::start_at(&self.folder.path(), address, admin_address);
    }

    pub fn client(&self, partner: &str) -> Client {
        self.folder.client(partner)
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path()
    }
}

pub async fn second_marketplace(folder: &Folder, id: &str) -> Client {
    further_partner(folder, id, Role::Marketplace).await
}

/// Registers a partner with all that its role may be granted.
pub async fn further_partner(folder: &Folder, id: &str, role: Role) -> Client {
    let operator = folder.client("operator");
    let partner = Partner {
        role: role.into(),
        display_name: format!("Partner {id}"),
        identities: vec![CertificateIdentity {
            r#type: IdentityType::SanUri.into(),
            value: pki::partner_uri(id),
        }],
        ..Partner::default()
    };
    let request = CreatePartnerRequest {
        request_id: operator.request_id(),
        partner_id: id.to_owned(),
        partner: Some(partner),
        validate_only: false,
    };
    operator
        .call(request, |channel, request| async move {
            PartnerServiceClient::new(channel).create_partner(request).await
        })
        .await
        .unwrap();
    let identity = folder.issue(id, &pki::Profile::client(id, SignedDuration::from_hours(24)));
    Client::new(folder.profile_of(id, &identity), Env::system()).unwrap()
}

pub async fn sync_exporter(registry: &Client) {
    let messages = goods::exporters(registry.request_id(), &[goods::CUIT]);
    let answer = registry
        .call(messages, |channel, request| async move {
            RegistryServiceClient::new(channel)
                .sync_exporters(request.map(tokio_stream::iter))
                .await
        })
        .await
        .unwrap();
    assert_eq!(answer.created, 1, "{:?}", answer.rejected_rows);
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()))
}
