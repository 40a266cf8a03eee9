//! Pauses of queues and schedules whose answer is lost on the way.

use onward_store::{Clock, NewSchedule, QueueChange, Store};
use onward_testkit::TestDatabase;
use onward_types::{Attribution, CatchUp, Overlap, Timestamp};

use super::proxy::{Mishap, Proxy};
use super::world::*;

fn daily() -> NewSchedule {
    NewSchedule {
        id: "daily".into(),
        workflow: WORKFLOW.into(),
        version: "1".into(),
        cron: "@daily".into(),
        zone: "UTC".into(),
        catch_up: CatchUp::Latest,
        overlap: Overlap::Allow,
        since: Timestamp::UNIX_EPOCH,
        next_tick: None,
        options: onward_types::RunOptions::default(),
    }
}

fn by(name: &str) -> Attribution {
    Attribution { by: Some(name.to_owned()), ..Attribution::default() }
}

mod a_pause_whose_answer_was_lost_has_changed_something_and_one_by_another_has_not {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before_sessions(&db.url, "application_name\0onward\0").await;
        let store = Store::open(&proxy.url().parse().unwrap(), Clock::system()).await.unwrap();
        store.set_queue("mail", QueueChange::default()).await.unwrap();
        store.put_schedule(daily()).await.unwrap();
        for (pause, verb) in [(true, "paused"), (false, "resumed")] {
            proxy.plan(&[Mishap::AnswerLost]);
            assert!(
                store.pause_queue("mail", pause, &by("ann")).await.unwrap(),
                "ann did it, if at the second attempt"
            );
            assert!(!store.pause_queue("mail", pause, &by("bob")).await.unwrap());
            let steered = store.queue("mail").await.unwrap().steered.unwrap();
            assert_eq!(steered.to_string(), format!("{verb} by ann"));

            proxy.plan(&[Mishap::AnswerLost]);
            let (since, ann, bob) = (Timestamp::UNIX_EPOCH, by("ann"), by("bob"));
            let changed = match pause {
                true => [store.pause_schedule("daily", &ann).await, store.pause_schedule("daily", &bob).await],
                false => [
                    store.resume_schedule("daily", since, None, &ann).await,
                    store.resume_schedule("daily", since, None, &bob).await,
                ],
            };
            assert_eq!(changed.map(Result::unwrap), [true, false]);
            let steered = store.schedule("daily").await.unwrap().steered.unwrap();
            assert_eq!(steered.to_string(), format!("{verb} by ann"));
        }
    }
}
