//! Throw-away clusters: a PostgreSQL of our own in a temporary folder, for tests and the demo.
//!
//! Enters: the programs of an installed PostgreSQL. Leaves: a running server that speaks on a
//! socket in its folder alone, as durable as any, and gone when it is dropped. The server refuses to
//! run as root, so then it runs as a user that may do nothing.

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian puts the programs of each version; what is on the path comes first.
const INSTALLED: &str = "/usr/lib/postgresql";
/// Who runs the server where we are root, the first that there is.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A cluster that is thrown away.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Cluster {
    /// Makes a cluster in `folder`, which it removes in the end, and starts it.
    ///
    /// # Errors
    /// If there is no PostgreSQL on this machine, or it does not start; the text says what to do.
    pub fn start(folder: PathBuf) -> io::Result<Self> {
        let programs = programs()?;
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt;
            own.uid() == 0
        });
        let user = if root { Some(unprivileged()?) } else { None };
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group))?;
        }
        let cluster = Self { programs, folder, user };
        let data = cluster.folder.join("data");
        cluster.run("initdb", |command| {
            command
                .args(["--username=puente", "--auth=trust", "--encoding=UTF8", "--no-sync"])
                .args(["--locale=C.UTF-8", "--no-instructions", "-D"])
                .arg(&data);
        })?;
        let options = format!(
            "-k '{}' -c listen_addresses='' -c max_connections=200 -c max_wal_size=256MB",
            cluster.folder.display()
        );
        cluster.run("pg_ctl", |command| {
            command.args(["start", "-w", "-D"]).arg(&data).args(["-o", &options, "-l"]);
            command.arg(cluster.folder.join("log"));
        })?;
        Ok(cluster)
    }

    /// The URL of one of its databases; `postgres` is there from the start.
    pub fn url(&self, database: &str) -> String {
        url(&self.folder, database)
    }

    /// Leaves the cluster to a watch that throws it away once a process has ended.
    #[cfg(test)]
    pub fn outlive(self, process: u32) -> io::Result<()> {
        let watch = "while [ -d /proc/\"$1\" ]; do sleep 1; done; \
                     \"$2/pg_ctl\" stop -s -w -m immediate -D \"$3/data\"; rm -rf \"$3\"";
        let mut command = Command::new("sh");
        command.current_dir("/").args(["-c", watch, "sh", &process.to_string()]);
        command.arg(&self.programs).arg(&self.folder);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).spawn()?;
        std::mem::forget(self);
        Ok(())
    }

    fn run(&self, program: &str, with: impl FnOnce(&mut Command)) -> io::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        with(&mut command);
        let complaints = self.folder.join("complaints");
        command.stderr(std::fs::File::create(&complaints)?);
        // A group of its own, so that what ends us does not end the server half-way.
        if command.process_group(0).status()?.success() {
            return Ok(());
        }
        let said = std::fs::read_to_string(&complaints).unwrap_or_default();
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(io::Error::other(format!("{program} failed: {} {}", said.trim(), log.trim())))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        // Nothing more can be done about a server that does not end.
        let _ended = self.run("pg_ctl", |command| {
            command.args(["stop", "-w", "-m", "immediate", "-D"]).arg(data);
        });
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// The URL of a database of the running cluster in `folder`.
pub fn url(folder: &Path, database: &str) -> String {
    let socket = folder.display().to_string().replace('%', "%25").replace('/', "%2F");
    format!("postgresql://puente@{socket}/{database}")
}

fn programs() -> io::Result<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    if let Ok(versions) = std::fs::read_dir(INSTALLED) {
        let mut versions: Vec<PathBuf> =
            versions.flatten().map(|version| version.path().join("bin")).collect();
        let number = |path: &PathBuf| -> u32 {
            let name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            name.and_then(|name| name.parse().ok()).unwrap_or(0)
        };
        versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
        folders.extend(versions);
    }
    let whole = |folder: &PathBuf| ["initdb", "pg_ctl"].iter().all(|p| folder.join(p).exists());
    folders.into_iter().find(whole).ok_or_else(|| {
        io::Error::other(
            "there is no PostgreSQL on this machine (initdb, pg_ctl): install it, on Debian with \
             apt-get install postgresql, or give the URL of a database",
        )
    })
}

/// User and group that the server runs as where we are root.
fn unprivileged() -> io::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let of = |wanted: &str| {
        users.lines().find_map(|line| {
            let parts: Vec<&str> = line.split(':').collect();
            let [name, _, user, group, ..] = parts[..] else { return None };
            (name == wanted).then_some((user.parse().ok()?, group.parse().ok()?))
        })
    };
    UNPRIVILEGED.into_iter().find_map(of).ok_or_else(|| {
        io::Error::other("as root the server needs an unprivileged user, such as nobody")
    })
}
