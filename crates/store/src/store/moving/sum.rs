//! The row count and digest of a table.

use sha2::{Digest, Sha256};

use crate::driver::copy::Cell;

/// The sum of the digests of all rows, independent of their order.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) rows: u64,
    sum: u128,
}

impl Sum {
    pub(super) fn add(&mut self, row: &[Cell]) {
        let mut hash = Sha256::new();
        for cell in row {
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(int) => (1, &int.to_be_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        let digest = hash.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(half));
        self.rows += 1;
    }

    pub(super) fn digest(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_knows_every_cell_and_no_order() {
        let rows = [vec![Cell::Int(1), Cell::Text("a".into())], vec![Cell::Null, Cell::Bytes(b"a".to_vec())]];
        let of = |rows: &[&Vec<Cell>]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row));
            (sum.rows, sum.digest())
        };
        assert_eq!(of(&[&rows[0], &rows[1]]), of(&[&rows[1], &rows[0]]));
        assert_ne!(of(&[&rows[0]]), of(&[&vec![Cell::Int(1), Cell::Bytes(b"a".to_vec())]]));
        assert_ne!(of(&[&rows[0]]), of(&[&rows[0], &rows[0]]));
    }
}
