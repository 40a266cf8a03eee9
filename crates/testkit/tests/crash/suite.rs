//! The suite of random programs and random faults, for as long as a test may take. By hand it runs longer:
//! `cargo run --release -p onward-testkit --features engine --bin crash -- --seed 7 --seconds 60 --db postgres`.

use std::process::Command;

mod random_programs_survive_random_faults {
    #[test]
    fn sqlite() {
        super::survive("sqlite", 3);
    }

    #[test]
    fn postgres() {
        super::survive("postgres", 5);
    }
}

fn survive(database: &str, seed: u64) {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_crash"));
    let output = suite.args(["--seed", &seed.to_string(), "--seconds", "8", "--db", database]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}
