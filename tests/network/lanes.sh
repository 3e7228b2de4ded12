#!/usr/bin/env bash
# Both lanes side by side on a bad network: two hosts made of network namespaces, the link of link.py between them, tables on standard output.
#
#   cargo build --release && sudo tests/network/lanes.sh [EDGEHUB]
#   sudo tests/network/lanes.sh --short [EDGEHUB]      one loss, one blackout, one change of address: about a minute, for a pipeline
#
# It needs Linux, iproute2, Python 3.10 and the privilege to make network namespaces; without, it says so and ends with 0. It ends with 1 when
# a message is lost, a fault is not recovered from, or control messages at 3 % loss are not twice as fast over QUIC as over cubic. What it makes has
# names of its own and is gone afterwards.
set -euo pipefail

time=${TIME:-15}
pace=${PACE:-40}
losses=${LOSSES:-"0 1 3 5"}
steady=${STEADY:-3}
runs=${RUNS:-3}
tcps=${TCP:-cubic bbr}
short=0
if [ "${1:-}" = --short ]; then
    shift
    short=1 time=4 losses=3 steady='' runs=1 tcps=${TCP:-cubic}
fi
edgehub=${1:-target/release/edgehub}
here=$(dirname "$0")
edge=edgehub-edge-$$
cloud=edgehub-cloud-$$
network=10.231.77
port=10000

skip() {
    echo "skipped: $1"
    exit 0
}
[ "$(uname)" = Linux ] || skip "network namespaces are Linux's"
command -v ip > /dev/null || skip "ip is not there (Debian: iproute2)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null || skip "Python 3.10 is not there"
[ -x "$edgehub" ] || { echo "no program at $edgehub: cargo build --release" >&2; exit 2; }
edgehub=$(realpath "$edgehub")
[ -c /dev/net/tun ] || skip "/dev/net/tun is not there"
ip netns add "$cloud" 2> /dev/null || skip "no privilege to make network namespaces"

