//! A push that is cut at random points, again and again, ends as one that was never cut.
//!
//! The same lines go into two gateways: into one in peace; into the other while connections are
//! reset and gateway and client are killed, each after a random number of bytes. A client goes on
//! where the gateway says, or the command is simply run again. In the end both gateways say the
//! same: lines and verdicts, counts, totals, rollups; and the ledger of the second contains every
//! ledger it had shown.
//!
//! `PUENTE_CUTS_SEED=N` repeats a run as far as two machines' timing allows.

mod clients;
mod lines;
mod said;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use puente::cli::Profile;
use puente::ledger::{Hash, VerifyingKey};
use puente::proto::puente::listings::v1::CreateListingRequest;
use puente::proto::puente::listings::v1::listing_service_client::ListingServiceClient;

use self::clients::{Command, Forgetful, Sender};
use self::lines::Work;
use self::said::{Counting, Said};
use crate::common::process::run_beside;
use crate::common::proxy::Way;
use crate::common::random::Random;
use crate::common::stage::{ProcessStage, read, sync_exporter};
use crate::common::{ask, goods};
use crate::kill::{check_ledger, checkpoint};

/// Reports, pushed by the command, but two of them by a client that remembers nothing.
const REPORTS: usize = 5;
const CUTS_A_REPORT: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_random_cuts_end_as_if_there_had_been_none() {
    let seed = seed();
    let whole = scene().await;
    let mut cut = Cutting::begin(scene().await, seed).await;
    for n in 0..REPORTS {
        let work = Work::invented(&whole.folder, n);
        if n % 3 == 1 {
            let mut sender =
                Forgetful::new(&whole, &whole.folder.profile("marketplace"), &work).await;
            sender.end().await;
            let profile = cut.profile.clone();
            let mut sender = Forgetful::new(&cut.stage, &profile, &work).await;
            cut.through(&mut sender, &work, CUTS_A_REPORT).await;
            cut.receipts.extend(sender.receipts());
        } else {
            Command::new(&whole.folder, &whole.folder.profile("marketplace"), &work).end().await;
            let mut sender = Command::new(&cut.stage.folder, &cut.profile, &work);
            cut.through(&mut sender, &work, CUTS_A_REPORT).await;
        }
    }
    assert_eq!(cut.count, [17, 17, 16], "resets, kills of the gateway, kills of the client");
    for n in 0..REPORTS {
        let work = Work::invented(&whole.folder, n);
        // A client that forgets what it sent sends some of it again, under other ids.
        let counting = if n % 3 == 1 { Counting::Stored } else { Counting::All };
        let due = Said::of(&whole, &work, counting).await;
        let got = Said::of(&cut.stage, &work, counting).await;
        got.is(&due, &format!("report {n}, seed {seed}"));
    }
    cut.check_ledger().await;
}

/// The same for as many cuts as asked for, over a file of sales; `scripts/soak` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; scripts/soak runs it over real sales"]
async fn a_long_push_ends_as_if_it_had_not_been_cut() {
    let seed = seed();
    let said = |name: &str| std::env::var(name).ok();
    let cuts: usize = said("PUENTE_CUTS").map_or(500, |cuts| cuts.parse().unwrap());
    let whole = scene().await;
    let work = match said("PUENTE_CUTS_FILE") {
        Some(file) => Work::of_file(file.into(), &said("PUENTE_CUTS_PERIOD").unwrap()),
        None => Work::long(&whole.folder, 200_000),
    };
    let mut cut = Cutting::begin(scene().await, seed).await;
    Command::new(&whole.folder, &whole.folder.profile("marketplace"), &work).end().await;
    let mut sender = Command::new(&cut.stage.folder, &cut.profile, &work);
    cut.through(&mut sender, &work, cuts).await;
    let due = Said::of(&whole, &work, Counting::All).await;
    Said::of(&cut.stage, &work, Counting::All).await.is(&due, &format!("seed {seed}"));
    cut.check_ledger().await;
    let [resets, gateways, clients] = cut.count;
    println!("{resets} resets, {gateways} kills of the gateway, {clients} of the client: {due}");
}

