//! Chinese replies over English and Chinese facts.

use super::*;

pub(super) fn chinese_guard(facts_language: &str) -> Guard {
    let text = if facts_language == "zh" {
        "金卡年费为150元。不支持提取现金。送达后三十天内可以退货。"
    } else {
        "The Gold card costs $150 a year. Cash advances are not allowed. Returns take 30 days."
    };
    Case {
        language: "zh",
        facts_language,
        passages: &[Passage {
            title: "金卡",
            text,
        }],
        conversation: &["金卡多少钱？".to_owned()],
        closed: true,
        question: "金卡多少钱？",
        company: "Tern",
        ..NOTHING
    }
    .guard()
}

#[test]
fn chinese_values_deeds_and_promises_are_checked_against_english_facts() {
    let guard = chinese_guard("en");
    assert_eq!(guard.check("金卡年费为150元。"), Ok(()));
    assert_eq!(guard.check("三十天内可以退货。"), Ok(()));
    for (sentence, reason) in [
        ("金卡年费为140元。", Withheld::Value("140".into())),
        ("二十五天内可以退货。", Withheld::Value("25".into())),
        ("我已为您取消订单。", Withheld::Deed),
        ("您还可以修改订单。", Withheld::Polarity),
        (
            "请访问 https://example.org。",
            Withheld::Link("https://example.org。".into()),
        ),
    ] {
        assert_eq!(guard.check(sentence), Err(reason), "{sentence}");
    }
    // Words are not compared across languages.
    assert_eq!(guard.check("我们的司机戴绿色手套。"), Ok(()));
}

#[test]
fn chinese_words_are_compared_with_chinese_facts() {
    let guard = chinese_guard("zh");
    assert_eq!(guard.check("金卡的年费为150元。"), Ok(()));
    assert_eq!(guard.check("不支持提取现金。"), Ok(()));
    assert_eq!(guard.check("支持提取现金。"), Err(Withheld::Polarity));
    assert_eq!(
        guard.check("我们的司机戴绿色手套跳舞。"),
        Err(Withheld::Unsupported)
    );
}
