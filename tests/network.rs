//! Faults of a network: dead peers, no IPv6, no port left, a firewall. Each in a network of its own.
#![cfg(target_os = "linux")] // Network namespaces, and what /proc/sys sets in them, are Linux's.

mod common;

use common::{has, may_unshare, name_programs, stderr, stdout};
use std::process::{Command, Output, Stdio};

/// What each script may use: `start SERVER...` waits until it is ready, `set NAME VALUE` is sysctl(8).
const PRELUDE: &str = r#"
    ip link set lo up && mount -t tmpfs none /media && mkfifo /media/ready || exit 3
    start() { "$@" >/media/ready & read -r ready </media/ready; }
    set_net() { echo "$2" >"/proc/sys/net/$1"; }
"#;

/// Runs `script` as root of a network with nothing but 127.0.0.1 and ::1. The script is process 1 there:
/// what it leaves running is ended with it.
fn in_a_network(script: &str) -> Option<Output> {
    if !may_unshare("-rnmp") {
        return None;
    }
    let mut unshare = Command::new("timeout");
    unshare.args([
        "--signal=KILL",
        "20",
        "unshare",
        "-rnm",
        "--pid",
        "--mount-proc",
        "--kill-child",
        "--fork",
    ]);
    name_programs(&mut unshare);
    let output = unshare
        .args(["sh", "-c", &format!("{PRELUDE}{script}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(![Some(3), Some(137)].contains(&output.status.code()), "{output:?}");
    Some(output)
}

fn assert_shows(output: Option<Output>, parts: &[&str]) {
    if let Some(output) = output {
        let shown = format!("{}{}", stdout(&output), stderr(&output));
        for part in parts {
            assert!(shown.contains(part), "no {part:?} in:\n{shown}");
        }
    }
}

#[test]
fn a_dead_client_found_by_keep_alive_is_not_called_idle() {
    for idle in ["0", "300"] {
        let script = r#"
            set_net ipv4/tcp_keepalive_time 1
            set_net ipv4/tcp_keepalive_intvl 1
            set_net ipv4/tcp_keepalive_probes 1
            "$tcp_server" --idle-timeout IDLE --count 1 127.0.0.1:8888 2>&1 | while read -r line; do
                echo "$line"
                case $line in
                    *"ready on"*) sleep 60 | "$tcp_client" -q 127.0.0.1:8888 - & ;;
                    *"5 establish"*) ip link set lo down ;; # The cable is cut.
                esac
            done"#;
        let why = ", 0 bytes sent back, then Connection timed out (os error 110)\n";
        assert_shows(in_a_network(&script.replace("IDLE", idle)), &[why]);
    }
}

#[test]
fn a_dead_server_is_not_called_slow() {
    for timeout in ["0", "30"] {
        let script = r#"
            set_net ipv4/tcp_retries2 1
            start "$tcp_server" -q 127.0.0.1:8888
            mkfifo /media/keyboard
            "$tcp_client" -q --timeout TIMEOUT 127.0.0.1:8888 - </media/keyboard >/media/screen &
            exec 3>/media/keyboard
            echo one >&3
            until grep -q one /media/screen; do sleep 0.01; done
            ip link set lo down # The cable is cut.
            echo two >&3
            wait $!; echo "exit code $?""#;
        let why = "cannot receive from 127.0.0.1:8888: Connection timed out (os error 110)\n";
        let shown = ["exit code 1\n", why, "the server or the way to it is dead"];
        assert_shows(in_a_network(&script.replace("TIMEOUT", timeout)), &shown);
    }
}

#[test]
fn an_address_that_a_name_has_three_times_is_asked_once() {
    let script = r#"
        printf '127.0.0.1 localhost\n127.0.0.2 localhost\n127.0.0.1 localhost\n' >/media/hosts
        mount --bind /media/hosts /etc/hosts || exit 3
        echo "asked: $("$tcp_client" localhost:8888 2>&1 | sed -n 's/.*4 connect *//p' | tr '\n' ' ')"."#;
    let once = "asked: 127.0.0.1:8888 127.0.0.2:8888 .";
    assert_shows(in_a_network(script), &[once]);
}

/// As in many containers: `localhost` has two addresses, and one of them cannot be used.
#[test]
fn of_a_name_with_two_addresses_the_first_ones_error_is_the_reason() {
    let script = r#"
        printf '::1 localhost\n127.0.0.1 localhost\n' >/media/hosts
        mount --bind /media/hosts /etc/hosts || exit 3
        set_net ipv6/conf/all/disable_ipv6 1
        "$tcp_client" -q localhost:8888
        "$udp_client" -q --tries 1 --timeout 0.1 localhost:8888
        start "$tcp_server" -q 127.0.0.1:8888
        start "$udp_server" -q 127.0.0.1:8888
        "$tcp_server" -q localhost:8888
        "$udp_server" -q localhost:8888"#;
    let taken = "127.0.0.1:8888: Address already in use";
    let shown = [
        "tcp-client: cannot connect to 127.0.0.1:8888: Connection refused",
        "udp-client: no reply from 127.0.0.1:8888 ",
        &format!("tcp-server: cannot listen on {taken}"),
        &format!("udp-server: cannot bind {taken}"),
    ];
    assert_shows(in_a_network(script), &shown);
}

#[test]
fn a_second_server_on_a_name_does_not_take_its_other_address() {
    if !common::has_ipv6() {
        return;
    }
    let script = r#"
        printf '::1 localhost\n127.0.0.1 localhost\n' >/media/hosts
        mount --bind /media/hosts /etc/hosts || exit 3
        for server in "$tcp_server" "$udp_server"; do
            start "$server" -q localhost:8888
            echo "$ready"
            "$server" -q localhost:8888
            echo "exit code $?"
        done"#;
    let taken = "127.0.0.1:8888: Address already in use";
    let shown = [
        "tcp-server ready on 127.0.0.1:8888\nexit code 1\n",
        "udp-server ready on 127.0.0.1:8888\nexit code 1\n",
        &format!("tcp-server: cannot listen on {taken}"),
        &format!("udp-server: cannot bind {taken}"),
    ];
    assert_shows(in_a_network(script), &shown);
}

/// Linux connects a socket to its own port, where the system happens to choose the one that is asked.
#[test]
fn a_client_that_reaches_itself_has_found_nobody() {
    let script = r#"
        set_net ipv4/ip_local_port_range "40000 40000"
        "$tcp_client" -q 127.0.0.1:40000; echo "exit code $?"
        "$udp_client" -q 127.0.0.1:40000; echo "exit code $?""#;
    let shown = [
        "exit code 1\nexit code 1\n",
        "tcp-client: cannot connect to 127.0.0.1:40000: connection refused\n",
        "udp-client: cannot send to 127.0.0.1:40000: connection refused\n",
        "hint: nothing listens there: start the server\n",
    ];
    assert_shows(in_a_network(script), &shown);
}

#[test]
fn without_a_free_port_the_hint_speaks_of_ports() {
    let script = r#"
        start "$tcp_server" -q 127.0.0.1:8888
        set_net ipv4/ip_local_port_range "40000 40003"
        for number in 1 2 3 4; do
            sleep 60 | "$tcp_client" 127.0.0.1:8888 - 2>/media/trace$number &
            "$udp_client" --timeout 0 127.0.0.1:9 2>/media/trace-udp$number &
        done
        for number in 1 2 3 4; do
            until grep -q '5 establish' /media/trace$number; do sleep 0.01; done
            until grep -q '6 transfer' /media/trace-udp$number; do sleep 0.01; done
        done
        "$tcp_client" -q 127.0.0.1:8888; echo "exit code $?"
        "$udp_client" -q 127.0.0.1:8888; echo "exit code $?""#;
    let hint =
        "hint: this machine has no free port left, or no address of that family (IPv4, IPv6)";
    let shown = [
        "exit code 1\nexit code 1\n",
        &format!("(os error 99)\ntcp-client: {hint}\n"),
        &format!("(os error 98)\nudp-client: {hint}\n"),
        "tcp-client: cannot connect to 127.0.0.1:8888: ",
        "udp-client: cannot open a socket for 127.0.0.1:8888: ",
    ];
    assert_shows(in_a_network(script), &shown);
}

/// No program has the port, and none is to be ended.
#[test]
fn a_port_in_time_wait_is_named_as_one() {
    if !has(&["python3"]) {
        return;
    }
    let script = r#"
        start python3 tests/python/closing_server.py
        server=$!
        mkfifo /media/keyboard; exec 3<>/media/keyboard # Nobody types, and the input does not end.
        "$tcp_client" -q 127.0.0.1:8888 - <&3
        wait $server
        ss -tan | grep -c '^LISTEN'
        "$tcp_server" -q 127.0.0.1:8888; echo "exit code $?""#;
    let shown = [
        "0\nexit code 1\n",
        "tcp-server: cannot listen on 127.0.0.1:8888: Address already in use (os error 98)\n",
        "or choose another; if none has, it is in TIME_WAIT\n",
    ];
    assert_shows(in_a_network(script), &shown);
}

#[test]
fn a_firewall_is_named_as_one() {
    if !has(&["nft"]) {
        return;
    }
    let script = r#"
        nft 'add table inet lab; add chain inet lab out { type filter hook output priority 0; };
            add rule inet lab out udp dport 8888 drop' || exit 3
        "$udp_client" -q 127.0.0.1:8888; echo "exit code $?""#;
    let shown = [
        "exit code 1\n",
        "udp-client: cannot send to 127.0.0.1:8888: Operation not permitted (os error 1)\n",
        "hint: a firewall, a route or broadcast forbids it\n",
    ];
    assert_shows(in_a_network(script), &shown);
}

/// Two machines: only the server's own addresses, with its port, are its own.
#[test]
fn a_client_on_another_machine_may_have_the_servers_port_number() {
    let script = r#"
        unshare -n sleep 60 & other=$!
        until ip link add cable type veth peer name cable netns $other 2>/dev/null &&
            nsenter -t $other -n ip link set lo up; do sleep 0.01; done
        ip address add 10.0.0.1/24 dev cable; ip link set cable up
        client() { nsenter -t $other -n "$@"; }
        client ip address add 10.0.0.2/24 dev cable; client ip link set cable up
        client sh -c 'echo "9000 9000" >/proc/sys/net/ipv4/ip_local_port_range'
        start "$udp_server" 0.0.0.0:9000
        client "$udp_client" 10.0.0.1:9000 'from there'; echo "exit code $?""#;
    let shown = [
        "2 bind       0.0.0.0:9000, chosen by the system\n",
        "Received: from there\nexit code 0\n",
        "udp-server: 6 transfer   10.0.0.2:9000, 10 bytes received: from there\n",
    ];
    assert_shows(in_a_network(script), &shown);
}

/// Two cables, with fe80::1 at the other end of both: the scope says which of them answered.
#[test]
fn of_a_link_local_address_the_scope_counts() {
    if !common::has_ipv6() {
        return;
    }
    let script = r#"
        for cable in one two; do
            unshare -n sleep 60 & other=$!
            until ip link add $cable type veth peer name $cable netns $other 2>/dev/null; do sleep 0.01; done
            ip address add fe80::2/64 dev $cable nodad; ip link set $cable up
            nsenter -t $other -n ip address add fe80::1/64 dev $cable nodad
            nsenter -t $other -n ip link set $cable up
            until nsenter -t $other -n ip -6 route show table local | grep -q fe80::1; do sleep 0.01; done
            start nsenter -t $other -n "$udp_server" -q "[fe80::1%$cable]:9000"
        done
        for cable in one two; do
            until ip -6 route show table local | grep -q "fe80::2 dev $cable"; do sleep 0.01; done
            "$udp_client" -q --timeout 5 "[fe80::1%$cable]:9000" "$cable"; echo "exit code $?"
        done"#;
    let shown = ["Received: one\nexit code 0\nReceived: two\nexit code 0\n"];
    assert_shows(in_a_network(script), &shown);
}
