# SPDX-License-Identifier: MIT
"""Certificates, made by libcrypto itself: a process for each would take most of the tests'
time. One key serves all leaves: it is faster."""
import ctypes
import hashlib
import os
import threading

DAY = 86400
NID_BASIC, NID_NAMES, NID_PURPOSES = 87, 85, 126  # of extensions: see <openssl/obj_mac.h>
ASCII = 0x1001  # MBSTRING_ASC
AUTHORITY = ((NID_BASIC, "critical,CA:TRUE"),)
YEARS = {"expired": ("20200101000000Z", "20210101000000Z"),
         "early": ("20900101000000Z", "20910101000000Z")}
ISSUERS = {"stranger": "stranger", "chain": "between", "incomplete": "between"}  # else: ca
ABOVE = {"chain": "between", "rooted": "ca"}  # who is sent along

_P, _I, _L, _S = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p
FUNCTIONS = {  # what it returns, what it takes
    "ASN1_INTEGER_set": (_I, _P, _L),
    "ASN1_TIME_set_string": (_I, _P, _S),
    "BIO_ctrl": (_L, _P, _I, _L, _P),
    "BIO_free": (_I, _P),
    "BIO_new": (_P, _P),
    "BIO_s_mem": (_P,),
    "EVP_PKEY_Q_keygen": (_P, _P, _P, _S, _S),
    "EVP_sha256": (_P,),
    "PEM_write_bio_PrivateKey": (_I, _P, _P, _P, _P, _I, _P, _P),
    "PEM_write_bio_X509": (_I, _P, _P),
    "X509V3_EXT_conf_nid": (_P, _P, _P, _I, _S),
    "X509_EXTENSION_free": (None, _P),
    "X509_NAME_add_entry_by_txt": (_I, _P, _S, _I, _S, _I, _I, _I),
    "X509_add_ext": (_I, _P, _P, _I),
    "X509_free": (None, _P),
    "X509_get_serialNumber": (_P, _P),
    "X509_get_subject_name": (_P, _P),
    "X509_getm_notAfter": (_P, _P),
    "X509_getm_notBefore": (_P, _P),
    "X509_gmtime_adj": (_P, _P, _L),
    "X509_new": (_P,),
    "X509_set_issuer_name": (_I, _P, _P),
    "X509_set_pubkey": (_I, _P, _P),
    "X509_set_version": (_I, _P, _L),
    "X509_sign": (_I, _P, _P, _P),
    "i2d_PUBKEY_bio": (_I, _P, _P),
    "i2d_X509_bio": (_I, _P, _P),
}


class _Crypto:
    """libcrypto: a function that says 0 or NULL has failed."""

    def __init__(self):
        library = ctypes.CDLL("libcrypto.so.3")
        for name, (returns, *takes) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = returns, takes
            if returns is not None:
                function.errcheck = self._check
            setattr(self, name, function)

    @staticmethod
    def _check(result, function, _arguments):
        if not result:
            raise RuntimeError(f"libcrypto: {function.__name__} has failed")
        return result

    def text(self, write, *what):
        """What a function writes to a BIO."""
        bio, data = self.BIO_new(self.BIO_s_mem()), ctypes.c_char_p()
        write(bio, *what)
        size = self.BIO_ctrl(bio, 3, 0, ctypes.byref(data))  # BIO_get_mem_data
        whole = ctypes.string_at(data, size)
        self.BIO_free(bio)
        return whole


class _Signer:
    """Who may sign: a name and a key; certificate: None for what is yet to sign itself."""

    def __init__(self, key, certificate=None):
        self.key, self.certificate = key, certificate


