//! Volumes that are small, full or read-only. They are mounted where the machine allows it; where it does not, each test says
//! that it was not run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use onward_store::{Change, Clock, Store};
use onward_types::Timestamp;
use rusqlite::Connection;

use super::world::*;

/// A volume of its own. It is taken down when it is dropped.
struct Volume(PathBuf);

impl Volume {
    fn of(size: &str) -> Option<Volume> {
        let folder = std::env::temp_dir().join(format!("onward-volume-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&folder).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Volume(folder));
        }
        eprintln!("not run: no volume can be mounted here");
        fs::remove_dir(&folder).unwrap();
        None
    }

    fn file(&self) -> PathBuf {
        self.0.join("small.db")
    }

    async fn open(&self) -> Result<Store, onward_types::Error> {
        Store::open(&format!("sqlite:{}", self.file().display()).parse().unwrap(), Clock::system()).await
    }

    /// As soon as nobody has a file open for writing.
    async fn remount(&self, how: &str) {
        let remounted = async || loop {
            let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).output().unwrap();
            if done.status.success() {
                return;
            }
            tokio::task::yield_now().await;
        };
        tokio::time::timeout(PATIENCE, remounted()).await.expect("the volume is at rest");
    }

    /// A file of this volume, mounted by itself.
    fn mount_alone(&self, file: &std::path::Path) -> PathBuf {
        let alone = self.0.join("alone.db");
        fs::write(&alone, "").unwrap();
        assert!(Command::new("mount").arg("--bind").args([file, &alone]).status().unwrap().success());
        alone
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a process that has a file open there keeps it.
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        if !done.is_ok_and(|done| done.success()) || fs::remove_dir(&self.0).is_err() {
            eprintln!("a volume was left behind: {}", self.0.display());
        }
    }
}

/// Another text of the same length: no page of it is what it was, for SQLite writes those alone that changed.
fn turned(text: &str, by: usize) -> String {
    let (head, tail) = text.split_at(by);
    format!("{tail}{head}")
}

fn says(text: &str) -> Change {
    Change::SetEvent { position: 0, key: "progress".into(), value: json(text), at: Timestamp::UNIX_EPOCH }
}

#[tokio::test]
async fn the_wal_does_not_fill_a_small_volume() {
    let Some(volume) = Volume::of("12m") else { return };
    let executor = Executor::join(&volume.open().await.unwrap()).await;
    let run = executor.start("order-1").await;
    // 40 MB pass through the WAL, and 100 kB are left of them.
    let text = random_text(100_000);
    for n in 0..400 {
        run.writes(vec![says(&turned(&text, n))]).await;
    }
    assert!(executor.seat.journal.health().failing.is_none());
}

#[tokio::test]
async fn a_volume_that_its_wal_has_filled_is_opened_again() {
    let Some(volume) = Volume::of("12m") else { return };
    {
        // A life before, which was killed: its files, as they were.
        let before = Volume::of("64m").unwrap();
        let store = before.open().await.unwrap();
        store.create(new_run(&store, "order-1")).await.unwrap();
        drop(store);
        let raw = Connection::open(before.file()).unwrap();
        raw.execute_batch("pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table big (n, text)")
            .unwrap();
        raw.execute("insert into big values (1, ?1)", [random_text(100_000)]).unwrap();
        let text = random_text(100_000);
        for n in 0..80 {
            raw.execute("update big set text = ?1", [turned(&text, n)]).unwrap();
        }
        for end in ["", "-wal"] {
            fs::copy(format!("{}{end}", before.file().display()), format!("{}{end}", volume.file().display())).unwrap();
        }
    }
    fill(&volume);
    let full = volume.open().await.err().unwrap();
    assert!(full.message().contains("is full: free some space"), "{full}");
    // Less than the WAL has, but SQLite needs a little to begin with.
    let filler = fs::OpenOptions::new().write(true).open(volume.0.join("filler")).unwrap();
    filler.set_len(filler.metadata().unwrap().len() - 512 * 1024).unwrap();
    let store = volume.open().await.unwrap();
    assert_eq!(fs::metadata(volume.0.join("small.db-wal")).unwrap().len(), 0);
    store.find(&run_id("order-1")).await.unwrap();
    store.create(new_run(&store, "order-2")).await.unwrap();
}

/// Leave not a byte.
fn fill(volume: &Volume) {
    use std::io::Write;
    let mut filler = fs::File::create(volume.0.join("filler")).unwrap();
    while filler.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
}

#[tokio::test]
async fn a_volume_that_cannot_be_written_is_refused_in_a_sentence() {
    let Some(volume) = Volume::of("12m") else { return };
    volume.remount("ro").await;
    let refused = volume.open().await.err().unwrap();
    assert!(refused.message().contains("cannot be written by this process"), "{refused}");
    volume.remount("rw").await;
    drop(volume.open().await.unwrap());
    volume.remount("ro").await;
    let refused = volume.open().await.err().unwrap();
    assert!(
        refused.message().contains("the SQLite file") && refused.message().contains("change its mode"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_that_is_mounted_by_itself_is_refused() {
    let Some(volume) = Volume::of("12m") else { return };
    let store = volume.open().await.unwrap();
    store.create(new_run(&store, "order-1")).await.unwrap();
    // Its WAL would lie in the other folder, with another name.
    let alone = volume.mount_alone(&volume.file());
    let refused = Store::open(&format!("sqlite:{}", alone.display()).parse().unwrap(), Clock::system()).await.err();
    let unmounted = Command::new("umount").arg(&alone).status().unwrap();
    assert!(unmounted.success());
    assert!(refused.as_ref().is_some_and(|it| it.message().contains("is mounted as a single file")), "{refused:?}");
    volume.open().await.unwrap().find(&run_id("order-1")).await.unwrap();
}
