/* SPDX-License-Identifier: MIT */
/* Certificates and keys as TLSA records hold them; handshakes are test_fetch.c's. */
#include "test.h"
#include "tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

int test_failed;

/* A certificate signed by itself, of an Ed25519 key for "mx". */
static const unsigned char CERTIFICATE[] = {
	0x30,
	0x81,
	0xc2,
	0x30,
	0x76,
	0x02,
	0x01,
	0x01,
	0x30,
	0x05,
	0x06,
	0x03,
	0x2b,
	0x65,
	0x70,
	0x30,
	0x0d,
	0x31,
	0x0b,
	0x30,
	0x09,
	0x06,
	0x03,
	0x55,
	0x04,
	0x03,
	0x0c,
	0x02,
	0x6d,
	0x78,
	0x30,
	0x20,
	0x17,
	0x0d,
	0x32,
	0x36,
	0x31,
	0x31,
	0x32,
	0x32,
	0x32,
	0x32,
	0x34,
	0x33,
	0x35,
	0x31,
	0x5a,
	0x18,
	0x0f,
	0x32,
	0x31,
	0x32,
	0x36,
	0x31,
	0x30,
	0x32,
	0x39,
	0x32,
	0x32,
	0x34,
	0x33,
	0x35,
	0x31,
	0x5a,
	0x30,
	0x0d,
	0x31,
	0x0b,
	0x30,
	0x09,
	0x06,
	0x03,
	0x55,
	0x04,
	0x03,
	0x0c,
	0x02,
	0x6d,
	0x78,
	0x30,
	0x2a,
	0x30,
	0x05,
	0x06,
	0x03,
	0x2b,
	0x65,
	0x70,
	0x03,
	0x21,
	0x00,
	0xe4,
	0xb9,
	0xe3,
	0x6d,
	0x58,
	0x45,
	0xbf,
	0x28,
	0xe5,
	0x62,
	0xf2,
	0x65,
	0x3c,
	0xa3,
	0x14,
	0x78,
	0x6a,
	0x98,
	0x02,
	0x90,
	0xc1,
	0x21,
	0x42,
	0xea,
	0xd2,
	0x88,
	0xf1,
	0x5e,
	0xf4,
	0xfd,
	0xa6,
	0x71,
	0x30,
	0x05,
	0x06,
	0x03,
	0x2b,
	0x65,
	0x70,
	0x03,
	0x41,
	0x00,
	0x48,
	0x13,
	0x45,
	0xfb,
	0xfc,
	0xe5,
	0x63,
	0x1c,
	0xf0,
	0xc1,
	0x23,
	0x0a,
	0x87,
	0x09,
	0xe8,
	0xbe,
	0x2b,
	0x71,
	0xcb,
	0x0b,
	0x1a,
	0x22,
	0x45,
	0xaa,
	0xec,
	0x1d,
	0x29,
	0xfd,
	0x39,
	0x00,
	0xd5,
	0xe2,
	0xbc,
	0xad,
	0x78,
	0x37,
	0x51,
	0xa5,
	0x0e,
	0xb4,
	0x49,
	0x6c,
	0x10,
	0x80,
	0x63,
	0x4f,
	0x11,
	0x07,
	0x63,
	0xde,
	0xc1,
	0x89,
	0x00,
	0xcb,
	0x26,
	0x49,
	0xfa,
	0xe5,
	0x35,
	0x9e,
	0xe3,
	0x82,
	0xd6,
	0x09,
};
/* Where its key stands in it, and where in that the name of the algorithm ends. */
#define KEY_AT 79
#define KEY_SIZE 44
#define ALGORITHM_AT 8

enum shape {
	CERT,
	KEY,
	NEITHER,
};

