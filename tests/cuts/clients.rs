//! Those who push: the command, run again when it was killed; and a client that remembers nothing
//! and goes on where the gateway says.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use puente::cli::Client;
use puente::proto::puente::common::v1::{Period, Receipt};
use puente::proto::puente::sales::v1::{SaleLine, SaleLineBatch};
use tokio::task::JoinHandle;

use super::lines::Work;
use super::text;
use crate::common::proxy::Way;
use crate::common::push::{Push, open_report};
use crate::common::random::Random;
use crate::common::stage::{Folder, ProcessStage, read};
use crate::common::{goods, process};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Someone who pushes until everything is acknowledged, whatever comes between.
pub trait Sender {
    /// Whether it is at its end: done, or given up and to be run again.
    fn ended(&mut self) -> Option<bool>;

    /// Starts it, or starts it again.
    fn start(&mut self);

    /// Kills it without warning, and starts it again.
    fn kill(&mut self);

    /// Lets it push until the trap springs.
    async fn until(&mut self, way: &Way) {
        let began = Instant::now();
        while tokio::time::timeout(Duration::from_millis(5), way.sprung()).await.is_err() {
            match self.ended() {
                None => {}
                Some(true) => panic!("it was done before it was cut"),
                Some(false) => self.start(),
            }
            assert!(began.elapsed() < PATIENCE, "it does not go on");
        }
    }

    /// Lets it push to its end.
    async fn end(&mut self) {
        let began = Instant::now();
        loop {
            match self.ended() {
                None => tokio::time::sleep(Duration::from_millis(5)).await,
                Some(true) => return,
                Some(false) => self.start(),
            }
            assert!(began.elapsed() < PATIENCE * 5, "it does not end");
        }
    }
}

/// `puente push sales`.
pub struct Command {
    profile: PathBuf,
    work: (PathBuf, String, String),
    out: PathBuf,
    err: PathBuf,
    child: Option<Child>,
}

impl Command {
    pub fn new(folder: &Folder, profile: &Path, work: &Work) -> Self {
        let mut command = Self {
            profile: profile.to_owned(),
            work: (work.file.clone(), work.period.clone(), work.batch_lines.to_string()),
            out: folder.scratch("out.json", ""),
            err: folder.scratch("err.txt", ""),
            child: None,
        };
        command.start();
        command
    }
}

impl Sender for Command {
    fn ended(&mut self) -> Option<bool> {
        let status = self.child.as_mut().unwrap().try_wait().unwrap()?;
        // It answers when it is done, also when rows were refused.
        let done = !read(&self.out).is_empty();
        assert!(done || !status.success(), "{}", read(&self.err));
        Some(done)
    }

    fn start(&mut self) {
        let (file, period, lines) = &self.work;
        let args = ["push", "sales", text(file), "--period", period, "--batch-lines", lines];
        let child = process::command()
            .args(args)
            .args(["--output", "json", "--profile", text(&self.profile)])
            .stdout(File::create(&self.out).unwrap())
            .stderr(Stdio::from(File::create(&self.err).unwrap()))
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn kill(&mut self) {
        let child = self.child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.start();
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client that knows its lines and nothing else; batches are of any size, under new ids.
pub struct Forgetful {
    push: Arc<Pushing>,
    task: JoinHandle<()>,
}

struct Pushing {
    profile: PathBuf,
    report: String,
    lines: Vec<SaleLine>,
    told: Mutex<Told>,
}

/// What the gateway has acknowledged.
#[derive(Default)]
struct Told {
    lines: i64,
    receipts: BTreeMap<usize, Receipt>,
}

impl Forgetful {
    /// Opens the report in peace, and begins.
    pub async fn new(stage: &ProcessStage, profile: &Path, work: &Work) -> Self {
        let month = work.period[5..7].parse().unwrap();
        let day = |day| Some(goods::date(2025, month, day));
        let period = Period { first: day(1), last: day(28) };
        let report = open_report(&stage.client("marketplace"), period).await.name;
        let lines = work.lines.clone();
        let push = Pushing { profile: profile.to_owned(), report, lines, told: Mutex::default() };
        let push = Arc::new(push);
        Self { task: tokio::spawn(Arc::clone(&push).run()), push }
    }

    /// All receipts it was given, by their place in the ledger.
    pub fn receipts(&self) -> BTreeMap<usize, Receipt> {
        self.push.told.lock().unwrap().receipts.clone()
    }
}

impl Sender for Forgetful {
    fn ended(&mut self) -> Option<bool> {
        self.task.is_finished().then(|| {
            let told = self.push.told.lock().unwrap().lines;
            assert_eq!(told, self.push.lines.len() as i64, "it failed; what it said stands above");
            true
        })
    }

    fn start(&mut self) {
        self.task = tokio::spawn(Arc::clone(&self.push).run());
    }

    fn kill(&mut self) {
        self.task.abort();
        self.start();
    }
}

impl Pushing {
    async fn run(self: Arc<Self>) {
        let mut random = Random::new(self.told.lock().unwrap().lines as u64);
        while !self.one_stream(&mut random).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether everything is acknowledged; false when the stream broke.
    async fn one_stream(&self, random: &mut Random) -> bool {
        let client = Client::load(&self.profile).unwrap();
        let Ok(mut push) = Push::open(&client, &self.report).await else { return false };
        let mut next = push.welcome.committed_lines as usize;
        let acknowledged = self.told.lock().unwrap().lines;
        assert!(next as i64 >= acknowledged, "acknowledged lines are lost: {next}");
        let (window, mut in_flight) = (push.welcome.window, 0);
        loop {
            while in_flight < window && next < self.lines.len() {
                let end = self.lines.len().min(next + 1 + random.below(60) as usize);
                let batch = SaleLineBatch {
                    request_id: client.request_id(),
                    first_line: next as i64,
                    lines: self.lines[next..end].to_vec(),
                };
                if !push.send(batch).await {
                    return false;
                }
                (next, in_flight) = (end, in_flight + 1);
            }
            if in_flight == 0 {
                return true;
            }
            let Ok(result) = push.result().await else { return false };
            in_flight -= 1;
            let mut told = self.told.lock().unwrap();
            told.lines = told.lines.max(result.committed_lines);
            let receipt = result.receipt.unwrap();
            told.receipts.insert(receipt.index as usize, receipt);
        }
    }
}
