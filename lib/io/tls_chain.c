/* SPDX-License-Identifier: MIT */
/* Certificates that a mail server sent; see tls_chain.h. */
#include "tls_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls_text.h"

/* As Postfix sets it for peers that must be authenticated: 80 bits and better. */
#define AUTH_LEVEL 1
/* smtp_tls_scert_verifydepth, which counts the CAs, and the certificate itself. */
#define DEPTH_MAX 10
/* A TLSA record begins with three numbers. */
#define NUMBERS_SIZE 3

struct sts_tls_chain {
	STACK_OF(X509) * certs; /* at least one */
	GENERAL_NAMES *names;	/* NULL: there are none */
	struct sts_str *dns;	/* those of type DNS: a stranger may send thousands */
	size_t dns_count;
	unsigned char *common; /* of OpenSSL's memory; NULL: none */
	size_t common_n;
};

static X509 *
leaf_of(const struct sts_tls_chain *c)
{
	return sk_X509_value(c->certs, 0);
}

static void
read_common_name(struct sts_tls_chain *c)
{
	const X509_NAME *subject = X509_get_subject_name(leaf_of(c));
	int at = -1, next, n;

	while ((next = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		at = next;
	if (at < 0)
		return;
	n = ASN1_STRING_to_UTF8(&c->common,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n < 0)
		c->common = NULL;
	c->common_n = n < 0 ? 0 : (size_t)n;
}

static bool
read_dns_names(struct sts_tls_chain *c)
{
	int count = sk_GENERAL_NAME_num(c->names);

	if (count <= 0)
		return true;
	c->dns = calloc((size_t)count, sizeof(*c->dns));
	if (c->dns == NULL)
		return false;
	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(c->names, i);

		if (name->type == GEN_DNS)
			c->dns[c->dns_count++] =
			    (struct sts_str){ (const char *)ASN1_STRING_get0_data(
						  name->d.dNSName),
				    (size_t)ASN1_STRING_length(name->d.dNSName) };
	}
	return true;
}

struct sts_tls_chain *
sts_tls_chain_of(const void *ssl)
{
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
	struct sts_tls_chain *c;

	if (sent == NULL || sk_X509_num(sent) == 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->certs = X509_chain_up_ref(sent)) == NULL) {
		free(c);
		return NULL;
	}
	c->names = X509_get_ext_d2i(leaf_of(c), NID_subject_alt_name, NULL, NULL);
	read_common_name(c);
	ERR_clear_error();
	if (read_dns_names(c))
		return c;
	sts_tls_chain_free(c);
	return NULL;
}

void
sts_tls_chain_free(struct sts_tls_chain *c)
{
	if (c == NULL)
		return;
	sk_X509_pop_free(c->certs, X509_free);
	GENERAL_NAMES_free(c->names);
	OPENSSL_free(c->common);
	free(c->dns);
	free(c);
}

size_t
sts_tls_chain_count(const struct sts_tls_chain *c)
{
	return (size_t)sk_X509_num(c->certs);
}

static bool
digest(const unsigned char *der, size_t n, struct sts_tls_digest *out)
{
	return EVP_Digest(der, n, out->sha256, NULL, EVP_sha256(), NULL) == 1 &&
	    EVP_Digest(der, n, out->sha512, NULL, EVP_sha512(), NULL) == 1;
}

/* Of the DER that an i2d function made, or of none. */
static bool
digest_made(unsigned char *der, int n, struct sts_tls_digest *out)
{
	bool done = n > 0 && digest(der, (size_t)n, out);

	OPENSSL_free(der);
	return done;
}

