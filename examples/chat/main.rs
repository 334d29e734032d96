//! A chat for browsers: `chat [--listen ADDR]`, one process and no set-up.
//!
//! It serves the page at `/` and the WebSocket at `/ws`. All that happens goes through one
//! [`Room`], which gives everyone the same order. Every guest has a bounded queue; who lets it fill
//! up is closed with 1013, "too slow", so that a slow or dead guest never holds up the others. The
//! page then comes back by itself.

mod room;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use room::{Guest, Parcels, Room};
use serde_json::{Value, json};
use sotong::handshake::server::Response;
use sotong::tokio::{Upgrade, WebSocket};
use sotong::{CloseCode, CloseFrame, Config, Deflate, Error, Event, Origins, SendError};
use tokio::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: chat [--listen ADDR]";

/// The largest message in bytes: a long text, but no file.
const MAX_MESSAGE: u64 = 64 * 1024;

/// How long a guest who is sent away may take to hear why.
const FAREWELL: Duration = Duration::from_secs(2);

const PAGE: &str = include_str!("page.html");

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|arg| matches!(&*arg, "--help" | "-h")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let listen = match parse(std::env::args().skip(1)) {
        Ok(listen) => listen,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(listen: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    println!("listening on http://{}/", listener.local_addr()?);
    std::io::stdout().flush()?;

    let mut config = Config::default();
    (config.limits.message, config.limits.frame) = (MAX_MESSAGE, MAX_MESSAGE);
    // Without context takeover, as it is by default, a guest who is silent costs no memory for it,
    // and what is said to all is compressed once.
    config.deflate = Some(Deflate::default());
    // The chat is for its own page, which has the same host (RFC 6455, section 10.2). Behind a
    // proxy that does not hand the Host on this is `Origins::list(["https://chat.example"])`.
    config.origins = Origins::same();
    let (config, room) = (Arc::new(config), Arc::new(Room::default()));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely; guests who leave give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (room, config) = (Arc::clone(&room), Arc::clone(&config));
        tokio::spawn(async move {
            match serve(stream, &room, config).await {
                Err(error) if !error.is_abrupt_close() => eprintln!("{peer}: {error}"),
                _ => {}
            }
        });
    }
}

/// Answers one request: with the page, with the chat, or with a refusal.
async fn serve(stream: TcpStream, room: &Arc<Room>, config: Arc<Config>) -> sotong::Result<()> {
    stream.set_nodelay(true)?;
    let upgrade = Upgrade::receive(stream, config).await?;
    let request = upgrade.request();
    match (request.method(), request.path()) {
        ("GET", "/") => {
            let html =
                [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache")];
            upgrade.reject(200, &html, PAGE.as_bytes()).await
        }
        (_, "/ws") => {
            let chat = request.subprotocols().any(|name| name == "chat").then_some("chat");
            let response = Response { subprotocol: chat, ..Response::default() };
            entertain(upgrade.accept(&response).await?, room).await
        }
        _ => upgrade.reject(404, &[], b"nothing here\n").await,
    }
}

/// Has a guest until the guest leaves, or is sent away.
async fn entertain(mut ws: WebSocket<TcpStream>, room: &Arc<Room>) -> sotong::Result<()> {
    let (guest, mut parcels) = room::queue();
    let farewell = tokio::select! {
        outcome = converse(&mut ws, &guest, &mut parcels, room) => return outcome,
        farewell = guest.sent_away() => farewell,
    };
    // The conversation was dropped in the middle. That is safe: what it had queued is whole.
    match tokio::time::timeout(FAREWELL, ws.close(Some(farewell))).await {
        Ok(closed) => closed,
        Err(_) => Ok(()),
    }
}

/// Hears what a guest says and tells what happens in the room, until the guest leaves.
async fn converse(
    ws: &mut WebSocket<TcpStream>,
    guest: &Guest,
    parcels: &mut Parcels,
    room: &Arc<Room>,
) -> sotong::Result<()> {
    let mut seat = None;
    loop {
        tokio::select! {
            event = ws.recv() => match event? {
                Some(Event::Text(text)) => hear(text, guest, &mut seat, room),
                Some(Event::Binary(_)) => {
                    guest.send_away(CloseFrame { code: CloseCode::UNSUPPORTED, reason: "text only" });
                }
                Some(_) => {}
                None => return Ok(()),
            },
            Some(parcel) = parcels.recv() => {
                // What has gathered leaves with one write, when `recv` is about to wait.
                let mut next = Some(parcel);
                while let Some(parcel) = next {
                    match ws.feed_prepared(&parcel).await {
                        // The connection is closing: `recv` does that properly, and tells why.
                        Ok(()) | Err(Error::Send(SendError::Closing)) => {}
                        Err(error) => return Err(error),
                    }
                    next = parcels.try_recv().ok();
                }
            }
        }
    }
}

/// Does what a guest asks for. Dropping the seat tells the others that the guest has left.
fn hear(text: &str, guest: &Guest, seat: &mut Option<room::Seat>, room: &Arc<Room>) {
    let complain = |text: &str| guest.tell(&json!({"type": "error", "text": text}));
    let asked: Value = serde_json::from_str(text).unwrap_or_default();
    match (asked["type"].as_str(), &*seat) {
        (Some("join"), None) => match asked["name"].as_str().map(str::trim) {
            Some(name) if (1..=40).contains(&name.chars().count()) => {
                *seat = Some(Room::join(room, name, guest.clone(), MAX_MESSAGE));
            }
            _ => complain("A name has 1 to 40 characters."),
        },
        (Some("say"), Some(seat)) => match asked["text"].as_str() {
            Some(text) if !text.trim().is_empty() => seat.say(text),
            _ => complain("There is nothing to say."),
        },
        _ => complain("This was not understood."),
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<String, String> {
    let mut listen = "127.0.0.1:8080".to_owned();
    while let Some(flag) = args.next() {
        match &*flag {
            "--listen" => listen = args.next().ok_or("--listen wants a value")?,
            _ => return Err(format!("{flag} is not known")),
        }
    }
    Ok(listen)
}
