//! The real binary as a process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The binary under test; another build of it may be named, to measure one against the other.
fn binary() -> PathBuf {
    std::env::var_os("PUENTE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_puente").into()).into()
}

/// The binary, without anything that this process's environment would tell it.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    for name in ["PUENTE_PROFILE", "PUENTE_CONFIG", "PUENTE_LISTEN", "PUENTE_ADMIN_LISTEN"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs `puente` with these arguments to its end.
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let output = command().args(args).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The same beside a gateway in this process.
pub async fn run_beside<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let args: Vec<_> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
    tokio::task::spawn_blocking(move || run(&args)).await.unwrap()
}

/// `puente init` into `dir`.
pub fn init(dir: &Path) {
    let ran = run(&[OsStr::new("init"), dir.as_os_str()]);
    assert_eq!(ran.code, 0, "init: {}", ran.err);
}

/// A gateway as a process of its own; killed when it is dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    pub log: PathBuf,
}

impl Served {
    /// Serves from `dir` on ports that the system chooses; returns once it is ready.
    pub fn start(dir: &Path) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(dir, any, any)
    }

    /// Serves from `dir` there.
    pub fn start_at(dir: &Path, listen: SocketAddr, admin_listen: SocketAddr) -> Self {
        let log = dir.join("serve.log");
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command()
            .arg("serve")
            .arg("--config")
            .arg(dir.join("puente.toml"))
            .args(["--listen", &listen.to_string()])
            .args(["--admin-listen", &admin_listen.to_string()])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut addresses = line.split("://").skip(1).map(|rest| {
            let end = rest.find(|c: char| c != ':' && c != '.' && !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().unwrap()
        });
        let (Some(address), Some(admin_address)) = (addresses.next(), addresses.next()) else {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("no line of readiness: {line:?}\n{log}");
        };
        Self { child, address, admin_address, log }
    }

    /// Its process id.
    #[allow(dead_code, reason = "only the bench looks at processes from outside")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9: nothing is finished, nothing is written any more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by name, such as TERM.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// What it logged so far.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
