#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The small Internet of the end-to-end tests, on the network of a machine, until it is
killed: internet.py FOLDER DOMAIN...

DNS is 127.0.0.1. Each domain enforces a policy and has one mail host, MX mx.DOMAIN. Who is
to be trusted: FOLDER/pki/ca.pem."""
import os
import signal
import sys

import machine  # pylint: disable=unused-import # finds the lab
from lab import namespace, world


def main():
    folder, *domains = sys.argv[1:]
    os.mkdir(folder)
    namespace.add_addresses()
    here = world.World(None, folder)
    for number, name in enumerate(domains):
        host, address = "mx." + name, f"198.18.2.{number + 1}"
        here.domain(name=name)
        here.dns.add(host, "A", address)
        here.smtp.listen(address, [host])
    print("ready", flush=True)
    signal.pause()


main()
