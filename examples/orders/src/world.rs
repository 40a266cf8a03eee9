//! What the shop reaches outside: the stock, the bank, the printer, the carrier. Here they are a file, to which each act adds a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The world outside. As real services do, it does what has the same key once: the file shows each request, and readers count keys.
#[derive(Clone)]
pub struct World(Arc<Mutex<File>>);

impl World {
    /// Open the file that stands for the world, or make one.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<World> {
        Ok(World(Arc::new(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?))))
    }

    /// Do something there. `key` is the same each time a step runs again.
    ///
    /// # Errors
    /// If the world does not answer.
    pub fn act(&self, what: &str, key: &str) -> io::Result<()> {
        let mut file = self.0.lock().expect("no act panics");
        // One write, so that the lines of two processes do not mix.
        file.write_all(format!("{what}\t{key}\n").as_bytes())
    }
}
