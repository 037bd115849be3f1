//! CSV files: every kind, good rows and bad.

use super::*;

#[test]
fn a_customers_file_gives_fields_an_address_and_attributes() {
    let batch = csv_batch(
        Kind::Customers,
        "\u{feff}ID,name,email,address,city,tier,since\n\
         c1, Ana Díaz ,ana@example.com,1 High St; Flat 2,Leeds,gold,\n\
         c2,,,,,,2019\n",
    );
    assert_eq!(reasons(&batch), []);
    let [ana, second] = customers(&batch) else {
        panic!("{batch:?}")
    };
    assert_eq!(ana.name.as_deref(), Some("Ana Díaz"));
    let address = ana.address.as_ref().unwrap();
    assert_eq!(address.lines, ["1 High St", "Flat 2"]);
    assert_eq!(address.city.as_deref(), Some("Leeds"));
    assert_eq!(
        ana.attributes,
        [("tier".to_owned(), "gold".to_owned())].into()
    );
    assert_eq!((&second.name, &second.address), (&None, &None));
    assert_eq!(
        second.attributes,
        [("since".to_owned(), "2019".to_owned())].into()
    );
}

#[test]
fn bad_rows_are_named_by_line_and_cost_no_other() {
    let mut text = b"id,name\n1,One\n2\n3,Three,more\n,Nobody\n1,Again\n5,\"Fi\nve\"\n".to_vec();
    text.extend(b"6,\xff\n7,Seven\n");
    let file = Path::new("in.csv");
    let batch = read_csv(Kind::Customers, &text[..], file, &Mapping::default()).unwrap();
    let ids: Vec<_> = customers(&batch)
        .iter()
        .map(|customer| customer.id.as_str())
        .collect();
    assert_eq!(ids, ["1", "5", "7"]);
    assert_eq!(
        reasons(&batch),
        [
            (3, "1 fields where the header has 2"),
            (4, "3 fields where the header has 2"),
            (5, "no id"),
            (6, "id 1 is taken by line 2"),
            (9, "not UTF-8: save the file as UTF-8"),
        ]
    );
    assert_eq!(
        batch.rejected[0].to_string(),
        "in.csv:3: 1 fields where the header has 2"
    );
}

#[test]
fn a_quote_left_open_is_suspected() {
    let batch = csv_batch(Kind::Customers, "id,name\n1,\"One\n2,Two\n3,Three\n");
    assert_eq!(
        customers(&batch).len(),
        1,
        "a field of several lines is no fault in itself"
    );
    let batch = csv_batch(Kind::Customers, "id,name\n\"1,One\n2,Two\n3,Three\n");
    assert_eq!(
        reasons(&batch),
        [(2, "1 fields where the header has 2; is a quote left open?")]
    );
}

#[test]
fn a_products_variants_are_gathered_wherever_they_stand() {
    let batch = csv_batch(
        Kind::Products,
        "id,name,category,sku,price,available,option.colour\n\
         p1,Shirt,Clothes,s1,19.90,yes,red\n\
         p2,Mug,,,7,no,\n\
         p1,,,s2,21.5,1,blue\n",
    );
    assert_eq!(reasons(&batch), []);
    let [shirt, mug] = products(&batch) else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (shirt.name.as_str(), shirt.category.as_deref()),
        ("Shirt", Some("Clothes"))
    );
    let prices: Vec<_> = shirt
        .variants
        .iter()
        .map(|variant| variant.price.0)
        .collect();
    assert_eq!(prices, [1990, 2150]);
    assert_eq!(
        shirt.variants[1].options,
        [("colour".to_owned(), "blue".to_owned())].into()
    );
    assert_eq!(mug.variants[0].sku, "p2", "without a SKU, the id");
    assert!(!mug.variants[0].available);
}

#[test]
fn a_bad_variant_costs_the_product_nothing_but_itself() {
    let batch = csv_batch(
        Kind::Products,
        "id,name,sku,price\n\
         p1,Shirt,s1,\"1,299.00\"\n\
         p1,Shirt,s2,19.905\n\
         p1,Shirt,s3,20.00\n\
         p1,Shirt,s3,20.00\n\
         p1,Blouse,s4,20.00\n\
         p2,,s5,free\n",
    );
    let [shirt] = products(&batch) else {
        panic!("{batch:?}")
    };
    assert_eq!(shirt.variants.len(), 1);
    assert!(shirt.variants[0].available, "without a column, available");
    let lines: Vec<_> = reasons(&batch).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7]);
    assert!(
        reasons(&batch)[0]
            .1
            .starts_with("price: \"1,299.00\" is not an amount")
    );
    assert!(reasons(&batch)[1].1.contains("fractions of a cent"));
    assert_eq!(reasons(&batch)[2].1, "sku s3 is there already");
    assert_eq!(
        reasons(&batch)[3].1,
        "name is \"Blouse\" here, but \"Shirt\" in another row of p1"
    );
}