bool
sts_tls_chain_cert(const struct sts_tls_chain *c, size_t i, struct sts_tls_cert *cert)
{
	const X509 *x = sk_X509_value(c->certs, (int)i);
	unsigned char *whole = NULL, *key = NULL;
	struct sts_tls_cert out = { .not_before = sts_tls_not_before(x),
		.not_after = sts_tls_not_after(x) };
	int n;

	n = i2d_X509(x, &whole);
	if (!digest_made(whole, n, &out.whole))
		return false;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);
	if (!digest_made(key, n, &out.key))
		return false;
	out.self_issued =
	    X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
	sts_tls_subject(x, out.subject, sizeof(out.subject));
	sts_tls_issuer(x, out.issuer, sizeof(out.issuer));
	*cert = out;
	return true;
}

bool
sts_tls_chain_has_dns_names(const struct sts_tls_chain *c)
{
	return c->dns_count > 0;
}

bool
sts_tls_chain_name(const struct sts_tls_chain *c, size_t i, struct sts_str *name)
{
	if (i < c->dns_count) {
		*name = c->dns[i];
		return true;
	}
	if (i > 0 || c->common == NULL)
		return false;
	*name = (struct sts_str){ (const char *)c->common, c->common_n };
	return true;
}

/* A leading dot means to OpenSSL what it means to Postfix; a NUL fits nothing. */
bool
sts_tls_chain_fits(const struct sts_tls_chain *c, struct sts_str name)
{
	return name.n > 0 &&
	    X509_check_host(leaf_of(c), name.p, name.n,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

/*
 * PKIX.
 */

/* What is wrong, as near to the server's certificate as possible: what is amiss further
 * up does not matter before that is mended. */
struct fault {
	int error, depth;
	const X509 *cert; /* not owned */
};

static int
on_verify(int fine, X509_STORE_CTX *x)
{
	struct fault *fault = X509_STORE_CTX_get_app_data(x);
	int depth = X509_STORE_CTX_get_error_depth(x);

	if (fine || (fault->error != X509_V_OK && fault->depth <= depth))
		return 1;
	fault->error = X509_STORE_CTX_get_error(x);
	fault->depth = depth;
	fault->cert = X509_STORE_CTX_get_current_cert(x);
	return 1;
}

static enum sts_tls_pkix
classify(const struct fault *fault)
{
	switch (fault->error) {
	case X509_V_OK:
		return STS_TLS_PKIX_OK;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return STS_TLS_PKIX_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return STS_TLS_PKIX_EARLY;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return STS_TLS_PKIX_SELF_SIGNED;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return STS_TLS_PKIX_UNTRUSTED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return fault->depth == 0 ? STS_TLS_PKIX_INCOMPLETE
					 : STS_TLS_PKIX_UNTRUSTED;
	case X509_V_ERR_INVALID_PURPOSE:
		return STS_TLS_PKIX_PURPOSE;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return STS_TLS_PKIX_WEAK;
	default: /* of OpenSSL's numbers, not of an enum of ours */
		return STS_TLS_PKIX_OTHER;
	}
}

static void
explain_dates(const struct fault *fault, bool expired, char *why, size_t why_n)
{
	char whose[40 + STS_TLS_NAME_TEXT] = "the certificate", day[STS_TLS_DAY_TEXT];
	char subject[STS_TLS_NAME_TEXT];

	if (fault->depth > 0) {
		sts_tls_subject(fault->cert, subject, sizeof(subject));
		(void)snprintf(whose, sizeof(whose), "the CA certificate %s", subject);
	}
	sts_tls_day(expired ? sts_tls_not_after(fault->cert)
			    : sts_tls_not_before(fault->cert),
	    day);
	(void)snprintf(why, why_n, "%s %s %s", whose,
	    expired ? "expired" : "is not valid before", day);
}

static void
explain(const struct fault *fault, char *why, size_t why_n)
{
	char issuer[STS_TLS_NAME_TEXT] = "?";

	if (fault->cert != NULL)
		sts_tls_issuer(fault->cert, issuer, sizeof(issuer));
	switch (classify(fault)) {
	case STS_TLS_PKIX_OK:
		*why = '\0';
		break;
	case STS_TLS_PKIX_EXPIRED:
	case STS_TLS_PKIX_EARLY:
		explain_dates(fault, classify(fault) == STS_TLS_PKIX_EXPIRED, why, why_n);
		break;
	case STS_TLS_PKIX_SELF_SIGNED:
		(void)snprintf(why, why_n, "the certificate is self-signed");
		break;
	case STS_TLS_PKIX_UNTRUSTED:
		(void)snprintf(why, why_n, "the CA %s is not trusted", issuer);
		break;
	case STS_TLS_PKIX_INCOMPLETE:
		(void)snprintf(why, why_n,
		    "the server does not send the certificate of the issuer %s, which is "
		    "no trusted CA",
		    issuer);
		break;
	case STS_TLS_PKIX_PURPOSE:
		(void)snprintf(why, why_n, "the certificate is not one for a server");
		break;
	case STS_TLS_PKIX_WEAK:
	case STS_TLS_PKIX_OTHER:
		(void)snprintf(why, why_n, "the certificate cannot be verified: %s",
		    X509_verify_cert_error_string(fault->error));
		break;
	}
}

/* A verification of the server's certificate with what else it sent. NULL: no memory. */
static X509_STORE_CTX *
verification(const struct sts_tls_chain *c, X509_STORE *store)
{
	X509_STORE_CTX *x = X509_STORE_CTX_new();

	if (x == NULL || X509_STORE_CTX_init(x, store, leaf_of(c), c->certs) != 1 ||
	    X509_STORE_CTX_set_default(x, "ssl_server") != 1) {
		X509_STORE_CTX_free(x);
		return NULL;
	}
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(x), AUTH_LEVEL);
	X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(x), DEPTH_MAX);
	return x;
}

