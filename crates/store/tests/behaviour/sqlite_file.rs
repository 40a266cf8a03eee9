//! The file of SQLite: one executor however it is named, nothing acknowledged that nobody will see, and what is not ours is
//! left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use onward_store::{Clock, Store};
use onward_testkit::TestDatabase;

use super::lock::connection;
use super::world::*;

fn file(db: &TestDatabase) -> PathBuf {
    PathBuf::from(db.url.strip_prefix("sqlite:").unwrap())
}

async fn open_url(url: &str) -> Result<Store, onward_types::Error> {
    Store::open(&url.parse().unwrap(), Clock::system()).await
}

#[tokio::test]
async fn a_file_has_one_executor_however_it_is_named() {
    let db = TestDatabase::sqlite();
    let executor = Executor::join(&open(&db).await).await;
    let file = file(&db);
    let folder = file.parent().unwrap();
    let symbolic = folder.join("symbolic.db");
    std::os::unix::fs::symlink(&file, &symbolic).unwrap();
    for lock_file in ["kept", "deleted"] {
        if lock_file == "deleted" {
            fs::remove_file(folder.join("test.db.executor")).unwrap();
        }
        for name in [file.display().to_string(), format!("file:{}", file.display()), symbolic.display().to_string()] {
            let other = open_url(&format!("sqlite:{name}")).await.unwrap();
            let refused = other.join(vec![SHIP_1.to_owned()], LEASE, None).await.err();
            assert_eq!(
                refused.map(|it| it.code().to_owned()).as_deref(),
                Some("busy"),
                "{name}, lock file {lock_file}"
            );
        }
    }
    assert!(!executor.seat.journal.is_closed());
    // For other processes, too: the kernel knows it as the lock on this very file.
    let elsewhere = fs::File::open(&file).unwrap();
    assert!(elsewhere.try_lock().is_err());
    executor.store.leave(&executor.seat).await.unwrap();
    elsewhere.try_lock().unwrap();
    elsewhere.unlock().unwrap();
    Executor::join(&open(&db).await).await;
}

#[tokio::test]
async fn a_file_with_two_names_is_refused_by_both() {
    let db = TestDatabase::sqlite();
    let store = open(&db).await;
    store.create(new_run(&store, "order-1")).await.unwrap();
    // SQLite would begin a WAL of that name, see nothing of what is in the other one, and destroy the file.
    let hard = file(&db).with_extension("hard");
    fs::hard_link(file(&db), &hard).unwrap();
    for name in [file(&db), hard.clone()] {
        let refused = open_url(&format!("sqlite:{}", name.display())).await.err().unwrap();
        assert!(refused.message().contains("has 2 names (hard links)"), "{refused}");
    }
    fs::remove_file(hard).unwrap();
    open(&db).await.find(&run_id("order-1")).await.unwrap();
}

#[tokio::test]
async fn a_relative_name_is_the_same_file_from_wherever_the_process_is() {
    let db = TestDatabase::sqlite();
    let folder = file(&db).parent().unwrap().to_owned();
    fs::create_dir(folder.join("elsewhere")).unwrap();
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let store = open_url("sqlite:relative.db").await.unwrap();
    std::env::set_current_dir(folder.join("elsewhere")).unwrap();
    store.create(new_run(&store, "order-1")).await.unwrap();
    // Readers are opened when they are first needed.
    let found = store.find(&run_id("order-1")).await;
    std::env::set_current_dir(before).unwrap();
    found.unwrap();
    assert!(!folder.join("elsewhere/relative.db").exists());
}

