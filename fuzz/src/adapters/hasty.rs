//! The blocking adapter keeps the time of the system, which no scenario can set; but a deadline of
//! no time at all has passed whenever it is looked at. So whatever the peer does, it ends.

use std::time::Duration;

use sotong::Timeouts;

use super::scenario::Scenario;
use super::sound::Fed;

pub fn check(scenario: &Scenario, fed: &Fed) {
    let at_once = |timeout: Option<Duration>| timeout.map(|_| Duration::ZERO);
    let mut timeouts = scenario.timeouts.clone();
    timeouts.handshake = at_once(timeouts.handshake);
    timeouts.keepalive = at_once(timeouts.keepalive);
    timeouts.pong = at_once(timeouts.pong);
    timeouts.close = at_once(timeouts.close);
    timeouts.send = at_once(timeouts.send);
    for in_halves in [false, true] {
        let trace = scenario.over_blocking(in_halves, timeouts.clone());
        let what = format!("hasty, halves: {in_halves}");
        scenario.assert_is_sound(&what, &trace, fed);
        let Timeouts { keepalive, pong, close, send, .. } = &timeouts;
        let has_all = [keepalive, pong, close, send].into_iter().all(Option::is_some);
        assert!(!trace.peer.is_cut || !has_all || !scenario.ticks(), "{what}: it waits for ever");
    }
}
