//! What the accept loop does when the machine has nothing left, and who counts as one address.

use super::*;

#[test]
fn with_nothing_left_to_accept_with_it_waits_longer_each_time_up_to_a_second() {
    // EMFILE: too many open files.
    let full = io::Error::from_raw_os_error(24);
    let mut wait = Duration::ZERO;
    let mut waits = Vec::new();
    for _ in 0..10 {
        wait = next_back_off(&full, wait);
        waits.push(wait);
    }
    assert_eq!(waits[0], Duration::from_millis(10));
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert_eq!(waits[9], Duration::from_secs(1));
    // One that left while it waited in the queue says nothing about us.
    let left = io::Error::from(io::ErrorKind::ConnectionAborted);
    assert_eq!(next_back_off(&left, wait), Duration::ZERO);
}

#[test]
fn a_whole_ipv6_network_is_one_address_and_places_come_back() {
    let addresses = Arc::new(Addresses::default());
    let limits =
        Limits { connections_per_address: 2, handshakes_per_address: 2, ..Limits::default() };
    let enter = |text: &str| addresses.enter(text.parse().unwrap(), &limits);
    let one = enter("[2001:db8:0:1::1]:1");
    let two = enter("[2001:db8:0:1:ffff::2]:2");
    assert!(one.is_some() && two.is_some());
    assert!(enter("[2001:db8:0:1::3]:3").is_none(), "the same network");
    assert!(enter("[2001:db8:0:2::1]:1").is_some(), "another");
    // An IPv4 address is the same one however it is written.
    let four = [enter("192.0.2.1:1"), enter("[::ffff:192.0.2.1]:2")];
    assert!(four.iter().all(Option::is_some));
    assert!(enter("192.0.2.1:3").is_none());
    drop(one);
    assert!(enter("[2001:db8:0:1::3]:3").is_some());
    drop((two, four));
    assert!(addresses.lock().is_empty(), "nothing is kept of who has gone");
}
