/* SPDX-License-Identifier: MIT */
/* Trust anchors and what a handshake shows; see tls.h. */
#include "tls.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "buf.h"
#include "tls_text.h"

/* The largest bundle worth reading: the system's is a quarter of a megabyte. */
#define BUNDLE_MAX ((size_t)16 * 1024 * 1024)

struct sts_tls_store {
	X509_STORE *anchors;
	size_t count;
};

/* The same descriptor may have been handed to others, who share its offset: read at
 * places of our own where the file allows that. */
static ssize_t
read_at(int fd, char *p, size_t n, size_t offset)
{
	ssize_t got = pread(fd, p, n, (off_t)offset);

	return got == -1 && errno == ESPIPE ? read(fd, p, n) : got;
}

static bool
read_bundle(int fd, struct sts_buf *to)
{
	char part[16384];
	ssize_t got;

	for (;;) {
		got = read_at(fd, part, sizeof(part), to->n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		sts_put(to, (struct sts_str){ part, (size_t)got });
		if (to->bad) {
			errno = to->full ? EFBIG : ENOMEM;
			return false;
		}
	}
	return got == 0;
}

/* Adds every certificate of the bundle. The first that cannot be read ends it: a bundle
 * that is half there would refuse good policy hosts without a word. */
static bool
add_anchors(struct sts_tls_store *s, BIO *bundle, char *why, size_t why_n)
{
	unsigned long err;
	X509 *cert;
	int added;

	while ((cert = PEM_read_bio_X509_AUX(bundle, NULL, NULL, NULL)) != NULL) {
		added = X509_STORE_add_cert(s->anchors, cert);
		X509_free(cert);
		if (added != 1) {
			(void)snprintf(why, why_n, "out of memory");
			return false;
		}
		s->count++;
	}
	err = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_LIB(err) != ERR_LIB_PEM ||
	    ERR_GET_REASON(err) != PEM_R_NO_START_LINE) {
		(void)snprintf(why, why_n, "certificate %zu cannot be read",
		    s->count + 1);
		return false;
	}
	if (s->count == 0)
		(void)snprintf(why, why_n, "there is no certificate in it");
	return s->count != 0;
}

struct sts_tls_store *
sts_tls_store_read(int fd, char *why, size_t why_n)
{
	struct sts_tls_store *s = calloc(1, sizeof(*s));
	struct sts_buf text = { .limit = BUNDLE_MAX };
	BIO *bundle = NULL;
	bool done = false;
	int error = ENOMEM;

	(void)snprintf(why, why_n, "out of memory");
	if (s == NULL || (s->anchors = X509_STORE_new()) == NULL)
		goto done;
	if (!read_bundle(fd, &text)) {
		error = errno;
		(void)snprintf(why, why_n, "%s", strerror(error));
		goto done;
	}
	bundle = BIO_new_mem_buf(text.n == 0 ? "" : text.p, (int)text.n);
	if (bundle == NULL)
		goto done;
	/* Whatever the administrator put into the file is trusted, be it a root or not;
	 * libcurl would set this on some versions and not on others. */
	if (X509_STORE_set_flags(s->anchors, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		goto done;
	done = add_anchors(s, bundle, why, why_n);
	error = 0;
done:
	BIO_free(bundle);
	sts_buf_done(&text);
	if (!done) {
		sts_tls_store_free(s);
		errno = error;
		return NULL;
	}
	*why = '\0';
	return s;
}

void
sts_tls_store_free(struct sts_tls_store *s)
{
	if (s == NULL)
		return;
	X509_STORE_free(s->anchors);
	free(s);
}

void *
sts_tls_store_anchors(struct sts_tls_store *s)
{
	return s->anchors;
}

size_t
sts_tls_store_count(const struct sts_tls_store *s)
{
	return s->count;
}

static void
print_dns_ids(const X509 *leaf, char *out, size_t out_n)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	struct sts_buf list = { .n = 0 };

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type != GEN_DNS)
			continue;
		if (list.n != 0)
			sts_put_text(&list, ", ");
		sts_put(&list,
		    (struct sts_str){
			(const char *)ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName),
		    });
	}
	sts_tls_escape(sts_buf_str(&list), out, out_n);
	sts_buf_done(&list);
	GENERAL_NAMES_free(all);
}

static void
describe_leaf(X509_STORE_CTX *x, const SSL *ssl, struct sts_tls_report *report)
{
	const X509 *leaf = X509_STORE_CTX_get0_cert(x);
	const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(x);

	if (report->not_after != 0 || leaf == NULL)
		return;
	report->not_after = sts_tls_not_after(leaf);
	report->chain = sent == NULL ? 1 : (unsigned)sk_X509_num(sent);
	(void)snprintf(report->protocol, sizeof(report->protocol), "%s",
	    SSL_get_version(ssl));
	sts_tls_issuer(leaf, report->issuer, sizeof(report->issuer));
	print_dns_ids(leaf, report->names, sizeof(report->names));
}