/// Something that befalls a file.
type Mishap = (&'static str, fn(&Path));

/// What may become of a file while it is open.
fn mishaps() -> [Mishap; 4] {
    [
        ("deleted", |file| fs::remove_file(file).unwrap()),
        ("moved", |file| fs::rename(file, file.with_extension("moved")).unwrap()),
        ("replaced", |file| {
            fs::copy(file, file.with_extension("copy")).unwrap();
            fs::rename(file.with_extension("copy"), file).unwrap();
        }),
        ("without its WAL", |file| fs::remove_file(format!("{}-wal", file.display())).unwrap()),
    ]
}

#[tokio::test]
async fn a_file_that_is_lost_while_it_is_open_acknowledges_nothing_more() {
    for (what, happens) in mishaps() {
        let db = TestDatabase::sqlite();
        let executor = Executor::join(&open(&db).await).await;
        let run = executor.start("order-1").await;
        happens(&file(&db));
        // It is looked for each few milliseconds.
        for n in 0.. {
            run.write(vec![step(n, "charged")]);
            if !run.is_durable().await {
                break;
            }
        }
        let (_, why) = executor.seat.journal.health().failing.unwrap();
        assert!(why.contains("was deleted, moved or replaced while it was open"), "{what}: {why}");
        let said = [
            executor.store.create(new_run(&executor.store, "order-2")).await.err(),
            executor.store.join(vec![], LEASE, Some(&executor.seat)).await.err(),
            executor.store.lost(),
        ];
        for said in said {
            let said = said.unwrap_or_else(|| panic!("{what}: nothing was said"));
            assert!(said.message().contains("nothing more is written"), "{what}: {said}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_lost_is_noticed_while_nothing_is_written() {
    let db = TestDatabase::sqlite();
    let executor = Executor::join(&open(&db).await).await;
    fs::remove_file(file(&db)).unwrap();
    tokio::time::timeout(PATIENCE, executor.seat.journal.fenced()).await.expect("the journal is closed");
    assert!(executor.store.lost().is_some());
}

#[tokio::test]
async fn a_reader_makes_no_file() {
    let db = TestDatabase::sqlite();
    let store = open(&db).await;
    fs::remove_file(file(&db)).unwrap();
    assert!(store.find(&run_id("order-1")).await.is_err());
    assert!(!file(&db).exists());
}

#[tokio::test]
async fn a_damaged_file_takes_nothing_more_and_says_what_to_do() {
    let db = TestDatabase::sqlite();
    let executor = Executor::join(&open(&db).await).await;
    executor.start("order-1").await;
    let page: i64 = {
        let raw = connection(&db);
        raw.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).unwrap();
        raw.query_row("select rootpage from sqlite_schema where name = 'runs_id'", [], |row| row.get(0)).unwrap()
    };
    std::os::unix::fs::FileExt::write_all_at(
        &fs::OpenOptions::new().write(true).open(file(&db)).unwrap(),
        &[0xa5; 4096],
        u64::try_from(page - 1).unwrap() * 4096,
    )
    .unwrap();
    let found = executor.store.find(&run_id("order-1")).await.unwrap_err();
    assert!(found.message().contains("is damaged"), "{found}");
    assert!(executor.seat.journal.is_closed());
    let refused = executor.store.create(new_run(&executor.store, "order-2")).await.unwrap_err();
    assert!(refused.message().contains("restore a backup"), "{refused}");
}

#[tokio::test]
async fn after_a_clean_end_everything_is_in_the_file() {
    let db = TestDatabase::sqlite();
    let executor = Executor::join(&open(&db).await).await;
    executor.start("order-1").await;
    executor.store.leave(&executor.seat).await.unwrap();
    // The process is still there, and so are its connections.
    let alone = file(&db).with_extension("alone");
    fs::copy(file(&db), &alone).unwrap();
    let copy = open_url(&format!("sqlite:{}", alone.display())).await.unwrap();
    copy.find(&run_id("order-1")).await.unwrap();
    assert_eq!(fs::metadata(format!("{}-wal", file(&db).display())).unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    for (table, is_taken) in [("runs", true), ("customers", false), ("schema_version", true)] {
        let db = TestDatabase::sqlite();
        let file = file(&db);
        connection(&db)
            .execute_batch(&format!("create table {table} (name text); insert into {table} values ('ada')"))
            .unwrap();
        let before = fs::read(&file).unwrap();
        let refused = Store::open(&url(&db), Clock::system()).await.err().unwrap();
        let sentence = format!("it has a table `{table}`, and no tables of Onward. Give Onward a file of its own");
        assert!(refused.code() == "schema" && refused.message().contains(&sentence), "{refused}");
        let added = open_url(&format!("{}?tables=add", db.url)).await;
        assert_eq!(added.err().map(|it| it.code().to_owned()).as_deref(), is_taken.then_some("schema"), "{table}");
        if is_taken {
            assert!(before == fs::read(&file).unwrap(), "the file with {table} was changed");
            assert!(!file.with_extension("db-wal").exists() && !file.with_extension("db-shm").exists());
        } else {
            // From now on it is ours, too.
            open(&db).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_at_once_in_a_sentence() {
    let db = TestDatabase::sqlite();
    let folder = file(&db).parent().unwrap().to_owned();
    let text = b"no database, but longer than the head of one would have to be".repeat(20);
    fs::write(folder.join("text.db"), &text).unwrap();
    for (name, sentence) in [
        ("text.db", "cannot be used: file is not a database"),
        ("no/such.db", "there is no folder"),
        ("", "is a folder"),
    ] {
        let name = folder.join(name).display().to_string();
        let refused = open_url(&format!("sqlite:{name}")).await.err().unwrap();
        assert!(refused.message().contains(sentence), "{name}: {refused}");
    }
    assert_eq!(fs::read(folder.join("text.db")).unwrap(), text);
    assert!(!folder.join("no").exists());
}