folder=$(mktemp -d)
link=
clean() {
    [ -z "$link" ] || kill "$link" 2> /dev/null || true
    ip netns del "$edge" 2> /dev/null || true
    ip netns del "$cloud" 2> /dev/null || true
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' INT TERM
ip netns add "$edge"

# --- the link ---

tell="python3 $here/link.py tell $folder/link"
mkfifo "$folder/ready"
python3 "$here/link.py" carry "$folder/link" "eh-e$$" "eh-c$$" > "$folder/ready" 2> "$folder/problem" &
link=$!
# Its first line, or its end.
if ! read -r _ < "$folder/ready"; then
    link=
    skip "no TUN device: $(tail -n 1 "$folder/problem")"
fi

for end in "$edge eh-e$$" "$cloud eh-c$$"; do
    read -r host device <<< "$end"
    ip link set "$device" netns "$host"
    ip -n "$host" link set lo up
    ip -n "$host" link set "$device" up
done
ip -n "$cloud" address add "$network.1/24" dev "eh-c$$"
ip -n "$edge" address add "$network.2/24" dev "eh-e$$"

# 100 ms ± 20 for a round trip, half of it each way; a line of 20 Mbit/s with a buffer of half a round trip's worth.
conduct() {
    $tell set delay=50 jitter=10 "loss=$1" reorder=1 held=20 rate=20 queue=125 > "$folder/answer"
}

# Under which congestion control the WebSocket's TCP runs: Linux's own default, and the one that takes no loss for congestion. A namespace
# may have what the machine allows everybody; that list is put back at once.
allowed=/proc/sys/net/ipv4/tcp_allowed_congestion_control
use_tcp() {
    local before host
    before=$(cat "$allowed")
    echo "$before $1" 2> /dev/null > "$allowed" || true
    for host in "$edge" "$cloud"; do
        ip netns exec "$host" sh -c "echo $1 > /proc/sys/net/ipv4/tcp_congestion_control" 2> /dev/null || true
    done
    echo "$before" 2> /dev/null > "$allowed" || true
    [ "$(ip netns exec "$edge" cat /proc/sys/net/ipv4/tcp_congestion_control)" = "$1" ]
}
lanes=()
for control in $tcps; do
    if use_tcp "$control"; then lanes+=("WebSocket,$control"); else echo "left out: TCP has no $control here" >&2; fi
done
[ ${#lanes[@]} -gt 0 ] || lanes=("WebSocket,$(ip netns exec "$edge" cat /proc/sys/net/ipv4/tcp_congestion_control)")
lanes+=("QUIC,-")

# --- one run ---

failed=0
fail() {
    echo "failed: $1" >&2
    failed=1
}

# NAME,TCP ARGUMENTS…: leaves $folder/report and $folder/count.
bench() {
    local name=${1%,*} tcp=${1#*,}
    shift
    [ "$tcp" = - ] || use_tcp "$tcp"
    port=$((port + 1)) # An old connection closes in its own time.
    $tell count > "$folder/answer"
    ip netns exec "$edge" "$edgehub" bench --mode mixed --lane "${name,,}" --cloud-through "ip netns exec $cloud" \
        --cloud-listen "$network.1:$port" "$@" > "$folder/report" 2> "$folder/words" || fail "$name: $(cat "$folder/words")"
    $tell count > "$folder/count"
}

# EXPRESSION: what Python makes of it, with the report in r and the count in c.
value() {
    python3 - "$1" "$folder" << 'END'
import json, sys
expression, folder = sys.argv[1:]
r, c = (json.load(open(f"{folder}/{name}")) for name in ("report", "count"))
ms = lambda asked: "{p50:.0f} / {p99:.0f}".format(**{name: us / 1000 for name, us in asked["latency_us"].items()})
print(eval(expression))
END
}

row() {
    local cell
    for cell; do printf '| %s ' "$cell"; done
    printf '|\n'
}

lane_of() {
    local name=${1%,*} tcp=${1#*,}
    if [ "$tcp" = - ]; then echo "$name"; else echo "$name over TCP $tcp"; fi
}

wire='round((c["up_bytes"] + c["down_bytes"]) / max(1, r["messages"]))'

echo "As many user messages as the link takes, for $time s; $pace questions a second each way meanwhile:"
echo
row "loss" "lane" "user messages/s" "control, p50 / p99 ms" "bytes on the wire per message" "lost"
row --- --- --- --- --- ---
declare -A p99
for loss in $losses; do
    conduct "$loss"
    for lane in "${lanes[@]}"; do
        bench "$lane" --seconds "$time" --pace "$pace"
        row "$loss %" "$(lane_of "$lane")" "$(value 'round(r["messages_per_s"])')" "$(value 'ms(r["control"])')" "$(value "$wire")" \
            "$(value 'r["lost"]')"
        p99[$lane,$loss]=$(value 'round(r["control"]["latency_us"]["p99"])')
    done
done

if [ -n "$steady" ]; then
    echo
    echo "100 user messages/s, which the link carries at any loss:"
    echo
    row "loss" "lane" "control, p50 / p99 ms" "sync, p50 / p99 ms" "bytes on the wire per message" "lost"
    row --- --- --- --- --- ---
fi
for loss in $steady; do
    conduct "$loss"
    for lane in "${lanes[@]}"; do
        bench "$lane" --seconds "$time" --pace "$pace" --rate 100
        row "$loss %" "$(lane_of "$lane")" "$(value 'ms(r["control"])')" "$(value 'ms(r["sync"])')" "$(value "$wire")" "$(value 'r["lost"]')"
    done
done

# --- faults in the middle ---

# What is run for it; ends with the fault.
commands() {
    case $1 in
        blackout) echo "$tell dark 5" ;;
        "another address")
            at=$((at == 2 ? 3 : 2))
            echo "ip -n $edge address flush dev eh-e$$; ip -n $edge address add $network.$at/24 dev eh-e$$"
            ;;
    esac
}

at=2
conduct 0
echo
echo "A fault in the middle of 100 user messages/s, without losses; each figure is a run:"
echo
row "fault" "lane" "first answer after its end, s" "lost" "doubled"
row --- --- --- --- ---
for fault in "blackout" "another address"; do
    # Two lanes are enough, whatever carries the first.
    for lane in "${lanes[0]}" "QUIC,-"; do
        # The WebSocket comes back when the hub has given the old link up as silent: half a minute that a pipeline has not.
        [ $short = 0 ] || [ "$fault/$lane" != "another address/${lanes[0]}" ] || continue
        back=() lost=() doubled=()
        for ((run = 0; run < runs; run++)); do
            command_file=$folder/fault
            commands "$fault" > "$command_file"
            bench "$lane" --seconds $((short ? 4 : 10)) --pace "$pace" --rate 100 --meanwhile "sh $command_file"
            back+=("$(value '"%.1f" % r["recovered_after_s"] if "recovered_after_s" in r else "never"')")
            lost+=("$(value 'r["lost"]')")
            doubled+=("$(value 'r["duplicates"]')")
        done
        [[ ${back[*]} != *never* ]] || fail "$(lane_of "$lane"): no answer after $fault"
        row "$fault" "$(lane_of "$lane")" "${back[*]}" "${lost[*]}" "${doubled[*]}"
    done
done

# Short runs have too few questions for a verdict on one in a hundred. It is over what TCP does by default.
quic=${p99[QUIC,-,3]:-} tcp=${p99[WebSocket,cubic,3]:-}
if [ $short = 0 ] && [ -n "$quic" ] && [ -n "$tcp" ] && [ $((quic * 2)) -gt "$tcp" ]; then
    fail "control messages at 3 % loss: p99 $quic µs over QUIC, $tcp µs over TCP cubic"
fi
exit $failed
