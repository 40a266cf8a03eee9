//! Programs: what a workflow does, as data.

use serde::{Deserialize, Serialize};

/// The operations of a workflow, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Program(pub Vec<Op>);

/// One thing that a workflow does. A `salt` makes the value of a step its own; times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A step.
    Step {
        /// Its own value.
        salt: u64,
        /// How long its body takes.
        millis: u64,
    },
    /// A step whose body keeps its thread for so long.
    Compute {
        /// Its own value.
        salt: u64,
        /// For how long.
        millis: u64,
    },
    /// A step that writes a row of the user's own, in one commit with its record: see [`LEDGER`](super::LEDGER).
    Transaction {
        /// Its own value.
        salt: u64,
        /// How often its body fails, after it has written the row.
        fails: u32,
    },
    /// A step that fails some times before it succeeds.
    Flaky {
        /// Its own value.
        salt: u64,
        /// How often it fails.
        fails: u32,
        /// The pause after a failure.
        backoff: u64,
    },
    /// A step that fails for good, with a typed error.
    Refused {
        /// Its own value, which the error carries.
        salt: u64,
        /// How often it is tried.
        attempts: u32,
    },
    /// A durable sleep.
    Sleep {
        /// For how long.
        millis: u64,
    },
    /// A child that executes a program of its own.
    Child {
        /// What it does.
        program: Program,
        /// Started first and asked for its result later, instead of both at once.
        apart: bool,
    },
    /// Branches of several calls each, all at once.
    Join(Vec<Program>),
    /// Two branches under `tokio::join!`, whose order of polls changes from one to the next.
    Pair(Program, Program),
    /// A race whose winner is certain.
    Race {
        /// The value of the step in it.
        salt: u64,
        /// Who wins.
        winner: Winner,
    },
    /// A race that either of two steps can win. Later steps see the same winner, whatever happens.
    Dice {
        /// The value of both.
        salt: u64,
    },
    /// Many steps at once.
    All {
        /// Their values begin here.
        salt: u64,
        /// How many.
        count: u64,
        /// How many at once.
        limit: usize,
    },
    /// Something that is different each time it is made, and the same each time it is replayed.
    Chance(Chance),
    /// A patch; every run of a program is younger than it.
    Patched(String),
    /// The same, several times.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        program: Program,
    },
    /// An event is set, and the same is appended to a stream: see [`SAID`](super::SAID).
    Say {
        /// What.
        salt: u64,
    },
    /// Messages of the run to itself, which it then takes in their order.
    Note {
        /// What they say begins here.
        salt: u64,
        /// How many.
        count: u64,
    },
    /// A child that waits for a letter, which is sent to it.
    Post {
        /// What the letter says.
        salt: u64,
    },
    /// A message from outside, sent by the caller that started the run: see [`Program::letters`].
    Letter {
        /// What it says.
        salt: u64,
    },
    /// A wait for a message that nobody sends.
    Silence {
        /// How long it waits.
        millis: u64,
    },
    /// A hook to which nobody sends: it is opened, waited for, and closed.
    Hook {
        /// Which token it has, beside the id of the run.
        salt: u64,
        /// How long it is waited for.
        millis: u64,
    },
    /// A step whose body asks at the desk (see [`WorkerOptions::desk`](super::WorkerOptions)) what to do, and waits for the
    /// answer.
    Ask {
        /// Its own value.
        salt: u64,
    },
    /// A step that kills its process, always.
    Die,
}

/// Who wins a race.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Winner {
    /// A step, against a sleep of an hour.
    Step,
    /// A short sleep, against a step that never returns.
    Sleep,
    /// A short sleep, against a step that fails again and again.
    SleepAgainstFailures,
}

/// What is different each time it is made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chance {
    /// The time.
    Now,
    /// A random number.
    Random,
    /// A UUID.
    Uuid,
}

impl Program {
    /// Whether it starts other runs: such a run, once cancelled, may find a child cancelled when it is resumed.
    #[must_use]
    pub fn has_children(&self) -> bool {
        self.0.iter().any(|op| match op {
            Op::Child { .. } | Op::Post { .. } => true,
            nested => nested.parts().into_iter().any(Program::has_children),
        })
    }

    /// Whether some operation of the run itself, its children left out, is like this.
    pub fn any(&self, is_such: &impl Fn(&Op) -> bool) -> bool {
        self.0.iter().any(|op| is_such(op) || op.parts().into_iter().any(|part| part.any(is_such)))
    }

    /// The same of the run and its children, and theirs.
    pub fn any_of_family(&self, is_such: &dyn Fn(&Op) -> bool) -> bool {
        self.any(&|op| is_such(op) || matches!(op, Op::Child { program, .. } if program.any_of_family(is_such)))
    }

    /// The letters that the run waits for.
    #[must_use]
    pub fn letters(&self) -> Vec<u64> {
        let salt = |op: &Op| if let Op::Letter { salt } = op { Some(*salt) } else { None };
        self.0.iter().filter_map(salt).collect()
    }

    /// All that the run says, in one of the orders that are possible.
    #[must_use]
    pub fn said(&self) -> Vec<u64> {
        self.0.iter().flat_map(Op::said).collect()
    }
}

impl Op {
    /// The programs in it that belong to the same run.
    fn parts(&self) -> Vec<&Program> {
        match self {
            Op::Join(branches) => branches.iter().collect(),
            Op::Pair(a, b) => vec![a, b],
            Op::Repeat { program, .. } => vec![program],
            _ => Vec::new(),
        }
    }

    fn said(&self) -> Vec<u64> {
        match self {
            Op::Say { salt } => vec![*salt],
            Op::Repeat { times, program } => (0..*times).flat_map(|_| program.said()).collect(),
            nested => nested.parts().into_iter().flat_map(Program::said).collect(),
        }
    }
}