fn seed() -> u64 {
    let given = std::env::var("PUENTE_CUTS_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| {
        puente::clock::Env::system().now().as_nanosecond().unsigned_abs() as u64
    });
    // Shown when the test fails.
    println!("PUENTE_CUTS_SEED={seed}");
    seed
}

/// A gateway with one eligible seller and two articles on sale.
async fn scene() -> ProcessStage {
    let stage = ProcessStage::start();
    sync_exporter(&stage.client("registry")).await;
    let client = stage.client("marketplace");
    for sku in ["MALBEC", "TORRONTES"] {
        let request = CreateListingRequest {
            request_id: client.request_id(),
            listing: Some(goods::listing(sku)),
            validate_only: false,
        };
        ask!(client, ListingServiceClient.create_listing(request)).unwrap();
    }
    let marketplace = stage.folder.profile("marketplace");
    let mut offer = vec!["push", "listings"];
    let file = stage.folder.scratch("listings.csv", lines::listings());
    offer.extend([file.to_str().unwrap(), "--profile", marketplace.to_str().unwrap()]);
    let ran = run_beside(&offer).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    for authority in ["customs", "inv"] {
        let profile = stage.folder.profile(authority);
        let ran = run_beside(&["clear", "--all", "--profile", profile.to_str().unwrap()]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    stage
}

/// The gateway whose clients are cut off.
struct Cutting {
    stage: ProcessStage,
    way: Way,
    /// The marketplace's, by the way that breaks.
    profile: PathBuf,
    key: VerifyingKey,
    random: Random,
    /// Cuts so far: resets, kills of the gateway, kills of the client.
    count: [usize; 3],
    /// The ledgers it has shown.
    seen: Vec<(u64, Hash)>,
    receipts: BTreeMap<usize, puente::proto::puente::common::v1::Receipt>,
}

impl Cutting {
    async fn begin(stage: ProcessStage, seed: u64) -> Self {
        let way = Way::open(stage.served.address).await;
        let profile = Profile {
            endpoint: format!("https://{}", way.address),
            ..Profile::load(&stage.folder.profile("marketplace")).unwrap()
        };
        let profile = stage.folder.scratch("cut.toml", toml::to_string(&profile).unwrap());
        let key = read(&stage.path().join("ledger/vkey.txt")).trim().parse().unwrap();
        Self {
            stage,
            way,
            profile,
            key,
            random: Random::new(seed),
            count: [0; 3],
            seen: Vec::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// Lets `sender` do its work under `cuts` cuts, resets and kills in turn.
    async fn through(&mut self, sender: &mut impl Sender, work: &Work, cuts: usize) {
        // So that all of them come before the work is done, however little of it is lost.
        let most = work.bytes * 3 / 4 / cuts;
        for _ in 0..cuts {
            let bytes = 1 + self.random.below(most as u64) as usize;
            let more = self.random.below(2) as usize * 2048;
            self.way.set_trap(bytes, more);
            sender.until(&self.way).await;
            let kind = self.count.iter().sum::<usize>() % 3;
            self.count[kind] += 1;
            match kind {
                0 => {}
                1 => self.kill_gateway().await,
                _ => sender.kill(),
            }
            self.way.reset();
        }
        sender.end().await;
    }

    async fn kill_gateway(&mut self) {
        self.stage.served.kill();
        self.way.lead(None);
        self.stage.restart();
        self.seen.push(checkpoint(&self.stage, &self.key).await);
        self.way.lead(Some(self.stage.served.address));
    }

    async fn check_ledger(&mut self) {
        check_ledger(&self.stage, &self.key, &mut self.seen, &self.receipts).await;
    }
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
