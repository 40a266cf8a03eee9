//! `onward runs attributes`: changes the attributes of runs.

use std::collections::BTreeMap;

use onward::{Client, Json};

use super::steer::{self, Done, Meant};
use crate::args::Attributes;
use crate::exit::{Exit, Failure};

pub(super) async fn attributes(client: &Client, attributes: Attributes, json: bool) -> Result<Exit, Failure> {
    let Attributes { runs, set, remove, replace } = attributes;
    let removed = remove.into_iter().map(|key| (key, Json::null()));
    let changes: BTreeMap<String, Json> = set.into_iter().chain(removed).collect();
    let all = |filter| client.merge_attributes_all(filter, &changes);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "updated"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "updated").await,
        Meant::Ids(ids) => {
            let change = async |run: &super::Handle| {
                if replace {
                    run.set_attributes(&changes).await?
                } else {
                    run.merge_attributes(&changes).await?
                }
                Ok(Done::default())
            };
            steer::each(client, ids, json, change, |_, _| "is updated".to_owned()).await
        }
    }
}