class Pki:
    def __init__(self, folder):
        self.folder = folder
        self._crypto = _Crypto()
        self._made = {}  # (names, kind): (PEM file, certificate)
        self._serial = 0
        self._lock = threading.Lock()
        os.makedirs(folder)
        self._key = self._new_key()
        self._authorities = {}
        for name in ("ca", "stranger"):
            self._authorities[name] = self._authority(name, None)
        self._authorities["between"] = self._authority("between", self._authorities["ca"])
        self.ca_file = folder + "/ca.pem"
        self._write(self.ca_file, self._pem("ca"))
        self.key = folder + "/leaf.key"
        self._write(self.key, self._crypto.text(self._crypto.PEM_write_bio_PrivateKey, self._key,
                                                None, None, 0, None, None))
        os.chmod(self.key, 0o644)  # read by nginx and others that drop their privileges

    def _new_key(self):
        return self._crypto.EVP_PKEY_Q_keygen(None, None, b"EC", b"P-256")

    def _authority(self, name, signer):
        key = self._new_key()
        made = self._certificate(f"Test {name}", key, signer or _Signer(key), AUTHORITY, 80)
        return _Signer(key, made)

    # pylint: disable=too-many-arguments
    def _certificate(self, name, key, signer, extensions, days=60, years=None):
        crypto = self._crypto
        made = crypto.X509_new()
        self._serial += 1
        crypto.X509_set_version(made, 2)
        crypto.ASN1_INTEGER_set(crypto.X509_get_serialNumber(made), self._serial)
        for at, seconds, year in ((crypto.X509_getm_notBefore(made), -DAY, 0),
                                  (crypto.X509_getm_notAfter(made), days * DAY, 1)):
            if years:
                crypto.ASN1_TIME_set_string(at, years[year].encode())
            else:
                crypto.X509_gmtime_adj(at, seconds)
        subject = crypto.X509_get_subject_name(made)
        crypto.X509_NAME_add_entry_by_txt(subject, b"CN", ASCII, name[:64].encode(), -1, -1, 0)
        crypto.X509_set_issuer_name(
            made, crypto.X509_get_subject_name(signer.certificate or made))
        crypto.X509_set_pubkey(made, key)
        for nid, text in extensions:
            extension = crypto.X509V3_EXT_conf_nid(None, None, nid, text.encode())
            crypto.X509_add_ext(made, extension, -1)
            crypto.X509_EXTENSION_free(extension)
        crypto.X509_sign(made, signer.key, crypto.EVP_sha256())
        return made

    @staticmethod
    def _write(path, text):
        with open(path, "wb") as file:
            file.write(text)

    def _pem(self, authority):
        return self._crypto.text(self._crypto.PEM_write_bio_X509,
                                 self._authorities[authority].certificate)

    def leaf(self, names, kind="good"):
        """A PEM file with the certificate of these DNS names. kind: good, expired, early,
        soon (it expires in ten days), stranger (of an authority nobody trusts), self (signed
        by itself), chain (of an intermediate authority, sent along), incomplete (the same, not
        sent along), rooted (of the authority that is trusted, sent along), cn-only, client
        (for TLS clients only)."""
        return self._leaf(names, kind)[0]

    def _leaf(self, names, kind):
        names = tuple(names)
        with self._lock:
            made = self._made.get((names, kind))
            if made is None:
                made = self._issue(f"{self.folder}/leaf{len(self._made)}.pem", names, kind)
                self._made[(names, kind)] = made
        return made

    def _issue(self, path, names, kind):
        extensions = [(NID_BASIC, "CA:FALSE")]
        if kind != "cn-only":
            extensions.append((NID_NAMES, ",".join(f"DNS:{name}" for name in names)))
        if kind == "client":
            extensions.append((NID_PURPOSES, "clientAuth"))
        signer = (_Signer(self._key) if kind == "self"
                  else self._authorities[ISSUERS.get(kind, "ca")])
        made = self._certificate(names[0], self._key, signer, extensions,
                                 10 if kind == "soon" else 60, YEARS.get(kind))
        pem = self._crypto.text(self._crypto.PEM_write_bio_X509, made)
        if kind in ABOVE:
            pem += self._pem(ABOVE[kind])
        self._write(path, pem)
        return path, made

    def der(self, names=None, kind="good"):
        """Of the certificate of these names, or of the key of all."""
        if names is None:
            return self._crypto.text(self._crypto.i2d_PUBKEY_bio, self._key)
        return self._crypto.text(self._crypto.i2d_X509_bio, self._leaf(names, kind)[1])

    def tlsa(self, names, usage=3, selector=1, kind="good"):
        """The record (USAGE SELECTOR 1) of a leaf, or of the authority that is trusted."""
        crypto, signer = self._crypto, self._authorities["ca"]
        if usage == 3:
            der = self.der(names, kind) if selector == 0 else self.der()
        elif selector == 0:
            der = crypto.text(crypto.i2d_X509_bio, signer.certificate)
        else:
            der = crypto.text(crypto.i2d_PUBKEY_bio, signer.key)
        return (usage, selector, 1, hashlib.sha256(der).digest())
