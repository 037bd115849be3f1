//! Imports as a company meets them: whole files in, records and reasons out.

mod csv;

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KINDS: [Kind; 4] = [
    Kind::Customers,
    Kind::Products,
    Kind::Orders,
    Kind::Knowledge,
];

fn csv_batch(kind: Kind, text: &str) -> Batch {
    read_csv(
        kind,
        text.as_bytes(),
        Path::new("in.csv"),
        &Mapping::default(),
    )
    .unwrap()
}

fn json_batch(kind: Kind, text: &str) -> Batch {
    read_json(
        kind,
        text.as_bytes(),
        Path::new("in.jsonl"),
        &Mapping::default(),
    )
    .unwrap()
}

/// The lines and reasons of what was left out.
fn reasons(batch: &Batch) -> Vec<(u64, &str)> {
    batch
        .rejected
        .iter()
        .map(|r| (r.line.unwrap_or(0), r.reason.as_str()))
        .collect()
}

fn customers(batch: &Batch) -> &[Customer] {
    let Records::Customers(customers) = &batch.records else {
        panic!("{batch:?}")
    };
    customers
}

fn products(batch: &Batch) -> &[Product] {
    let Records::Products(products) = &batch.records else {
        panic!("{batch:?}")
    };
    products
}

fn orders(batch: &Batch) -> &[Order] {
    let Records::Orders(orders) = &batch.records else {
        panic!("{batch:?}")
    };
    orders
}

fn documents(batch: &Batch) -> &[Document] {
    let Records::Documents(documents) = &batch.records else {
        panic!("{batch:?}")
    };
    documents
}

