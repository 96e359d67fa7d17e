#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks as Postfix does, without a pause, until it is told to end and has asked enough:
asker.py KEY REPLY

Each time by a new connection, and by one that stays; what is closed without a reply is
asked once more on a new connection. Its last line is a JSON object of what happened."""
import json
import signal
import sys

import machine  # pylint: disable=unused-import # finds the lab
from lab import socketmap

ADDRESS = ("127.0.0.1", 8461)
ENOUGH = 200
told = []


def ask(client, key):
    try:
        return client.ask(key)
    except (socketmap.Closed, BrokenPipeError):
        return None


def main():
    key, wanted = sys.argv[1:]
    happened = {"asked": 0, "again": 0, "wrong": []}
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    lasting = None
    print("asking", flush=True)
    while (not told or happened["asked"] < ENOUGH) and len(happened["wrong"]) < 10:
        for keep in (False, True):
            try:
                client = lasting if keep and lasting else socketmap.Client(ADDRESS)
                reply = ask(client, key)
                if reply is None:
                    happened["again"] += 1
                    client.sock.close()
                    client = socketmap.Client(ADDRESS)
                    reply = ask(client, key)
                if keep:
                    lasting = client
                else:
                    client.sock.close()
                if reply != wanted:
                    happened["wrong"].append(str(reply))
            except OSError as reason:
                lasting = None
                happened["wrong"].append(str(reason))
            happened["asked"] += 1
    print(json.dumps(happened), flush=True)


main()
