#!/bin/sh
# Both lanes side by side on networks that delay, lose and reorder: two hosts made of network namespaces, a table on standard output.
#
#   cargo build --release && sudo tests/network/lanes.sh [EDGEHUB]
#
# It needs iproute2 (`ip netns`, `tc netem`) and the privilege to use them; without, it says so and ends with 0, so that it can stand in
# a pipeline. What it makes has names of its own and is gone afterwards.
set -eu

edgehub=${1:-target/release/edgehub}
messages=${MESSAGES:-20000}
requests=${REQUESTS:-100}
losses=${LOSSES:-"0 1 3 5"}
edge=edgehub-edge-$$
cloud=edgehub-cloud-$$
address=10.231.77.1

skip() {
    echo "skipped: $1"
    exit 0
}
command -v ip >/dev/null && command -v tc >/dev/null || skip "ip and tc are not there (Debian: iproute2)"
[ -x "$edgehub" ] || { echo "no program at $edgehub: cargo build --release" >&2; exit 2; }
ip netns add "$cloud" 2>/dev/null || skip "no privilege to make network namespaces"

folder=$(mktemp -d)
server=
clean() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    ip netns del "$edge" 2>/dev/null || true
    ip netns del "$cloud" 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' INT TERM

ip netns add "$edge"
ip -n "$edge" link add edge0 type veth peer name cloud0 netns "$cloud"
ip -n "$cloud" address add "$address/24" dev cloud0
ip -n "$edge" address add 10.231.77.2/24 dev edge0
for host in "$edge edge0" "$cloud cloud0"; do
    set -- $host
    ip -n "$1" link set lo up
    ip -n "$1" link set "$2" up
    tc -n "$1" qdisc add dev "$2" root netem delay 1ms 2>/dev/null || skip "tc netem is not there"
done

# 100 ms ± 20 in all: half of it each way. Reordering is what the jitter makes of it, and one packet in a hundred that waits for nothing.
conduct() {
    tc -n "$edge" qdisc replace dev edge0 root netem limit 100000 delay 50ms 10ms loss "$1%" reorder 99% 50%
    tc -n "$cloud" qdisc replace dev cloud0 root netem limit 100000 delay 50ms 10ms loss "$1%" reorder 99% 50%
}

ip netns exec "$cloud" "$edgehub" cloud --dir "$folder" --listen "$address:10000" --quic --name "$address" \
    --issue edge-1 >/dev/null 2>"$folder/log" </dev/null &
server=$!
until grep -q "listening on" "$folder/log"; do
    kill -0 "$server" || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done

sent_bytes() {
    ip netns exec "$edge" cat /sys/class/net/edge0/statistics/tx_bytes
}
field() {
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$folder/report"
}
bench() {
    ip netns exec "$edge" "$edgehub" bench --server "$1://$address:10000" --ca "$folder/ca.crt" \
        --cert "$folder/edge-1.crt" --key "$folder/edge-1.key" --mode "$2" --messages "$3" >"$folder/report"
}

echo "| loss | lane | up, messages/s | bytes on the wire per message | a request alone, p50 / p99 ms | lost |"
echo "|---|---|---|---|---|---|"
for loss in $losses; do
    conduct "$loss"
    for scheme in wss quic; do
        before=$(sent_bytes)
        bench "$scheme" up "$messages"
        bytes=$((($(sent_bytes) - before) / messages))
        rate=$(field messages_per_s)
        lost=$(field lost)
        bench "$scheme" sync "$requests"
        awk -v loss="$loss" -v lane="$scheme" -v rate="$rate" -v bytes="$bytes" -v lost="$lost" \
            -v p50="$(field p50)" -v p99="$(field p99)" \
            'BEGIN { printf "| %s %% | %s | %.0f | %d | %.0f / %.0f | %s |\n", loss, lane, rate, bytes, p50 / 1000, p99 / 1000, lost }'
    done
done