enum sts_tls_pkix
sts_tls_chain_pkix(const struct sts_tls_chain *c, struct sts_tls_store *store, char *why,
    size_t why_n)
{
	struct fault fault = { X509_V_OK, 0, NULL };
	X509_STORE_CTX *x = verification(c, sts_tls_store_anchors(store));

	if (x == NULL) {
		(void)snprintf(why, why_n, "out of memory");
		return STS_TLS_PKIX_OTHER;
	}
	X509_STORE_CTX_set_app_data(x, &fault);
	X509_STORE_CTX_set_verify_cb(x, on_verify);
	if (X509_verify_cert(x) != 1 && fault.error == X509_V_OK)
		fault.error = X509_V_ERR_UNSPECIFIED;
	explain(&fault, why, why_n);
	X509_STORE_CTX_free(x);
	ERR_clear_error();
	return classify(&fault);
}

/*
 * DANE. OpenSSL keeps TLSA records in a connection; this one is never made.
 */
static SSL *
with_records(const struct sts_str *records, size_t count, size_t *usable)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;

	*usable = 0;
	if (context == NULL || SSL_CTX_dane_enable(context) != 1 ||
	    (ssl = SSL_new(context)) == NULL || SSL_dane_enable(ssl, NULL) != 1) {
		SSL_free(ssl);
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_free(context);
	/* RFC 7672 section 3.1.1: with DANE-EE(3) names are not checked. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < count; i++) {
		const unsigned char *p = (const unsigned char *)records[i].p;

		/* RFC 7672 section 3.1.3: the PKIX usages are of no use to SMTP. */
		if (records[i].n <= NUMBERS_SIZE || p[0] < 2 || p[0] > 3)
			continue;
		if (SSL_dane_tlsa_add(ssl, p[0], p[1], p[2], p + NUMBERS_SIZE,
			records[i].n - NUMBERS_SIZE) == 1)
			++*usable;
	}
	return ssl;
}

static enum sts_tls_dane
classify_dane(int error)
{
	switch (error) {
	case X509_V_OK:
		return STS_TLS_DANE_MATCH;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return STS_TLS_DANE_NO_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_INVALID_PURPOSE:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		return STS_TLS_DANE_INVALID;
	default: /* of OpenSSL's numbers: the path leads to no record */
		return STS_TLS_DANE_NO_MATCH;
	}
}