static const struct row {
	const char *name;
	enum shape of, is;
	size_t cut;	    /* this many bytes are missing at the end */
	const char *more;   /* what follows */
	int at;		    /* this byte is another one, unless negative */
	unsigned char byte; /* namely this */
} ROWS[] = {
	{ "a certificate", CERT, CERT, 0, "", -1, 0 },
	{ "a key", KEY, KEY, 0, "", -1, 0 },
	{ "a certificate and a byte", CERT, NEITHER, 0, "x", -1, 0 },
	{ "a key and a byte", KEY, NEITHER, 0, "x", -1, 0 },
	{ "a certificate without its last byte", CERT, NEITHER, 1, "", -1, 0 },
	{ "a key without its last byte", KEY, NEITHER, 1, "", -1, 0 },
	{ "a certificate with another signature", CERT, CERT, 1, "x", -1, 0 },
	{ "a certificate with a key of no known kind", CERT, NEITHER, 0, "",
	    KEY_AT + ALGORITHM_AT, 1 },
	{ "a key of no known kind", KEY, NEITHER, 0, "", ALGORITHM_AT, 1 },
	{ "a certificate that is no sequence", CERT, NEITHER, 0, "", 0, 0x31 },
	{ "a key that is no sequence", KEY, NEITHER, 0, "", 0, 0x31 },
	{ "nothing", CERT, NEITHER, sizeof(CERTIFICATE), "", -1, 0 },
	{ "words", CERT, NEITHER, sizeof(CERTIFICATE), "-----BEGIN CERTIFICATE-----", -1,
	    0 },
};

/* In memory of its own, so that a byte read beyond it is noticed. */
static unsigned char *
make(const struct row *row, size_t *n)
{
	size_t whole = row->of == CERT ? sizeof(CERTIFICATE) : KEY_SIZE;
	size_t kept = whole - row->cut, more = strlen(row->more);
	unsigned char *p = malloc(kept + more + 1);

	if (p == NULL)
		abort();
	memcpy(p, CERTIFICATE + (row->of == CERT ? 0 : KEY_AT), kept);
	if (row->at >= 0)
		p[row->at] = row->byte;
	memcpy(p + kept, row->more, more);
	*n = kept + more;
	return realloc(p, *n == 0 ? 1 : *n);
}

static void
check_rows(void)
{
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		size_t n;
		unsigned char *p = make(&ROWS[i], &n);
		struct sts_str der = { (const char *)p, n };

		CHECK(ROWS[i].name, sts_tls_is_certificate(der) == (ROWS[i].is == CERT));
		/* The next call of OpenSSL must not take it for its own. */
		CHECK(ROWS[i].name, ERR_peek_error() == 0);
		CHECK(ROWS[i].name, sts_tls_is_key(der) == (ROWS[i].is == KEY));
		CHECK(ROWS[i].name, ERR_peek_error() == 0);
		free(p);
	}
}

/* Whatever a stranger cuts off or flips: no crash, no byte read beyond, no error left. */
static void
check_damage(void)
{
	struct row row = { "cut", CERT, NEITHER, 0, "", -1, 0 };
	unsigned char *p;
	size_t n;

	for (row.cut = 1; row.cut <= sizeof(CERTIFICATE); row.cut++) {
		p = make(&row, &n);
		CHECK("cut", !sts_tls_is_certificate((struct sts_str){ (char *)p, n }));
		CHECK("cut", !sts_tls_is_key((struct sts_str){ (char *)p, n }));
		free(p);
	}
	row.cut = 0;
	for (row.at = 0; row.at < (int)sizeof(CERTIFICATE); row.at++) {
		row.byte = (unsigned char)~CERTIFICATE[row.at];
		p = make(&row, &n);
		(void)sts_tls_is_certificate((struct sts_str){ (char *)p, n });
		CHECK("flipped", !sts_tls_is_key((struct sts_str){ (char *)p, n }));
		free(p);
	}
	CHECK("no error is left", ERR_peek_error() == 0);
}

int
main(void)
{
	check_rows();
	check_damage();
	CHECK("no bytes at all", !sts_tls_is_certificate(STS_STR_NONE));
	CHECK("no bytes at all", !sts_tls_is_key(STS_STR_NONE));
	return test_failed;
}
