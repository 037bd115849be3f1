//! What of a letter is read, and what of it is its sender's own.

use proptest::prelude::*;

use super::*;

#[test]
fn the_plain_text_is_read_and_else_that_of_the_page() {
    let alternative = "Content-Type: multipart/alternative; boundary=b\r\n";
    let page = "--b\r\nContent-Type: text/html\r\n\r\n<p>HTML</p>\r\n";
    let plain = |text: &str| {
        let parts = format!("--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n{page}--b--\r\n");
        super::text(alternative, &parts)
    };
    assert_eq!(plain("plain"), "plain");
    assert_eq!(plain(" "), "HTML");
    let page = "<html><head><title>t</title><style type=\"text/css\">p{}</style></head><body>\
        <script src=x>alert('</p>')</script><p>1 &lt; 2 &amp;\r\n caf&eacute;</p><ul><li>one<li>\
        <a href=\"https://x.example/?a=1>2\">two</a></ul><!-- no -->5 < 6<br>end\
        <blockquote type=\"cite\">What is it?<br>Thanks</blockquote>\
        <blockquote style=\"margin:0 0 0 40px\">set in</blockquote></body></html>";
    let read = text("Content-Type: text/html; charset=utf-8\r\n", page);
    assert_eq!(read, "1 < 2 & café\n\n- one\n- two\n5 < 6\nend\n\nset in");
    let outlook =
        "<div>1001</div><hr><div id=\"divRplyFwdMsg\"><b>Lähettäjä:</b> x</div><div>old</div>";
    assert_eq!(text("Content-Type: text/html\r\n", outlook), "1001");
}

#[test]
fn character_sets_and_flowing_lines_are_read() {
    let kind = |kind: &str| format!("Content-Type: text/plain{kind}\r\n");
    let raw_text = |fields: &str, body: &[u8]| {
        let mut letter = raw(fields, "");
        letter.extend_from_slice(body);
        content(mail().letter(&letter, AT).unwrap()).0
    };
    assert_eq!(raw_text("", b"Espa\xf1a \x80 5"), "España € 5");
    assert_eq!(raw_text("", "España".as_bytes()), "España");
    assert_eq!(
        raw_text(&kind("; charset=unknown-8bit"), b"Espa\xf1a"),
        "España"
    );
    assert_eq!(raw_text(&kind("; charset=koi8-r"), b"\xf0\xd2\xc9"), "При");
    let encoded = format!(
        "{}Content-Transfer-Encoding: quoted-printable\r\n",
        kind("")
    );
    assert_eq!(raw_text(&encoded, b"Espa=F1a=\r\n!"), "España!");
    let flowed = "one \r\ntwo\r\n\r\n> quoted \r\n> more\r\nthree \r\n-- \r\nAna";
    assert_eq!(text(&kind("; format=flowed"), flowed), "one two\n\nthree");
    let joined = "ein \r\nander\r\n";
    assert_eq!(
        text(&kind("; format=flowed; delsp=yes"), joined),
        "einander"
    );
}

#[test]
fn files_are_told_of_and_had() {
    let body = "--b\r\nContent-Type: text/plain\r\n\r\nIt is broken.\r\n\
        --b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline; filename=logo.png\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAQI=\r\n\
        --b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fgr%C3%BC%C3%9Fe%E2%80%AEgpj.zip\r\n\r\nAQID\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nSubject: inner\r\n\r\ninner words\r\n\
        --b\r\nContent-Type: application/pgp-signature; name=signature.asc\r\n\r\nxx\r\n--b--\r\n";
    let raw = raw("Content-Type: multipart/mixed; boundary=b\r\n", body);
    let (text, media) = content(mail().letter(&raw, AT).unwrap());
    assert_eq!(text, "It is broken.");
    let names: Vec<Option<&str>> = media.iter().map(|file| file.name.as_deref()).collect();
    assert_eq!(names, [Some("grüßegpj.zip"), None, Some("logo.png")]);
    assert_eq!(media[0].size, Some(3));
    assert_eq!(media[1].content_type.as_deref(), Some("message/rfc822"));
    assert_eq!(Mail::file(&raw, &media[0].place), Some(vec![1, 2, 3]));
    let inner = Mail::file(&raw, &media[1].place).unwrap();
    assert!(String::from_utf8(inner).unwrap().contains("inner words"));
    for place in ["part:0", "part:99", "part:-1", "x"] {
        assert_eq!(Mail::file(&raw, place), None, "{place}");
    }
}

#[test]
fn what_is_nested_or_large_without_end_is_read_at_its_beginning() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
    let parts = "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n".repeat(20_000);
    let body = format!("--a\r\n\r\nfirst words\r\n--a\r\n{nested}{parts}");
    let kind = "Content-Type: multipart/mixed; boundary=a\r\n";
    assert_eq!(text(kind, &body), "first words");
    assert_eq!(
        text("", &"word ".repeat(400_000)).chars().count(),
        TEXT.most
    );
    let ids = (0..2_000).map(|id| format!("<{id}@customer.example>\r\n "));
    let event = letter(
        &format!("References: {}\r\n", ids.collect::<String>()),
        "hello",
    );
    assert!(event.context.as_ref().unwrap().len() < 8_000);
    assert_eq!(
        context(&event).references.first().unwrap(),
        "0@customer.example"
    );
    assert_eq!(
        context(&event).references.last().unwrap(),
        "1@customer.example"
    );
}

