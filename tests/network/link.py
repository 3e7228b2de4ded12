#!/usr/bin/env python3
"""A link between two hosts made of network namespaces, in user space: it delays, loses, reorders, fills up, goes dark, and counts bytes.

    link.py carry SOCKET EDGE CLOUD [SEED]    makes two TUN devices of these names and carries packets between them, until it is killed
    link.py tell SOCKET ORDER…                gives that one an order, and prints its answer when it is carried out

Orders, for both ways at once:

    set delay=50 jitter=10 loss=3 reorder=1 held=20 rate=20 queue=125    milliseconds, percent, Mbit/s, kB; rate 0 is without limit
    dark 5                                                               for so many seconds nothing gets through; answered afterwards
    count                                                                bytes and packets since the last count, as they entered

The kernel's own way to do this, netem, is not in every kernel; this is the same everywhere, and lets the same packets of a seed get
lost. What the kernel would cut up for a card of the wire (segmentation offload) it cuts up before a TUN device: packets are packets.
"""

import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

PACKET_BYTES_MAX = 65536
# Packets that are taken from a device before the other one has its turn.
TURN = 64
# How often the delay turns to another value within its jitter, in seconds. It moves there evenly: neighbours wait alike, as in a queue,
# and whatever changes their order is `reorder` alone.
TURNING = 0.2


def device(name):
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file


class Way:
    """One direction."""

    def __init__(self, source, target, seed):
        self.source, self.target = source, target
        self.random = random.Random(seed)
        self.conditions = {"delay": 0, "jitter": 0, "loss": 0, "reorder": 0, "held": 20, "rate": 0, "queue": 125}
        self.dark_until = 0.0
        self.free_at = self.last_due = 0.0
        self.turned_at, self.shift, self.next_shift = 0.0, 0.0, 0.0
        self.bytes = self.packets = 0

    def due(self, packet, now):
        """When this packet arrives; None when it does not."""
        self.bytes += len(packet)
        self.packets += 1
        is_ = self.conditions
        # Both are drawn for every packet: the n-th one has its fate, whatever the conditions of others were.
        lost, held = self.random.random() * 100 < is_["loss"], self.random.random() * 100 < is_["reorder"]
        start = max(now, self.free_at)
        full = is_["rate"] and (start - now) * is_["rate"] * 125 > is_["queue"]
        if now < self.dark_until or full:
            return None
        if is_["rate"]:
            self.free_at = start + len(packet) * 8 / (is_["rate"] * 1e6)
        # The wire is lossy, not what leads to it: a lost packet has taken its time.
        if lost:
            return None
        due = max(start, self.free_at) + (is_["delay"] + self.shift_at(now)) / 1000
        if held:
            return due + is_["held"] / 1000
        self.last_due = max(due, self.last_due)
        return self.last_due

    def shift_at(self, now):
        jitter = self.conditions["jitter"]
        if now - self.turned_at >= TURNING:
            self.turned_at, self.shift = now, self.next_shift
            self.next_shift = self.random.uniform(-jitter, jitter)
        return self.shift + (self.next_shift - self.shift) * (now - self.turned_at) / TURNING


class Link:
    def __init__(self, path, edge, cloud, seed):
        edge, cloud = device(edge), device(cloud)
        self.ways = {"up": Way(edge, cloud, seed * 2), "down": Way(cloud, edge, seed * 2 + 1)}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(8)
        # (when, number, device, packet); the number keeps what is due at one time in its order.
        self.waiting, self.number = [], 0
        self.in_the_dark = None

    def run(self):
        sources = {way.source: way for way in self.ways.values()}
        heap = self.waiting
        while True:
            now = time.monotonic()
            while heap and heap[0][0] <= now:
                _, _, target, packet = heapq.heappop(heap)
                self.deliver(target, packet)
            if self.in_the_dark and self.in_the_dark[0] <= now:
                self.in_the_dark = self.answer(self.in_the_dark[1], "light")
            events = [heap[0][0]] if heap else []
            events += [self.in_the_dark[0]] if self.in_the_dark else []
            wait = max(0.0, min(events) - time.monotonic()) if events else None
            for ready in select.select([*sources, self.listener], [], [], wait)[0]:
                if ready is self.listener:
                    self.order()
                else:
                    self.take(sources[ready])

    def take(self, way):
        for _ in range(TURN):
            try:
                packet = os.read(way.source, PACKET_BYTES_MAX)
            except (BlockingIOError, OSError):
                return
            due = way.due(packet, time.monotonic())
            if due is not None:
                self.number += 1
                heapq.heappush(self.waiting, (due, self.number, way.target, packet))

    @staticmethod
    def deliver(target, packet):
        try:
            os.write(target, packet)
        except OSError:
            pass  # A device that is down, or that has no room: a lost packet.

    def order(self):
        peer, _ = self.listener.accept()
        verb, *words = peer.makefile().readline().split()
        if verb == "set":
            for word in words:
                name, value = word.split("=")
                for way in self.ways.values():
                    if name not in way.conditions:
                        return self.answer(peer, f"no such condition: {name}")
                    way.conditions[name] = float(value)
            self.answer(peer, "set")
        elif verb == "dark":
            until = time.monotonic() + float(words[0])
            for way in self.ways.values():
                way.dark_until = until
            self.in_the_dark = (until, peer)
        elif verb == "count":
            counts = {}
            for name, way in self.ways.items():
                counts[f"{name}_bytes"], counts[f"{name}_packets"] = way.bytes, way.packets
                way.bytes = way.packets = 0
            self.answer(peer, json.dumps(counts, separators=(",", ":")))
        else:
            self.answer(peer, f"no such order: {verb}")
        return None

    @staticmethod
    def answer(peer, text):
        with peer:
            try:
                peer.sendall(text.encode() + b"\n")
            except OSError:
                pass  # Whoever asked has gone.


def tell(path, words):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(path)
    peer.sendall(" ".join(words).encode() + b"\n")
    answer = peer.makefile().read().strip()
    print(answer)
    return 2 if answer.startswith("no such") else 0


def main(arguments):
    match arguments:
        case ["carry", path, edge, cloud, *seed]:
            link = Link(path, edge, cloud, int(seed[0]) if seed else 1)
            print("ready", flush=True)
            link.run()
        case ["tell", path, *words] if words:
            return tell(path, words)
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
