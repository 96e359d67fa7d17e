#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A certificate authority for tests, made with the openssl program.

    ca = CA("/some/empty/directory")
    chain, key = ca.issue("good", dns=["mta-sts.example.org"])

ca.root is the file to trust. Everything lies in the directory, one key serves all.
"""

import os
import subprocess
import time

CONFIG = """
[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/index
new_certs_dir = {dir}
certificate = {dir}/{name}.pem
private_key = {dir}/{name}.key
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
[anything]
commonName = supplied
[req]
distinguished_name = nothing
[nothing]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


class CA:
    def __init__(self, directory, name="ca"):
        self.dir = directory
        self.name = name
        self.config = os.path.join(directory, name + ".cnf")
        self.root = os.path.join(directory, name + ".pem")
        self.key = os.path.join(directory, "leaf.key")
        os.makedirs(directory, exist_ok=True)
        with open(self.config, "w") as f:
            f.write(CONFIG.format(dir=directory, name=name))
        open(os.path.join(directory, "index"), "a").close()
        if not os.path.exists(self.key):
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-out", self.key)
        if not os.path.exists(self.root):
            openssl("req", "-x509", "-config", self.config, "-extensions", "root",
                    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", os.path.join(directory, name + ".key"),
                    "-subj", f"/CN=Test {name}", "-days", "30", "-out", self.root)

    def issue(self, name, dns=(), cn=None, days=(-1, 30), eku="serverAuth", own=False):
        """The files of a new certificate and its key. days: validity, from now. own:
        signed by itself."""
        at = os.path.join(self.dir, name)
        with open(at + ".ext", "w") as f:
            f.write(f"basicConstraints = CA:false\nextendedKeyUsage = {eku}\n")
            if dns:
                f.write("subjectAltName = " + ",".join("DNS:" + d for d in dns) + "\n")
        subject = f"/CN={cn or (dns[0] if dns else name)}"[:64]
        if own:
            openssl("req", "-x509", "-config", self.config, "-key", self.key, "-subj", subject,
                    *(["-addext", "subjectAltName=" + ",".join("DNS:" + d for d in dns)]
                      if dns else []), "-days", "30", "-out", at + ".pem")
        else:
            openssl("req", "-new", "-config", self.config, "-key", self.key, "-subj", subject,
                    "-out", at + ".csr")
            openssl("ca", "-batch", "-notext", "-config", self.config, "-in", at + ".csr",
                    "-extfile", at + ".ext", "-startdate", stamp(days[0]),
                    "-enddate", stamp(days[1]), "-out", at + ".pem")
        return at + ".pem", self.key
