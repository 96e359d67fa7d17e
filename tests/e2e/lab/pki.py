# SPDX-License-Identifier: MIT
"""Certificates, made by the openssl command. One key serves all leaves: it is faster."""
import hashlib
import os
import subprocess
import threading


class Pki:
    def __init__(self, folder):
        self.folder = folder
        self._made = {}
        self._lock = threading.Lock()
        os.makedirs(folder)
        self.ca_file = folder + "/ca.pem"
        self.key = folder + "/leaf.key"
        self._authority("ca")
        self._authority("stranger")
        self._intermediate()
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        os.chmod(self.key, 0o644)  # read by nginx and others that drop their privileges

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words[0]}: {done.stdout}")

    def _authority(self, name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "90",
                      "-subj", f"/CN=Test {name}")

    def _intermediate(self):
        """An authority below the one that is trusted."""
        with open(self.folder + "/between.cnf", "w", encoding="utf-8") as config:
            config.write("[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=Test between\n"
                         "[ext]\nbasicConstraints=critical,CA:TRUE\n")
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "between.key", "-out", "between.csr", "-config",
                      "between.cnf")
        self._openssl("x509", "-req", "-in", "between.csr", *self._signer("good"), "-days", "80",
                      "-extfile", "between.cnf", "-extensions", "ext", "-out", "between.pem")

    def leaf(self, names, kind="good"):
        """A PEM file with the certificate of these DNS names. kind: good, expired, early,
        soon (it expires in ten days), stranger (of an authority nobody trusts), self (signed
        by itself), chain (of an intermediate authority, sent along), incomplete (the same, not
        sent along), rooted (of the authority that is trusted, sent along), cn-only, client
        (for TLS clients only)."""
        names = tuple(names)
        with self._lock:
            made = self._made.get((names, kind))
            if made is None:
                made = self._issue(f"{self.folder}/leaf{len(self._made)}", names, kind)
                self._made[(names, kind)] = made
        return made

    def _issue(self, stem, names, kind):
        lines = ["[req]", "distinguished_name=dn", "prompt=no", "[dn]", f"CN={names[0][:64]}",
                 "[ext]", "basicConstraints=CA:FALSE"]
        if kind != "cn-only":
            lines.append("subjectAltName=@names")
        if kind == "client":
            lines.append("extendedKeyUsage=clientAuth")
        lines.append("[names]")
        lines += [f"DNS.{number}={name}" for number, name in enumerate(names)]
        with open(stem + ".cnf", "w", encoding="utf-8") as config:
            config.write("\n".join(lines) + "\n")
        self._openssl("req", "-new", "-key", self.key, "-config", stem + ".cnf", "-out",
                      stem + ".csr")
        if kind in ("expired", "early"):
            self._dated(stem, kind)
        else:
            signer = ["-signkey", self.key] if kind == "self" else self._signer(kind)
            days = "10" if kind == "soon" else "60"
            self._openssl("x509", "-req", "-in", stem + ".csr", *signer, "-days", days,
                          "-extfile", stem + ".cnf", "-extensions", "ext", "-out",
                          stem + ".pem")
        above = {"chain": "/between.pem", "rooted": "/ca.pem"}.get(kind)
        if above:
            self._append(stem + ".pem", self.folder + above)
        return stem + ".pem"

    @staticmethod
    def _append(to, more):
        with open(to, "a", encoding="ascii") as whole, open(more, encoding="ascii") as rest:
            whole.write(rest.read())

    @staticmethod
    def _signer(kind):
        authority = {"stranger": "stranger", "chain": "between",
                     "incomplete": "between"}.get(kind, "ca")
        return ["-CA", authority + ".pem", "-CAkey", authority + ".key", "-CAcreateserial"]

    def tlsa(self, names, usage=3, selector=1, kind="good"):
        """The record (USAGE SELECTOR 1) of a leaf, or of the authority that is trusted."""
        pem = self.leaf(names, kind) if usage == 3 else self.ca_file
        form = {0: ["x509", "-in", pem, "-outform", "DER"],
                1: ["x509", "-in", pem, "-noout", "-pubkey"]}[selector]
        out = self._read(*form)
        if selector == 1:
            out = self._read("pkey", "-pubin", "-outform", "DER", text=out)
        return (usage, selector, 1, hashlib.sha256(out).digest())

    @staticmethod
    def _read(*words, text=None):
        return subprocess.run(["openssl", *words], input=text, check=True,
                              stdout=subprocess.PIPE).stdout

    def _dated(self, stem, kind):
        """Only the ca command of OpenSSL 3.0 can put a certificate into another year."""
        for name, text in (("index.txt", ""), ("serial", os.urandom(8).hex())):
            with open(f"{stem}.{name}", "w", encoding="utf-8") as file:
                file.write(text)
        with open(stem + ".ca.cnf", "w", encoding="utf-8") as config:
            config.write(f"[ca]\ndefault_ca=a\n[a]\ndatabase={stem}.index.txt\n"
                         f"serial={stem}.serial\nnew_certs_dir={self.folder}\n"
                         f"certificate={self.ca_file}\nprivate_key={self.folder}/ca.key\n"
                         "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        years = ("20200101000000Z", "20210101000000Z")
        if kind == "early":
            years = ("20900101000000Z", "20910101000000Z")
        self._openssl("ca", "-batch", "-notext", "-config", stem + ".ca.cnf", "-in",
                      stem + ".csr", "-extfile", stem + ".cnf", "-extensions", "ext",
                      "-startdate", years[0], "-enddate", years[1], "-out", stem + ".pem")