#[test]
fn quotations_are_cut_in_every_layout() {
    for (text, own) in [
        // Words of a customer's own that look like a client's.
        (
            "From: Berlin\nTo: Munich\nDate: 5 May",
            "From: Berlin\nTo: Munich\nDate: 5 May",
        ),
        (
            "My answers from 12.05.2026:\n> it works",
            "My answers from 12.05.2026:",
        ),
        ("-----\nthat is all", "-----\nthat is all"),
        (
            "Sent from my office: two boxes",
            "Sent from my office: two boxes",
        ),
        (
            "yes\n\nEnviado desde mi iPhone\n\nEl 1 ene 2026 a las 10:00, X <x@y.example> escribió:\n\n> q",
            "yes",
        ),
        // Below a quotation, and below a signature.
        (
            "On 1 Jan 2026, 10:00, X <x@y.example> wrote:\n> q\n\n1001",
            "1001",
        ),
        ("1001\n-- \nAna\n> q\nand 1002", "1001\nand 1002"),
        // Without marks.
        (
            "1001\n\nOn Thursday, 1 January 2026, 10:00, X\n<x@y.example> wrote:\n\n  q",
            "1001",
        ),
        (
            "1001\n\n*From:* X <x@y.example>\n*Sent:* Thursday\n\nq",
            "1001",
        ),
        (
            "1001\n________________________________\n\nDe : X <x@y.example>\nEnvoyé : jeudi\n\nq",
            "1001",
        ),
        (
            "看下\n\n---------- 转发的邮件 ----------\nFrom: X <x@y.example>\nSubject: z\n\nq",
            "看下\n\n---------- 转发的邮件 ----------\nFrom: X <x@y.example>\nSubject: z\n\nq",
        ),
    ] {
        assert_eq!(quote::cut(text), own, "{text}");
    }
    // Nothing new: all of it, but beside a file.
    assert_eq!(text("", "> q\r\n"), "> q");
}

/// Lines of a customer's own, in no client's form.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-zäß客 .,!?:0-9]{0,30}[a-z客]", 1..6)
}

proptest! {
    #[test]
    fn no_word_of_a_customer_is_lost(above in words(), between in words(), layout in 0..8_usize) {
        let (top, below) = (above.join("\n"), between.join("\n"));
        let quoted = "> What is it?\n> Thanks";
        let body = match layout {
            0 => format!("{top}\n\nOn Thu, Jan 1, 2026 at 10:00 AM X <x@y.example>\nwrote:\n\n{quoted}\n\n{below}\n"),
            1 => format!("{top}\n\nAm 01.01.2026 um 10:00 schrieb X:\n{quoted}\n{below}\n{quoted}"),
            2 => format!("{quoted}\n{top}\n{quoted}\n{below}"),
            3 => format!("{top}\n{below}\n\n-----Original Message-----\nFrom: X\nSent: Thursday\n\nWhat?"),
            4 => format!("{top}\n{below}\n\nVon: X <x@y.example>\nGesendet: heute\nAn: Ana\nBetreff: Z\n\nWas?"),
            5 => format!("{top}\n{below}\n-- \nAna\nExample Ltd"),
            6 => format!("{top}\n\n{below}\n\nSent from my iPhone\n"),
            _ => format!("{top}\n{below}"),
        };
        let cut = quote::cut(&body);
        let own = above.iter().chain(&between).map(|line| line.trim_end());
        let own: Vec<&str> = own.filter(|line| !line.trim().is_empty()).collect();
        let left: Vec<&str> = cut.lines().filter(|line| !line.trim().is_empty()).collect();
        let trimmed = |lines: Vec<&str>| lines.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(trimmed(left), trimmed(own));
    }
}

/// A letter with something of everything.
fn full() -> Vec<u8> {
    let body = "--a\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nCaf=C3=A9 =\r\n> q\r\n-- \r\nAna\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p class=\"x\">Caf&eacute; <b>&#x41;</b><!-- x --></p>\r\n--b--\r\n\
        --a\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nMessage-ID: <3@x>\r\n\r\nhi\r\n\
        --a\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\
        --a\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename*0=\"a\"; filename*1=b.pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAQID\r\n--a--\r\n";
    raw(
        "Subject: =?utf-8?B?w6k=?=\r\nReferences: <0@x> <fd.c42.m7.x@bot.example.com>\r\n\
         In-Reply-To: <0@x>\r\nReply-To: Team: <a@b.example>, c@d.example;\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=a\r\n",
        body,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn malformed_letters_are_read_or_passed_over(
        start in 0_usize..1_700,
        junk in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"\r\n-<>=;:\"(&ab ".to_vec())], 0..40),
        length in 0_usize..200,
        is_report in any::<bool>(),
    ) {
        let mut letter = full();
        let start = start.min(letter.len());
        let end = (start + length).min(letter.len());
        letter.splice(start..end, junk);
        if !is_report {
            let text = String::from_utf8_lossy(&letter).replace("multipart/report", "multipart/mixed");
            letter = text.into_bytes();
        }
        if let Some(event) = mail().letter(&letter, AT) {
            mail().send(&Sending::Message(&answer_to(&event, "hi")));
            if let What::Message { media, .. } = event.what {
                for file in media {
                    let _ = Mail::file(&letter, &file.place);
                }
            }
        }
    }

    #[test]
    fn any_page_is_read(html in "(<[/a-z!-]{0,12}[ =\"'>]|[&a-z;#0-9 \n]{0,6}|\\PC){0,30}") {
        html::text(&html);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parts_in_any_order_are_read(picks in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
        let full = String::from_utf8(full()).unwrap();
        let mut lines: Vec<&str> = full.split("\r\n").collect();
        lines.extend([
            "--a", "--a--", "--b--", "", "Content-Type: message/rfc822", "To: (((:;,<",
            "Content-Type: multipart/digest; boundary=a", "Content-Type: multipart/mixed; boundary=\"\"",
        ]);
        let picked: Vec<&str> = picks.iter().map(|pick| *pick.get(&lines)).collect();
        let letter = picked.join("\r\n");
        mail().letter(letter.as_bytes(), AT);
    }
}
