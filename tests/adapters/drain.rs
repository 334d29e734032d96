//! A server that goes down tells its clients, waits for them, and cuts those who do not go.

use std::time::Duration;

use sotong::handshake::client::Request;
use sotong::test_kit::{Pipe, pipe};
use sotong::tokio::{Drain, Drained, Guest, WebSocket, accept, connect_over};
use sotong::{CloseCode, CloseFrame, Config, Error, Event, TimedOut};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

type Ended = Result<Vec<String>, Error>;

/// A server's end of a connection, which keeps what it gets, and the client's.
async fn connection(mut guest: Guest) -> (JoinHandle<Ended>, WebSocket<Pipe>) {
    let (near, far) = pipe(1000);
    let serving = tokio::spawn(async move {
        let mut config = Config::default();
        config.timeouts.close = Some(Duration::from_secs(60));
        let mut ws = accept(near, config).await?;
        let mut events = vec![];
        while let Some(event) = guest.recv(&mut ws).await? {
            events.push(format!("{event:?}"));
        }
        Ok(events)
    });
    let client = connect_over(far, &Request::default(), Config::default()).await.unwrap().0;
    (serving, client)
}

/// All that comes until the connection is closed; then the stream is, too.
async fn receive_all(mut ws: WebSocket<Pipe>) -> Vec<String> {
    let mut events = vec![];
    while let Some(event) = ws.recv().await.unwrap() {
        events.push(format!("{event:?}"));
    }
    events
}

fn going_away() -> String {
    format!("{:?}", Event::Close(Some(CloseFrame::from(CloseCode::GOING_AWAY))))
}

#[tokio::test(start_paused = true)]
async fn those_who_go_are_waited_for_and_those_who_do_not_are_cut() {
    let drain = Drain::new();
    let (polite, polite_client) = connection(drain.guest()).await;
    let (slow, mut slow_client) = connection(drain.guest()).await;
    let (deaf, _deaf_client) = connection(drain.guest()).await;
    let (gone, gone_client) = connection(drain.guest()).await;
    drop(gone_client);
    assert!(gone.await.unwrap().is_err(), "gone before, and not counted");

    let polite_client = async {
        assert_eq!(receive_all(polite_client).await, [going_away()]);
    };
    let slow_client = async {
        sleep(Duration::from_secs(3)).await;
        slow_client.send_text("one more thing").await.unwrap();
        assert_eq!(receive_all(slow_client).await, [going_away()]);
    };
    let start = Instant::now();
    let (drained, ..) =
        tokio::join!(drain.drain(Duration::from_secs(10)), polite_client, slow_client);
    assert_eq!((drained.closed, drained.cut), (2, 1));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert!(matches!(deaf.await.unwrap(), Err(Error::TimedOut(TimedOut::Close))));
    assert_eq!(polite.await.unwrap().unwrap(), [going_away()]);
    assert_eq!(slow.await.unwrap().unwrap(), ["Text(\"one more thing\")".into(), going_away()]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_late_is_told_at_once() {
    let drain = Drain::new();
    let start = Instant::now();
    let Drained { closed, cut, .. } = drain.drain(Duration::from_secs(10)).await;
    assert_eq!((closed, cut, start.elapsed().as_secs()), (0, 0, 0), "nobody was there");
    let (serving, _client) = connection(drain.guest()).await;
    let ended = serving.await.unwrap();
    assert!(matches!(ended, Err(Error::TimedOut(TimedOut::Close))), "{ended:?}");
}

/// One leaves, another comes meanwhile and stays.
#[tokio::test(start_paused = true)]
async fn those_who_come_while_others_leave_are_counted() {
    let drain = Drain::new();
    drop(drain.guest()); // gone before
    let leaves = drain.guest();
    let draining = async { drain.drain(Duration::from_secs(5)).await };
    let coming_and_going = async {
        leaves.leaving().await;
        let stays = drain.guest();
        drop(leaves);
        stays.cut().await;
    };
    let (drained, ()) = tokio::join!(draining, coming_and_going);
    assert_eq!((drained.closed, drained.cut), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_given_up_can_be_taken_up_again() {
    let drain = Drain::new();
    let (serving, client) = connection(drain.guest()).await;
    tokio::select! {
        _ = drain.drain(Duration::from_secs(10)) => panic!("the client is still there"),
        () = sleep(Duration::from_secs(1)) => {}
    }
    let client = async { receive_all(client).await };
    let (drained, events) = tokio::join!(drain.drain(Duration::from_secs(10)), client);
    assert_eq!((drained.closed, drained.cut, events), (1, 0, vec![going_away()]));
    assert_eq!(serving.await.unwrap().unwrap().len(), 1);
}

/// What is under way when the server goes down is neither lost nor said twice.
#[tokio::test(start_paused = true)]
async fn events_go_on_until_the_end_and_without_a_drain_nobody_leaves() {
    let drain = Drain::new();
    let (serving, mut client) = connection(drain.guest()).await;
    drop(drain); // nobody will say that it is time
    for _ in 0..100 {
        client.send_text("a").await.unwrap();
    }
    client.close(None).await.unwrap();
    assert_eq!(serving.await.unwrap().unwrap().len(), 101);
}

/// Both are waited for at once, and whoever waits twice still counts once.
#[tokio::test(start_paused = true)]
async fn halves_learn_of_it_too() {
    let drain = Drain::new();
    let guest = drain.guest();
    let halves = tokio::spawn(async move {
        let mut left = None;
        loop {
            tokio::select! {
                () = guest.leaving(), if left.is_none() => left = Some(Instant::now()),
                () = guest.cut() => return left.map(|left| left.elapsed().as_secs()),
            }
        }
    });
    sleep(Duration::from_secs(1)).await;
    let Drained { closed, cut, .. } = drain.drain(Duration::from_secs(5)).await;
    assert_eq!((closed, cut), (0, 1));
    assert_eq!(halves.await.unwrap(), Some(5));
}
