//! Documents, cursors, and the data of errors.

use super::{Examples, at, id, json, text};
use onward_types::{
    Code, Cursor, Deduplicated, Document, DocumentRecord, Error, ErrorData, HeldAt, Json, Status, Taken,
};

pub(super) fn add(to: &mut Examples) {
    to.add(&Cursor::from("0123abcd"));
    to.add(&DocumentRecord {
        kind: "limits".to_owned(),
        id: "mail".to_owned(),
        version: 1,
        value: json("null"),
        created_at: at(0),
        updated_at: at(1),
    });
    to.add(&Document { id: "mail".to_owned(), version: 2, value: 7, created_at: at(0), updated_at: at(1) });
    to.add(&ErrorData { tag: "Declined".to_owned(), path: None, value: json("null") });
    to.add(&ErrorData { tag: "Declined".to_owned(), path: text("shop::Declined"), value: json("{}") });
    to.add(&HeldAt::new(3));
    to.add(&Taken::by(&id("order-17")));
    let holder = Deduplicated {
        queue: "mail".to_owned(),
        dedup: "cart-4".to_owned(),
        run: id("order-17"),
        status: Status::Running,
        reason: "sleeps".to_owned(),
    };
    to.add(&holder);
    to.add::<Json>(&Error::new(Code::Failed, "no stock").to_json());
    to.add::<Json>(&holder.refused("Wait for it").to_json());
}
