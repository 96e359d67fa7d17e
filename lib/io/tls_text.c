/* SPDX-License-Identifier: MIT */
#include "tls_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/x509.h>

#include "buf.h"

void
sts_tls_escape(struct sts_str from, char *out, size_t out_n)
{
	struct sts_buf b = { .n = 0 };
	size_t n;

	sts_put_escaped(&b, from);
	n = b.bad ? 0 : b.n;
	if (n >= out_n)
		n = out_n - 1;
	if (n != 0)
		memcpy(out, b.p, n);
	out[n] = '\0';
	sts_buf_done(&b);
}

static void
print_name(const X509_NAME *name, char *out, size_t out_n)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	if (text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(text, &p);
	sts_tls_escape((struct sts_str){ p, n > 0 ? (size_t)n : 0 }, out, out_n);
	BIO_free(text);
}

void
sts_tls_subject(const void *cert, char *out, size_t out_n)
{
	print_name(X509_get_subject_name(cert), out, out_n);
}

void
sts_tls_issuer(const void *cert, char *out, size_t out_n)
{
	print_name(X509_get_issuer_name(cert), out, out_n);
}

static int64_t
seconds_of(const ASN1_TIME *at)
{
	struct tm tm;

	if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

int64_t
sts_tls_not_before(const void *cert)
{
	return seconds_of(X509_get0_notBefore(cert));
}

int64_t
sts_tls_not_after(const void *cert)
{
	return seconds_of(X509_get0_notAfter(cert));
}

void
sts_tls_day(int64_t seconds, char out[STS_TLS_DAY_TEXT])
{
	time_t at = (time_t)seconds;
	struct tm tm;

	if (seconds == 0 || gmtime_r(&at, &tm) == NULL ||
	    strftime(out, STS_TLS_DAY_TEXT, "%Y-%m-%d", &tm) == 0)
		(void)snprintf(out, STS_TLS_DAY_TEXT, "?");
}
