//! What was signed binds: an older copy of the store, or a lost record, stops the signing.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::app::App;
use crate::app::write::{Intent, Plan, put};
use crate::change::Kind;
use crate::clock::Env;
use crate::domain::request_id::RequestId;
use crate::ledger::{Draft, EntryKind, KeyName, SigningKey};
use crate::store::sqlite::SqliteStore;
use crate::store::writer::WriterLimits;

/// A ledger's folder: its store in one place, the record of what was signed in another.
struct Ledger(TempDir);

impl Ledger {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for place in ["data", "backup"] {
            fs::create_dir(folder.path().join(place)).unwrap();
        }
        begin(&folder.path().join("record.json"), "puente.test/ledger").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts over the store in `place`, as a gateway does.
    async fn start(&self, place: &str) -> (App, Checkpoints) {
        let origin: KeyName = "puente.test/ledger".parse().unwrap();
        let signer = Signer::new(SigningKey::from_seed(origin, &[7; 32]).unwrap());
        let store = SqliteStore::open(&self.path(place).join("puente.db")).unwrap();
        let limits = WriterLimits::default();
        let app = App::start(Arc::new(store), Env::system(), limits).await.unwrap();
        (app, Checkpoints::new(signer, self.path("record.json")))
    }

    /// Copies the store's files aside.
    fn back_up(&self) {
        for file in fs::read_dir(self.path("data")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), self.path("backup").join(file.file_name())).unwrap();
        }
    }
}

async fn write(app: &App, entries: usize) {
    for _ in 0..entries {
        let id = RequestId::new(app.env.ids.uuid()).unwrap();
        let key = id.to_string();
        let intent = Intent::internal("operator".parse().unwrap(), id);
        let plan = || async {
            let (expect, write) =
                put(Kind::Report, &key, "operator", "OPEN", vec![String::new(); 2], &"", 0)?;
            let draft = Draft::new(EntryKind::ReportOpened);
            Ok(Plan { answer: (), expect: vec![expect], writes: vec![write], draft })
        };
        app.write(&intent, plan).await.unwrap();
    }
}

async fn refused(app: &App, checkpoints: &Checkpoints) -> Error {
    checkpoints.newest(&*app.store).await.unwrap_err()
}

#[tokio::test]
async fn an_older_copy_of_the_store_is_never_signed_again() {
    let ledger = Ledger::begin();
    let (app, checkpoints) = ledger.start("data").await;
    write(&app, 3).await;
    let old = checkpoints.newest(&*app.store).await.unwrap();
    ledger.back_up();
    write(&app, 4).await;
    let shown = checkpoints.newest(&*app.store).await.unwrap();
    assert_eq!((old.checkpoint().size(), shown.checkpoint().size()), (3, 7));
    drop((app, checkpoints));

    // The store of before: four entries that others have seen are not in it.
    let (app, checkpoints) = ledger.start("backup").await;
    assert_eq!(app.store.tree().await.unwrap().size(), 3);
    let error = refused(&app, &checkpoints).await;
    assert_eq!(error.reason, "LEDGER_INCONSISTENT");
    assert!(error.message.contains("restore the missing entries"), "{}", error.message);
    // Nor once it has grown to the same size, or beyond: its past is another.
    for more in [4, 1] {
        write(&app, more).await;
        assert_eq!(refused(&app, &checkpoints).await.reason, "LEDGER_INCONSISTENT");
    }
    let record = read(&ledger.path("record.json")).unwrap();
    assert_eq!((record.size, record.root), (7, *shown.checkpoint().root()), "it stays as it was");
}

#[tokio::test]
async fn a_lost_or_torn_record_stops_the_signing() {
    let ledger = Ledger::begin();
    let (app, checkpoints) = ledger.start("data").await;
    write(&app, 2).await;
    checkpoints.newest(&*app.store).await.unwrap();
    write(&app, 1).await;
    let whole = fs::read(ledger.path("record.json")).unwrap();
    fs::write(ledger.path("record.json"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(refused(&app, &checkpoints).await.reason, "LEDGER_RECORD_UNREADABLE");
    fs::remove_file(ledger.path("record.json")).unwrap();
    let error = refused(&app, &checkpoints).await;
    assert_eq!(error.reason, "LEDGER_RECORD_UNREADABLE");
    assert!(error.message.contains("record.json"), "{}", error.message);
    fs::write(ledger.path("record.json"), whole).unwrap();
    assert_eq!(checkpoints.newest(&*app.store).await.unwrap().checkpoint().size(), 3);
}

#[tokio::test]
async fn the_record_is_written_before_the_checkpoint_is_shown() {
    let ledger = Ledger::begin();
    let (app, checkpoints) = ledger.start("data").await;
    write(&app, 1).await;
    // Where the record cannot be written there is no checkpoint.
    fs::create_dir(ledger.path("record.new")).unwrap();
    assert_eq!(refused(&app, &checkpoints).await.reason, "INTERNAL");
    assert_eq!(read(&ledger.path("record.json")).unwrap().size, 0);
    fs::remove_dir(ledger.path("record.new")).unwrap();
    let shown = checkpoints.newest(&*app.store).await.unwrap();
    let record = read(&ledger.path("record.json")).unwrap();
    assert_eq!((record.size, record.root), (1, *shown.checkpoint().root()));
}
