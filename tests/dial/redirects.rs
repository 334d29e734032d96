//! Redirects: only on request, only so many, and credentials stay where they belong.

use sotong::dial::{Dialer, Stage};

use crate::ADAPTERS;
use crate::servers::{answering, echo};

const REFUSED: &str = "following a redirect: the server refused with status 302";

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} \r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn they_are_followed_on_request_alone() {
    for adapter in ADAPTERS {
        let (server, requests) = echo();
        for status in [301, 302, 303, 307, 308] {
            let first = answering(redirect(status, &format!("http://{server}/there?x=1")));
            let dialer = Dialer::new(&format!("ws://{first}/here")).unwrap();
            let error = adapter.fail(&dialer);
            assert_eq!(error.stage(), Stage::Handshake);
            assert_eq!(error.refusal().map(|refusal| refusal.status()), Some(status));
            let told = format!(
                "opening the WebSocket: the server refused with status {status}, \
                 a redirect that is followed if `Dialer::redirects` says so"
            );
            assert_eq!(error.to_string(), told);

            adapter.echo(&dialer.redirects(1)).unwrap();
            assert_eq!(requests.recv().unwrap()[0], "GET /there?x=1");
        }
    }
}

#[test]
fn only_so_many_are_followed() {
    for adapter in ADAPTERS {
        let turning = answering(redirect(302, "/again"));
        let error = adapter.fail(&Dialer::new(&format!("ws://{turning}/")).unwrap().redirects(3));
        assert_eq!(error.stage(), Stage::Redirect);
        assert_eq!(error.refusal().map(|refusal| refusal.status()), Some(302));
        let told = "a redirect more than `Dialer::redirects` allows";
        assert_eq!(error.to_string(), format!("{REFUSED}, {told}"));
    }
}

#[test]
fn what_leads_nowhere_is_refused() {
    for adapter in ADAPTERS {
        for location in ["ftp://a/", "http://", "mailto:a@b", "ws://a:0/", "a b"] {
            let first = answering(redirect(302, location));
            let dialer = Dialer::new(&format!("ws://{first}/")).unwrap().redirects(1);
            let error = adapter.fail(&dialer);
            assert_eq!(error.stage(), Stage::Redirect, "{location}");
            let told = format!("{REFUSED}, a redirect with a Location that leads nowhere: ");
            assert!(error.to_string().starts_with(&told), "{error}");
        }
        let first = answering("HTTP/1.1 302 \r\nContent-Length: 0\r\n\r\n");
        let dialer = Dialer::new(&format!("ws://{first}/")).unwrap().redirects(1);
        let error = adapter.fail(&dialer);
        assert_eq!(error.stage(), Stage::Redirect);
        assert_eq!(error.to_string(), format!("{REFUSED}, a redirect without a Location"));
        // Not every answer that begins with 3 is one.
        let first = answering(redirect(304, "/"));
        let dialer = Dialer::new(&format!("ws://{first}/")).unwrap().redirects(1);
        let error = adapter.fail(&dialer);
        assert_eq!(error.stage(), Stage::Handshake);
        assert!(error.to_string().ends_with("the server refused with status 304"), "{error}");
    }
}

#[test]
fn a_header_field_stands_in_the_place_of_the_user() {
    for adapter in ADAPTERS {
        let (server, requests) = echo();
        let dialer = Dialer::new(&format!("ws://me:secret@{server}/")).unwrap();
        adapter.echo(&dialer.header("authorization", "Bearer 7ax2")).unwrap();
        let request = requests.recv().unwrap();
        let told = |line: &&String| line.to_ascii_lowercase().starts_with("authorization:");
        let told: Vec<_> = request.iter().filter(told).collect();
        assert_eq!(told, ["authorization: Bearer 7ax2"]);
    }
}

#[test]
fn credentials_do_not_cross_origins() {
    for adapter in ADAPTERS {
        let (server, requests) = echo();
        let ask = |uri: &str| {
            let dialer = Dialer::new(uri).unwrap().header("Cookie", "a=b");
            adapter.echo(&dialer.origin("https://page.test").subprotocol("chat").redirects(1))
        };
        let is_secret = |line: &&String| line.contains("Cookie") || line.contains("Authorization");

        ask(&format!("ws://me:secret@{server}/")).unwrap();
        let request = requests.recv().unwrap();
        assert_eq!(request.iter().filter(is_secret).count(), 2, "{request:?}");

        let elsewhere = answering(redirect(307, &format!("ws://{server}/")));
        let response = ask(&format!("ws://me:secret@{elsewhere}/")).unwrap();
        assert_eq!(response.subprotocol(), Some("chat"));
        let request = requests.recv().unwrap();
        assert_eq!(request.iter().filter(is_secret).count(), 0, "{request:?}");
        assert!(request.contains(&"Origin: https://page.test".into()), "{request:?}");
    }
}