/* Everything put into the sentence is escaped already, or ours. */
static void
explain_host(X509_STORE_CTX *x, struct sts_tls_report *report)
{
	const char *host = X509_VERIFY_PARAM_get0_host(X509_STORE_CTX_get0_param(x), 0);
	int names = 90; /* of the names, so that the host always has room */

	if (report->names[0] == '\0')
		(void)snprintf(report->why, sizeof(report->why),
		    "the certificate has no subject alternative name (DNS), so it does "
		    "not name %.64s",
		    host);
	else
		(void)snprintf(report->why, sizeof(report->why),
		    "the certificate names %.*s, not %.64s", names, report->names, host);
}

static void
explain_time(const X509 *cert, int depth, bool expired, struct sts_tls_report *report)
{
	char whose[100] = "the certificate", subject[64], day[STS_TLS_DAY_TEXT];

	if (depth > 0) {
		sts_tls_subject(cert, subject, sizeof(subject));
		(void)snprintf(whose, sizeof(whose), "the CA certificate %s", subject);
	}
	sts_tls_day(expired ? sts_tls_not_after(cert) : sts_tls_not_before(cert), day);
	(void)snprintf(report->why, sizeof(report->why), "%s %s %s", whose,
	    expired ? "expired" : "is not valid before", day);
}

static void
explain_issuer(struct sts_tls_report *report)
{
	(void)snprintf(report->why, sizeof(report->why),
	    "no trusted CA is known for the certificate's issuer %.100s%s",
	    report->issuer,
	    report->chain == 1 ? "; no intermediate certificate was sent" : "");
}

static void
explain(X509_STORE_CTX *x, struct sts_tls_report *report)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(x);
	int depth = X509_STORE_CTX_get_error_depth(x);

	switch (report->verify) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		explain_host(x, report);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		explain_time(cert, depth, true, report);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		explain_time(cert, depth, false, report);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		(void)snprintf(report->why, sizeof(report->why),
		    "the certificate is self-signed");
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		explain_issuer(report);
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		(void)snprintf(report->why, sizeof(report->why),
		    "the certificate is not one for a web server");
		break;
	default:
		(void)snprintf(report->why, sizeof(report->why),
		    "the certificate cannot be verified: %s",
		    X509_verify_cert_error_string(report->verify));
		break;
	}
}

static int
report_index(void)
{
	static int index = -1;

	if (index == -1)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

/* Only listens: what OpenSSL found stays as it is. */
static int
on_verify(int fine, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sts_tls_report *report;

	report = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), report_index());
	describe_leaf(x, ssl, report);
	if (!fine && report->verify == X509_V_OK) {
		report->verify = X509_STORE_CTX_get_error(x);
		explain(x, report);
	}
	return fine;
}

/* Counts what comes in, below anything that HTTP could hide it in. A record's header is
 * shown before the record, its last two bytes are the record's length. */
static void
on_record(int is_ours, int version, int type, const void *bytes, size_t n, SSL *ssl,
    void *arg)
{
	struct sts_tls_report *report = arg;
	const unsigned char *header = bytes;

	(void)version;
	(void)ssl;
	if (!is_ours && type == SSL3_RT_HEADER && n == SSL3_RT_HEADER_LENGTH)
		report->received += n + (size_t)header[3] * 256 + header[4];
}

int
sts_tls_prepare(void *ssl_ctx, struct sts_tls_store *s, const char *host,
    struct sts_tls_report *report)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);
	int index = report_index();

	memset(report, 0, sizeof(*report));
	if (index == -1 || SSL_CTX_set_ex_data(ssl_ctx, index, report) != 1)
		return -1;
	SSL_CTX_set1_cert_store(ssl_ctx, s->anchors);
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_msg_callback(ssl_ctx, on_record);
	SSL_CTX_set_msg_callback_arg(ssl_ctx, report);
	/* "Matching is performed only against the DNS-ID identifiers" (RFC 8461 section
	 * 3.3); a wildcard only as the complete left-most label (RFC 9525 section 6.3). */
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_host(param, host, 0) != 1)
		return -1;
	/* RFC 8461 section 7.2: TLS 1.2 or later. */
	return SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) == 1 ? 0 : -1;
}

/* Postfix reads what a TLSA record holds in the same way (tls_dane.c): what it drops is
 * of no use, however little is wrong with it. */
bool
sts_tls_is_certificate(struct sts_str der)
{
	const unsigned char *start = (const unsigned char *)der.p, *p = start;
	X509 *cert;
	bool is;

	if (der.n == 0 || der.n > LONG_MAX)
		return false;
	cert = d2i_X509(NULL, &p, (long)der.n);
	is = cert != NULL && p == start + der.n && X509_get0_pubkey(cert) != NULL;
	X509_free(cert);
	ERR_clear_error();
	return is;
}

bool
sts_tls_is_key(struct sts_str der)
{
	const unsigned char *start = (const unsigned char *)der.p, *p = start;
	EVP_PKEY *key;
	bool is;

	if (der.n == 0 || der.n > LONG_MAX)
		return false;
	key = d2i_PUBKEY(NULL, &p, (long)der.n);
	is = key != NULL && p == start + der.n;
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is;
}

const char *
sts_tls_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
