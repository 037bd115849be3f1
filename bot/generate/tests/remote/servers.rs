//! Servers that are busy, fail, keep silent or are not there.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use futures::stream;
use generate::{Chunk, GenerateError, Generator, Remote, RemoteConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::fake::{
    Fake, KEY, ask, config, endless, finish, good, read, request, sse, status, text,
};

#[tokio::test]
async fn an_overloaded_server_is_asked_again_when_it_says() {
    let fake = Fake::new([status(429, &[("retry-after", "1")], json!({})), good("Hi")]).await;
    let start = Instant::now();
    assert_eq!(ask(&fake).await.0, "Hi");
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_server_that_stays_overloaded_is_busy() {
    let overloaded = || status(503, &[("retry-after-ms", "1")], json!({}));
    let fake = Fake::new([overloaded(), overloaded(), overloaded(), good("never")]).await;
    let remote = fake.remote();
    let refused = remote.generate(request()).await;
    assert!(
        matches!(refused, Err(GenerateError::Busy { .. })),
        "{refused:?}"
    );
    assert_eq!(fake.requests().len(), 3);
    assert!(remote.healthy(), "it is there");
    assert_eq!(
        read(remote.generate(request()).await.unwrap()).await.0,
        "never"
    );
}

#[tokio::test]
async fn another_server_is_asked_at_once_when_one_fails() {
    for refusal in [
        status(500, &[], json!({})),
        status(429, &[("retry-after", "60")], json!({})),
    ] {
        let failing = Fake::new([refusal]).await;
        let well = Fake::new([good("Hi"), good("Hi")]).await;
        let gone = "http://127.0.0.1:9/v1";
        let base_urls = [gone, &failing.base_url, &well.base_url];
        let remote = Remote::new(RemoteConfig {
            base_urls: base_urls.map(|url| url.parse().unwrap()).to_vec(),
            ..config(gone)
        })
        .unwrap();
        let reply = remote.generate(request()).await.unwrap();
        assert_eq!(read(reply).await.0, "Hi");
        assert_eq!((failing.requests().len(), well.requests().len()), (1, 1));
        assert!(remote.healthy());
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_left_alone_and_tried_again() {
    let broken = || status(500, &[("x-should-retry", "false")], json!({}));
    let fake = Fake::new([broken(), broken(), broken(), good("Hi")]).await;
    let remote = fake.remote();
    for _ in 0..3 {
        assert!(remote.generate(request()).await.is_err());
    }
    assert_eq!(fake.requests().len(), 3);
    let error = remote.generate(request()).await.unwrap_err().to_string();
    assert!(error.contains("asked again"), "{error}");
    assert_eq!(fake.requests().len(), 3, "it was left alone");
    assert!(!remote.healthy());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(
        remote.healthy(),
        "it is known by itself that it is asked again"
    );
    let reply = remote.generate(request()).await.unwrap();
    assert_eq!(read(reply).await.0, "Hi");
}

#[tokio::test]
async fn a_request_that_breaks_every_server_costs_its_sender_only() {
    let broken = || status(500, &[("retry-after-ms", "1")], json!({}));
    let fake = || Fake::new([broken(), broken(), broken(), good("Hi"), good("Hi")]);
    let fakes = [fake().await, fake().await];
    let remote = Remote::new(RemoteConfig {
        base_urls: fakes
            .iter()
            .map(|it| it.base_url.parse().unwrap())
            .collect(),
        ..config(&fakes[0].base_url)
    })
    .unwrap();
    assert!(remote.generate(request()).await.is_err());
    for fake in &fakes {
        assert_eq!(fake.requests().len(), 3, "each was asked again");
    }
    let reply = remote.generate(request()).await.unwrap();
    assert_eq!(read(reply).await.0, "Hi");
}

#[tokio::test]
async fn who_wants_to_be_left_alone_for_long_is_not_waited_for() {
    let overloaded = status(429, &[("retry-after", "60")], json!({}));
    let fake = Fake::new([overloaded, good("never")]).await;
    let remote = fake.remote();
    let refused = remote.generate(request());
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
    let refused = refused.expect("its customer does not wait for a minute");
    assert!(
        matches!(refused, Err(GenerateError::Busy { .. })),
        "{refused:?}"
    );
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_silent_server_is_known_to_be_slow() {
    let silent = || {
        let silence = Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
        ([(header::CONTENT_TYPE, "text/event-stream")], silence).into_response()
    };
    let slow = || {
        let words = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            Ok::<_, Infallible>(text("Hi") + &finish("stop"))
        };
        let body = Body::from_stream(stream::once(words));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    };
    let (hanging, well) = (
        Fake::new((0..9).map(|_| silent())).await,
        Fake::new((0..9).map(|_| slow())).await,
    );
    let remote = Remote::new(RemoteConfig {
        base_urls: [&hanging, &well]
            .map(|it| it.base_url.parse().unwrap())
            .to_vec(),
        max_in_flight: 32,
        ..config(&hanging.base_url)
    })
    .unwrap();
    let mut unheard = Vec::new();
    while hanging.requests().is_empty() {
        unheard.push(remote.generate(request()).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = hanging.requests().len();
    for _ in 0..5 {
        read(remote.generate(request()).await.unwrap())
            .await
            .1
            .unwrap();
    }
    assert_eq!(hanging.requests().len(), asked, "nobody else is sent there");
}

#[tokio::test]
async fn a_wrong_key_is_not_tried_again_and_never_shown() {
    let body = json!({"error": {"message": format!("Incorrect API key: {KEY}"), "code": 401}});
    let fake = Fake::new([status(401, &[], body), good("never")]).await;
    let error = fake.remote().generate(request()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("check its API key"), "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let silent = Body::from_stream(stream::pending::<Result<Vec<u8>, Infallible>>());
    let silent = ([(header::CONTENT_TYPE, "text/event-stream")], silent).into_response();
    let fake = Fake::new([silent]).await;
    let read_timeout = Duration::from_millis(200);
    let remote = Remote::new(RemoteConfig {
        read_timeout,
        ..config(&fake.base_url)
    })
    .unwrap();
    let (_, end) = read(remote.generate(request()).await.unwrap()).await;
    assert!(matches!(end, Err(GenerateError::Backend { .. })), "{end:?}");
}

#[tokio::test]
async fn who_leaves_after_the_first_words_has_been_served() {
    let broken = || sse([Ok(text("It is")), Err("broken")]);
    let (endless, _) = endless();
    let fake = Fake::new([broken(), broken(), endless, broken(), broken()]).await;
    let remote = Remote::new(RemoteConfig {
        max_in_flight: 2,
        ..config(&fake.base_url)
    })
    .unwrap();
    for number in 0..5 {
        let mut generation = remote.generate(request()).await.unwrap();
        assert!(matches!(generation.next().await, Some(Ok(Chunk::Text(_)))));
        if number != 2 {
            assert!(read(generation).await.1.is_err());
        }
    }
    assert!(remote.healthy(), "never three failures in a row");
}

#[tokio::test]
async fn a_connection_that_closes_as_it_is_used_is_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = Remote::new(config(&format!(
        "http://{}/v1",
        listener.local_addr().unwrap()
    )));
    let server = tokio::spawn(async move {
        // Takes the request and hangs up; the next one is answered.
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        assert!(second.read(&mut [0; 4096]).await.unwrap() > 0);
        let answer = r#"{"choices":[{"message":{"content":"Here."},"finish_reason":"stop"}]}"#;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        second.write_all((head + answer).as_bytes()).await.unwrap();
    });
    let generation = remote.unwrap().generate(request()).await.unwrap();
    assert_eq!(read(generation).await.0, "Here.");
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let remote = Remote::new(config(&format!("http://{address}/v1"))).unwrap();
    let error = remote.generate(request()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}