static void
explain_dane(enum sts_tls_dane dane, const struct fault *fault, char *why, size_t why_n)
{
	enum sts_tls_pkix pkix = classify(fault);

	switch (dane) {
	case STS_TLS_DANE_MATCH:
		*why = '\0';
		break;
	case STS_TLS_DANE_UNUSABLE:
		(void)snprintf(why, why_n, "no TLSA record is usable");
		break;
	case STS_TLS_DANE_NO_MATCH:
		(void)snprintf(why, why_n, "no TLSA record matches the certificates");
		break;
	case STS_TLS_DANE_NO_NAME:
		(void)snprintf(why, why_n,
		    "a DANE-TA(2) record matches, but the certificate is for other names");
		break;
	case STS_TLS_DANE_INVALID:
		if (pkix == STS_TLS_PKIX_EXPIRED || pkix == STS_TLS_PKIX_EARLY)
			explain_dates(fault, pkix == STS_TLS_PKIX_EXPIRED, why, why_n);
		else
			(void)snprintf(why, why_n,
			    "the chain to what a DANE-TA(2) record names is not valid: %s",
			    X509_verify_cert_error_string(fault->error));
		break;
	}
}

static bool
add_names(X509_STORE_CTX *x, const struct sts_str *names, size_t count)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(x);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < count; i++)
		if (names[i].n > 0 &&
		    X509_VERIFY_PARAM_add1_host(param, names[i].p, names[i].n) != 1)
			return false;
	return true;
}

/* ssl: with_records. X509_V_OK: and match is set. */
static struct fault
verify_dane(const struct sts_tls_chain *c, SSL *ssl, const struct sts_str *names,
    size_t name_count, struct sts_tls_dane_match *match)
{
	struct fault fault = { X509_V_ERR_OUT_OF_MEM, 0, NULL };
	X509_STORE *none = X509_STORE_new();
	X509_STORE_CTX *x = none == NULL ? NULL : verification(c, none);

	if (x == NULL || !add_names(x, names, name_count))
		goto done;
	X509_STORE_CTX_set0_dane(x, SSL_get0_dane(ssl));
	if (X509_verify_cert(x) == 1) {
		fault.error = X509_V_OK;
		match->depth = SSL_get0_dane_tlsa(ssl, &match->usage, &match->selector,
		    &match->matching, NULL, NULL);
		goto done;
	}
	fault.error = X509_STORE_CTX_get_error(x);
	fault.depth = X509_STORE_CTX_get_error_depth(x);
	/* One of the chain's or of a record's, which outlive the verification. */
	fault.cert = X509_STORE_CTX_get_current_cert(x);
done:
	X509_STORE_CTX_free(x);
	X509_STORE_free(none);
	return fault;
}

enum sts_tls_dane
sts_tls_chain_dane(const struct sts_tls_chain *c, const struct sts_str *records,
    size_t count, const struct sts_str *names, size_t name_count,
    struct sts_tls_dane_match *match, char *why, size_t why_n)
{
	struct sts_tls_dane_match found = { -1, 0, 0, 0 };
	struct fault fault = { X509_V_OK, 0, NULL };
	enum sts_tls_dane dane = STS_TLS_DANE_UNUSABLE;
	size_t usable;
	SSL *ssl = with_records(records, count, &usable);

	if (ssl == NULL) {
		(void)snprintf(why, why_n, "out of memory");
		return STS_TLS_DANE_NO_MATCH;
	}
	if (usable > 0) {
		fault = verify_dane(c, ssl, names, name_count, &found);
		dane = classify_dane(fault.error);
	}
	explain_dane(dane, &fault, why, why_n);
	if (dane == STS_TLS_DANE_MATCH)
		*match = found;
	SSL_free(ssl);
	ERR_clear_error();
	return dane;
}