#[test]
fn an_order_is_gathered_from_its_items() {
    let batch = csv_batch(
        Kind::Orders,
        "id,customer,status,placed_on,product,sku,name,quantity,price,carrier,tracking,\
         address,address_city,attribute.gift\n\
         #W1,c1,Return Requested,2026-11-18,p1,s1,Shirt,2,19.90,DHL,T1;T2,1 High St,Leeds,yes\n\
         #W2,c2,Backordered,,p9,,Mug,,7,,,,,\n\
         #W1,,,,p2,s2,Mug,1,7.00,,,,,\n",
    );
    assert_eq!(reasons(&batch), []);
    let [first, second] = orders(&batch) else {
        panic!("{batch:?}")
    };
    assert_eq!(first.status, OrderStatus::ReturnRequested);
    assert_eq!(first.items.len(), 2);
    assert_eq!(first.total, Money(2 * 1990 + 700));
    assert_eq!(first.address.as_ref().unwrap().lines, ["1 High St"]);
    assert_eq!(
        first.attributes,
        [("gift".to_owned(), "yes".to_owned())].into()
    );
    let [parcel] = &first.shipments[..] else {
        panic!("{:?}", first.shipments)
    };
    assert_eq!(parcel.tracking, ["T1", "T2"]);
    assert!(
        parcel.skus.is_empty(),
        "the only parcel holds the whole order"
    );
    assert_eq!(second.status, OrderStatus::Other("Backordered".into()));
    assert_eq!((second.items[0].quantity, second.shipments.len()), (1, 0));
}

#[test]
fn of_several_parcels_each_holds_its_own_items() {
    let batch = csv_batch(
        Kind::Orders,
        "id,customer,status,product,sku,name,price,tracking\n\
         o,c,shipped,p,s1,A,1,T1\n\
         o,c,shipped,p,s2,B,1,T2\n\
         o,c,shipped,p,s3,C,1,T1\n",
    );
    let parcels: Vec<_> = orders(&batch)[0]
        .shipments
        .iter()
        .map(|s| s.skus.join(" "))
        .collect();
    assert_eq!(parcels, ["s1 s3", "s2"]);
}

#[test]
fn an_order_with_a_bad_row_is_left_out_whole() {
    let batch = csv_batch(
        Kind::Orders,
        "id,customer,status,product,name,price,quantity\n\
         o1,c1,shipped,p1,Shirt,19.90,1\n\
         o2,c1,shipped,p1,Shirt,19.90,1\n\
         o1,c1,shipped,p2,Mug,7,many\n\
         o3,c1,shipped,p2,Mug,7\n\
         o4,,shipped,p2,Mug,7,1\n\
         o5,c1,shipped,p2,Mug,7,0\n",
    );
    assert_eq!(orders(&batch).len(), 1);
    assert_eq!(orders(&batch)[0].id.as_str(), "o2");
    let mut lines: Vec<_> = reasons(&batch).iter().map(|(line, _)| *line).collect();
    lines.sort();
    assert_eq!(lines, [2, 4, 5, 6, 7], "{:?}", batch.rejected);
}

#[test]
fn a_file_without_its_columns_is_an_error_that_lists_what_there_is() {
    let read = |text: &str| {
        read_csv(
            Kind::Customers,
            text.as_bytes(),
            Path::new("in.csv"),
            &Mapping::default(),
        )
    };
    let error = read("customer_no;name\n1;A\n").unwrap_err();
    assert!(error.to_string().contains("customer_no;name"), "{error}");
    assert!(matches!(read(""), Err(ImportError::MissingColumn { .. })));
    assert!(matches!(
        read("id,Name,name\n"),
        Err(ImportError::DuplicateColumn { .. })
    ));

    let mapping = Mapping::parse(&["email=mail"]).unwrap();
    let text = "id,e-mail\n1,a@example.com\n";
    let outcome = read_csv(
        Kind::Customers,
        text.as_bytes(),
        Path::new("in.csv"),
        &mapping,
    );
    let Err(ImportError::MissingColumn { column, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        column, "mail",
        "a mapping that would import nothing is told"
    );
}

#[test]
fn lines_are_counted_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let rows = [
            "id,name",
            "",
            "",
            "1,A",
            "bad",
            "2,\"B\nC\"",
            "",
            "bad",
            "3,D\", E",
            "bad",
        ];
        let batch = csv_batch(Kind::Customers, &rows.join(end));
        let lines: Vec<_> = reasons(&batch).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 9, 10, 11], "{end:?}: {batch:?}");
        let names: Vec<_> = customers(&batch)
            .iter()
            .map(|c| c.name.as_deref())
            .collect();
        assert_eq!(names, [Some("A"), Some("B\nC")]);
    }
}
