# SPDX-License-Identifier: MIT
"""Certificates, made by the openssl command. One key serves all leaves: it is faster."""
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
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        os.chmod(self.key, 0o644)  # read by nginx and others that drop their privileges

    def _openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words[0]}: {done.stdout}")

    def _authority(self, name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "30",
                      "-subj", f"/CN=Test {name}")

    def leaf(self, names, kind="good"):
        """A PEM file with the certificate of these DNS names. kind: good, expired, early,
        stranger (of an authority nobody trusts), self (signed by itself), cn-only,
        client (for TLS clients only)."""
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
            lines.append("subjectAltName=" + ",".join("DNS:" + name for name in names))
        if kind == "client":
            lines.append("extendedKeyUsage=clientAuth")
        with open(stem + ".cnf", "w", encoding="utf-8") as config:
            config.write("\n".join(lines) + "\n")
        self._openssl("req", "-new", "-key", self.key, "-config", stem + ".cnf", "-out",
                      stem + ".csr")
        if kind in ("expired", "early"):
            self._dated(stem, kind)
        else:
            signer = ["-signkey", self.key] if kind == "self" else self._signer(kind)
            self._openssl("x509", "-req", "-in", stem + ".csr", *signer, "-days", "10",
                          "-extfile", stem + ".cnf", "-extensions", "ext", "-out",
                          stem + ".pem")
        return stem + ".pem"

    @staticmethod
    def _signer(kind):
        authority = "stranger" if kind == "stranger" else "ca"
        return ["-CA", authority + ".pem", "-CAkey", authority + ".key", "-CAcreateserial"]

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
