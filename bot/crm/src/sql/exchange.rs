//! Imports and exports, from files into a store and back.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::testing::*;
use crate::export::{What, export};
use crate::import::{Kind, Mapping, Report, import};
use crate::types::*;

#[tokio::test]
async fn orders_of_unknown_customers_are_left_out_by_line() {
    let scratch = Scratch::new().await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    };
    let none = Mapping::default();
    let file = at("customers.csv", "id,name\nc1,Ana\nc2,Bo\n");
    let report = import(&scratch.store, Kind::Customers, &file, &none)
        .await
        .unwrap();
    assert_eq!((report.accepted, report.rejected.len()), (2, 0));

    let file = at(
        "orders.csv",
        "id,customer,status,product,name,price\n\
         o1,c1,shipped,p,Mug,7\n\
         o2,ghost,shipped,p,Mug,7\n\
         o3,c2,shipped,p,Mug,bad\n\
         o4,c2,shipped,p,Mug,7\n",
    );
    let report = import(&scratch.store, Kind::Orders, &file, &none)
        .await
        .unwrap();
    assert_eq!(report.accepted, 2);
    let lines: Vec<_> = report
        .rejected
        .iter()
        .map(|rejection| rejection.line)
        .collect();
    assert_eq!(lines, [Some(3), Some(4)]);
    assert!(
        report.rejected[0].reason.contains("customer ghost"),
        "{:?}",
        report.rejected
    );
    assert_eq!(
        scratch.store.orders_of(&"c2".into()).await.unwrap().len(),
        1
    );
    assert_eq!(scratch.store.counts().await.unwrap().orders, 2);
}

#[tokio::test]
async fn a_large_file_is_imported_in_full_and_twice_is_no_change() {
    let scratch = Scratch::new().await;
    let folder = TempDir::new().unwrap();
    let mut text = "id,name,sku,price\n".to_owned();
    for number in 0..5_000 {
        text += &format!("p{number},Thing {number},a,1.00\np{number},,b,2.00\n");
    }
    let file = folder.path().join("products.csv");
    fs::write(&file, text).unwrap();
    let none = Mapping::default();
    let report = import(&scratch.store, Kind::Products, &file, &none)
        .await
        .unwrap();
    assert_eq!(
        report,
        Report {
            accepted: 5_000,
            rejected: Vec::new()
        }
    );
    let mark = scratch.store.changed_products(0, u32::MAX).await.unwrap()[4_999].revision();
    import(&scratch.store, Kind::Products, &file, &none)
        .await
        .unwrap();
    assert_eq!(scratch.store.changed_products(mark, 10).await.unwrap(), []);
    assert_eq!(scratch.store.counts().await.unwrap().products, 5_000);
}

async fn exported(store: &Store, what: What) -> String {
    let mut output = Vec::new();
    let written = export(store, what, &mut output).await.unwrap();
    let text = String::from_utf8(output).unwrap();
    assert_eq!(text.lines().count(), written);
    text
}

#[tokio::test]
async fn what_is_exported_is_imported_as_it_was() {
    let from = Scratch::new().await;
    let many: Vec<_> = (0..1_100)
        .map(|number| customer(&format!("c{number}")))
        .collect();
    from.store.upsert_customers(&many).await.unwrap();
    from.store.upsert_products(&[product("p1")]).await.unwrap();
    let charged_less = Order {
        total: Money(5),
        ..order("o2", "c2")
    };
    from.store
        .upsert_orders(&[order("o1", "c1"), charged_less])
        .await
        .unwrap();
    from.store
        .upsert_documents(&[document("d1")])
        .await
        .unwrap();

    let to = Scratch::new().await;
    let folder = TempDir::new().unwrap();
    for (what, kind) in [
        (What::Customers, Kind::Customers),
        (What::Products, Kind::Products),
        (What::Orders, Kind::Orders),
        (What::Knowledge, Kind::Knowledge),
    ] {
        let text = exported(&from.store, what).await;
        let file = folder.path().join("export.jsonl");
        fs::write(&file, &text).unwrap();
        let report = import(&to.store, kind, &file, &Mapping::default())
            .await
            .unwrap();
        assert_eq!(report.rejected, []);
        assert_eq!(exported(&to.store, what).await, text);
    }
    let found = to.store.find_customer(&"c7".into()).await.unwrap();
    assert_eq!(found, Some(customer("c7")));
    let found = to.store.orders_of(&"c2".into()).await.unwrap();
    assert_eq!(found[0].total, Money(5));
}

#[tokio::test]
async fn money_leaves_as_decimals() {
    let scratch = Scratch::new().await;
    scratch
        .store
        .upsert_products(&[product("p1")])
        .await
        .unwrap();
    let text = exported(&scratch.store, What::Products).await;
    assert!(text.contains(r#""price":"49.90""#), "{text}");
}

#[tokio::test]
async fn a_conversation_leaves_with_all_that_belongs_to_it() {
    let scratch = Scratch::new().await;
    let id = scratch.conversation(1).await;
    scratch.say(id, "a").await;
    scratch.store.finish_turn(turn(id, 1)).await.unwrap();
    scratch
        .store
        .rate(id, 4, Some("good"), Millis(9))
        .await
        .unwrap();
    scratch.conversation(2).await;
    let text = exported(&scratch.store, What::Conversations).await;
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["messages"][0]["text"], "text of a");
    assert_eq!(lines[0]["outcomes"][0]["intent"], "track_order");
    assert_eq!(lines[0]["rating"]["score"], 4);
    assert_eq!(lines[1]["rating"], Value::Null);
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn events_leave_in_order_of_their_numbers() {
    let scratch = Scratch::new().await;
    for number in 1..=600 {
        scratch.conversation(number).await;
    }
    let text = exported(&scratch.store, What::Events).await;
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 600);
    assert!(events.is_sorted_by_key(|event| event["id"].as_i64()));
    assert_eq!(events[0]["kind"], "opened");
}
