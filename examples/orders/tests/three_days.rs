//! Days of the shop in no time: the clock leaps while everything waits.

mod common;

use std::path::PathBuf;

use onward::prelude::*;
use onward_testkit::TestEnvironment;
use orders::shop::{self, ChargeError, Order, PATIENCE, order, report, thank};
use orders::world::World;
use tempfile::TempDir;

struct Shop {
    env: TestEnvironment,
    world: PathBuf,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Result<Shop> {
        let folder = tempfile::tempdir()?;
        let world = folder.path().join("world.log");
        let env = TestEnvironment::launch(shop::executor("sqlite::memory:", World::open(&world)?)).await?;
        shop::declare(&env).await?;
        Ok(Shop { env, world, _folder: folder })
    }

    fn count(&self, what: &str) -> usize {
        common::acts(&self.world, what).expect("the file is there").len()
    }
}

fn of(customer: &str, cents: u64) -> Order {
    Order { customer: customer.to_owned(), item: "lamp".to_owned(), parcels: 50, cents }
}

#[tokio::test]
async fn a_large_order_is_approved_after_a_day_and_delivered_after_another() -> Result<()> {
    let shop = Shop::open().await?;
    let began = shop.env.now();
    let run = shop.env.start::<order>(of("ada", shop::LARGE)).id("order-1").await?;
    shop.env.advance(days(1)).await?;
    let inbox = shop.env.inbox(onward::records::InboxFilter::default()).await?.items;
    assert_eq!(
        inbox[0].request().map(|request| request.title.as_str()),
        Some("Approve an order of 100000 cents by ada")
    );
    run.send("approval", true).await?;

    let receipt = shop.env.result(&run).await?;
    assert_eq!((receipt.payment.as_str(), receipt.labels.len()), ("ada paid 100000", 50));
    let took = shop.env.now().duration_since(began);
    assert!(took >= days(2).try_into()? && took < (days(2) + mins(5)).try_into()?, "{took}");
    assert_eq!(["reserve", "charge", "label", "hand over"].map(|what| shop.count(what)), [1, 1, 50, 1]);

    let mut progress = run.read_stream::<String>("progress");
    let mut said = Vec::new();
    while let Some(word) = progress.next().await {
        said.push(word?);
    }
    assert_eq!(said, ["reserved", "waits for approval", "paid", "50 labels", "delivered"]);

    shop.env.advance_to(began + days(3)).await?;
    let reports = shop.env.list(onward::Filter { workflows: vec!["report".to_owned()], ..Default::default() }).await?;
    assert_eq!(reports.items.len(), 3, "one each morning");
    assert_eq!(shop.env.handle::<report>(reports.items[0].id.as_str()).result().await?, 1);
    shop.env.close().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_done_for_an_order_that_fails_is_undone() -> Result<()> {
    let shop = Shop::open().await?;
    let declined = shop.env.start::<order>(of("mallory", 4_200)).await?;
    let error = shop.env.result(&declined).await.unwrap_err();
    assert_eq!(error.downcast_ref::<ChargeError>(), Some(&ChargeError::Declined { cents: 4_200 }));
    assert_eq!((shop.count("reserve"), shop.count("release"), shop.count("charge")), (1, 1, 0));

    let began = shop.env.now();
    let forgotten = shop.env.start::<order>(of("ada", shop::LARGE)).await?;
    let error = shop.env.result(&forgotten).await.unwrap_err();
    assert_eq!(error.message(), "nobody approved the order in time");
    assert!(shop.env.now() >= began + PATIENCE);
    assert_eq!((shop.count("release"), shop.count("refund")), (2, 0));
    shop.env.close().await?;
    Ok(())
}

#[tokio::test]
async fn a_crash_after_the_payment_charges_nobody_twice() -> Result<()> {
    let shop = Shop::open().await?;
    let run = shop.env.start::<order>(of("ada", 4_200)).id("order-1").await?;
    shop.env.crash_after_step("charge");
    let receipt = shop.env.result(&run).await?;
    assert_eq!(receipt.payment, "ada paid 4200");
    assert_eq!(shop.count("charge"), 1);
    shop.env.close().await?;
    Ok(())
}

#[tokio::test]
async fn a_customer_is_thanked_once_for_all_orders_of_a_minute() -> Result<()> {
    let shop = Shop::open().await?;
    let thanks = || shop.env.start::<thank>("ada".to_owned()).debounce("ada", mins(1)).timeout(hours(1));
    let first = thanks().await?;
    shop.env.advance(secs(30)).await?;
    let second = thanks().await?;
    assert_eq!(first.id(), second.id());
    shop.env.result(&second).await?;
    assert_eq!(shop.count("letter"), 1);
    shop.env.close().await?;
    Ok(())
}