#[test]
fn json_money_is_decimal_and_ids_may_be_numbers() {
    let batch = json_batch(
        Kind::Orders,
        r#"{"id":17,"customer":4,"status":"shipped","items":[
            {"product":9,"name":"Shirt","price":49.9,"quantity":2},
            {"product":"m","name":"Mug","price":"7.00"}],
            "payments":[{"kind":"payment","amount":106.80,"method":"paypal"}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert_eq!(reasons(&batch), []);
    let order = &orders(&batch)[0];
    assert_eq!((order.id.as_str(), order.customer.as_str()), ("17", "4"));
    assert_eq!(order.items[0].product.as_str(), "9");
    assert_eq!(order.total, Money(10680), "the sum of the items");
    assert_eq!(order.payments[0].amount, Money(10680));
}

#[test]
fn bad_json_rows_are_named_by_line() {
    let batch = json_batch(
        Kind::Products,
        "{\"id\":\"p1\",\"name\":\"A\",\"variants\":[]}\n\
         \n\
         {\"id\":\"p2\",\"name\":\n\
         [1]\n\
         {\"id\":\"p3\",\"name\":\"A\",\"variants\":[{\"sku\":1,\"price\":1.999,\"available\":true}]}\n\
         {\"id\":\"p4\",\"variants\":[]}\n\
         {\"id\":\"p5\",\"name\":\"A\",\"variants\":[{\"sku\":1,\"price\":2,\"available\":true}]}\n\
         {\"id\":\"p5\",\"name\":\"B\",\"variants\":[{\"sku\":1,\"price\":2,\"available\":true}]}",
    );
    assert_eq!(products(&batch).len(), 1);
    let found = reasons(&batch);
    assert_eq!(
        found.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [1, 3, 4, 5, 6, 8]
    );
    assert_eq!(found[0].1, "a product needs at least one variant");
    assert!(found[1].1.starts_with("not JSON"), "{found:?}");
    assert_eq!(found[2].1, "not a JSON object");
    assert!(
        found[3]
            .1
            .starts_with("variants: price: \"1.999\" has fractions"),
        "{found:?}"
    );
    assert!(found[4].1.contains("missing field `name`"), "{found:?}");
    assert_eq!(found[5].1, "id p5 is taken by line 7");
}

#[test]
fn a_full_card_number_is_refused() {
    let row = r#"{"id":1,"payment_methods":[{"id":"m","last_four":4111111111111111}]}"#;
    let batch = json_batch(Kind::Customers, row);
    assert_eq!(
        reasons(&batch),
        [(1, "last_four has 16 characters: keep the last four")]
    );
}

#[test]
fn a_mapping_names_the_columns_of_either_format() {
    let mapping = Mapping::parse(&["id=No", "title=heading", "content=body"]).unwrap();
    let file = Path::new("in");
    let text = "no,heading,body,title\n7,Returns,30 days,ignored\n";
    let from_csv = read_csv(Kind::Knowledge, text.as_bytes(), file, &mapping).unwrap();
    let text = r#"{"no":7,"heading":"Returns","body":"30 days","title":"ignored"}"#;
    let from_json = read_json(Kind::Knowledge, text.as_bytes(), file, &mapping).unwrap();
    assert_eq!(documents(&from_csv)[0].title, "Returns");
    assert_eq!(documents(&from_csv), documents(&from_json));
}

#[test]
fn a_folder_of_markdown_becomes_documents() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "returns/EU.md",
        b"---\r\ntitle: \"Returns: EU\"\r\nurl: https://example.com/r\r\nlanguage: en\r\n---\r\nText\r\n",
    );
    write(
        "hours.markdown",
        b"```sh\n# not a heading\n```\n# Opening hours\n\nNine to five.",
    );
    write("plain.md", b"---\nno front matter, only a line");
    write("empty.md", b" \n");
    write("latin1.md", b"caf\xe9");
    write("hours.md", b"Again");
    write("notes.txt", b"no Markdown");
    write(".git/readme.md", b"hidden");

    let batch = read(Kind::Knowledge, folder.path(), &Mapping::default()).unwrap();
    let found: Vec<_> = documents(&batch)
        .iter()
        .map(|d| (d.id.as_str(), d.title.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("hours", "Opening hours"),
            ("plain", "plain"),
            ("returns/EU", "Returns: EU")
        ]
    );
    let eu = &documents(&batch)[2];
    assert_eq!(
        (eu.content.as_str(), eu.language.as_deref()),
        ("Text", Some("en"))
    );
    assert_eq!(eu.url.as_deref(), Some("https://example.com/r"));
    assert!(documents(&batch)[1].content.starts_with("---"));
    let rejected: Vec<_> = batch
        .rejected
        .iter()
        .map(|r| {
            (
                r.file.file_name().unwrap().to_str().unwrap(),
                r.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        rejected,
        [
            ("empty.md", "the document is empty"),
            ("hours.md", "id hours is taken by a file of the same name"),
            ("latin1.md", "not UTF-8: save the file as UTF-8"),
        ]
    );
}

#[test]
fn a_document_says_whether_customers_may_be_shown_it() {
    let table = "id,title,content,Visibility\na,A,Text,internal\nb,B,Text,\nc,C,Text,secret\n";
    let rows = concat!(
        "{\"id\": \"a\", \"title\": \"A\", \"content\": \"Text\", \"visibility\": \"internal\"}\n",
        "{\"id\": \"b\", \"title\": \"B\", \"content\": \"Text\"}\n",
        "{\"id\": \"c\", \"title\": \"C\", \"content\": \"Text\", \"visibility\": \"secret\"}\n",
    );
    let visible = |batch: &Batch| -> Vec<Visibility> {
        let documents = documents(batch).iter();
        documents.map(|document| document.visibility).collect()
    };
    let both = [Visibility::Internal, Visibility::Public];
    let batch = csv_batch(Kind::Knowledge, table);
    assert_eq!(visible(&batch), both);
    assert_eq!(
        reasons(&batch),
        [(4, "visibility is \"secret\": say public or internal")]
    );
    let batch = json_batch(Kind::Knowledge, rows);
    assert_eq!(visible(&batch), both);
    assert_eq!(reasons(&batch).len(), 1);

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.md", "---\nvisibility: Internal\n---\nText");
    write("b.md", "---\nvisibility: hidden\n---\nText");
    let batch = read(Kind::Knowledge, folder.path(), &Mapping::default()).unwrap();
    assert_eq!(visible(&batch), [Visibility::Internal]);
    let [rejection] = batch.rejected.as_slice() else {
        panic!("{:?}", batch.rejected)
    };
    assert!(
        rejection.to_string().contains("public or internal"),
        "{rejection}"
    );
}

#[test]
fn what_is_no_file_of_ours_is_an_error() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("data.xlsx");
    fs::write(&file, "").unwrap();
    let none = Mapping::default();
    let outcome = read(Kind::Orders, &file, &none);
    assert!(
        matches!(outcome, Err(ImportError::UnknownFormat { .. })),
        "{outcome:?}"
    );
    let outcome = read(Kind::Orders, folder.path(), &none);
    assert!(
        matches!(outcome, Err(ImportError::UnknownFormat { .. })),
        "{outcome:?}"
    );
    let outcome = read(Kind::Orders, &folder.path().join("none.csv"), &none);
    assert!(
        matches!(outcome, Err(ImportError::Unreadable { .. })),
        "{outcome:?}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let file = Path::new("in");
        for kind in KINDS {
            let _ = read_csv(kind, &bytes[..], file, &Mapping::default());
            let _ = read_json(kind, &bytes[..], file, &Mapping::default());
        }
    }

    #[test]
    fn any_cells_under_a_good_header_are_read_without_a_panic(
        cells in "([a-z0-9 .;\"'\\n\r-]{0,6},){0,60}"
    ) {
        let headers = [
            "id,name,address,tier",
            "id,name,sku,price,available,option.size",
            "id,customer,status,product,name,price,quantity,total,tracking",
            "id,title,content",
        ];
        for (kind, header) in KINDS.into_iter().zip(headers) {
            let text = format!("{header}\n{cells}");
            let file = Path::new("in");
            prop_assert!(read_csv(kind, text.as_bytes(), file, &Mapping::default()).is_ok());
        }
    }

    #[test]
    fn every_row_is_either_a_record_or_a_rejection(
        rows in proptest::collection::vec("([a-c]|\"[a-c,]\"|[0-9]{1,2}|)(,[a-z]{0,3}){0,3}", 0..30)
    ) {
        // A line that is all blank is no row to a CSV reader.
        let rows: Vec<_> = rows.into_iter().filter(|row| !row.is_empty()).collect();
        let batch = csv_batch(Kind::Customers, &format!("id,name,city\n{}\n", rows.join("\n")));
        prop_assert_eq!(customers(&batch).len() + batch.rejected.len(), rows.len());
    }
}
