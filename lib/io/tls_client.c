/* SPDX-License-Identifier: MIT */
/* The client's side of a TLS connection, over memory; see tls_client.h. */
#include "tls_client.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bounds.h"

struct sts_tls_client {
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	char why[160];
};

/* The weakest that OpenSSL can do, so that an outdated server is recognised. */
static SSL_CTX *
lenient_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		return NULL;
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(context,
	    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	if (SSL_CTX_set_min_proto_version(context, TLS1_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(context, 0) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static bool
connect_memory(struct sts_tls_client *c)
{
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (c->in == NULL || c->out == NULL) {
		BIO_free(c->in);
		BIO_free(c->out);
		return false;
	}
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	return true;
}

struct sts_tls_client *
sts_tls_client_new(struct sts_str server_name)
{
	struct sts_tls_client *c = calloc(1, sizeof(*c));
	SSL_CTX *context = c == NULL ? NULL : lenient_context();
	char name[STS_NAME_MAX + 1];

	if (context == NULL || (c->ssl = SSL_new(context)) == NULL || !connect_memory(c))
		goto failed;
	if (server_name.n > 0 && server_name.n < sizeof(name)) {
		memcpy(name, server_name.p, server_name.n);
		name[server_name.n] = '\0';
		if (SSL_set_tlsext_host_name(c->ssl, name) != 1)
			goto failed;
	}
	SSL_CTX_free(context);
	return c;
failed:
	SSL_CTX_free(context);
	sts_tls_client_free(c);
	return NULL;
}

void
sts_tls_client_free(struct sts_tls_client *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	free(c);
}

bool
sts_tls_client_put(struct sts_tls_client *c, struct sts_str bytes)
{
	return bytes.n == 0 ||
	    (bytes.n <= INT_MAX &&
		BIO_write(c->in, bytes.p, (int)bytes.n) == (int)bytes.n);
}

size_t
sts_tls_client_take(struct sts_tls_client *c, char *to, size_t n)
{
	int got = BIO_read(c->out, to, n > INT_MAX ? INT_MAX : (int)n);

	return got > 0 ? (size_t)got : 0;
}

static void
explain(struct sts_tls_client *c)
{
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);
	const char *text = ERR_reason_error_string(error);

	if (ERR_GET_LIB(error) != ERR_LIB_SSL || text == NULL)
		(void)snprintf(c->why, sizeof(c->why), "%s",
		    text == NULL ? "the handshake was broken off" : text);
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		(void)snprintf(c->why, sizeof(c->why), "the server does not speak TLS");
	else if (reason == SSL_R_UNSUPPORTED_PROTOCOL)
		(void)snprintf(c->why, sizeof(c->why),
		    "the server speaks a version of TLS that nobody uses any more");
	else if (reason > SSL_AD_REASON_OFFSET)
		(void)snprintf(c->why, sizeof(c->why),
		    "the server refuses the handshake: %s",
		    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	else
		(void)snprintf(c->why, sizeof(c->why), "%s", text);
}

/* What a call of OpenSSL's that did not succeed means. */
static enum sts_tls_step
step_of(struct sts_tls_client *c, int result)
{
	int error = SSL_get_error(c->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return STS_TLS_MORE;
	if (error == SSL_ERROR_ZERO_RETURN)
		(void)snprintf(c->why, sizeof(c->why), "the server said goodbye");
	else
		explain(c);
	ERR_clear_error();
	return STS_TLS_FAILED;
}

enum sts_tls_step
sts_tls_client_shake(struct sts_tls_client *c)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(c->ssl);
	return result == 1 ? STS_TLS_DONE : step_of(c, result);
}

enum sts_tls_step
sts_tls_client_read(struct sts_tls_client *c, char *to, size_t room, size_t *n)
{
	int result;

	ERR_clear_error();
	*n = 0;
	result = SSL_read(c->ssl, to, room > INT_MAX ? INT_MAX : (int)room);
	if (result <= 0)
		return step_of(c, result);
	*n = (size_t)result;
	return STS_TLS_DONE;
}

bool
sts_tls_client_write(struct sts_tls_client *c, struct sts_str bytes)
{
	ERR_clear_error();
	return bytes.n <= INT_MAX &&
	    SSL_write(c->ssl, bytes.p, (int)bytes.n) == (int)bytes.n;
}

void
sts_tls_client_goodbye(struct sts_tls_client *c)
{
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

void
sts_tls_client_session(const struct sts_tls_client *c, struct sts_tls_session *s)
{
	const char *cipher = SSL_get_cipher_name(c->ssl), *group = NULL;
	int id = (int)SSL_get_negotiated_group(c->ssl);

	if (id != NID_undef)
		group = SSL_group_to_name(c->ssl, id);
	*s = (struct sts_tls_session){ .outdated = SSL_version(c->ssl) < TLS1_2_VERSION };
	(void)snprintf(s->protocol, sizeof(s->protocol), "%s", SSL_get_version(c->ssl));
	(void)snprintf(s->cipher, sizeof(s->cipher), "%s", cipher == NULL ? "" : cipher);
	(void)snprintf(s->group, sizeof(s->group), "%s", group == NULL ? "" : group);
	ERR_clear_error();
}

struct sts_tls_chain *
sts_tls_client_chain(const struct sts_tls_client *c)
{
	return sts_tls_chain_of(c->ssl);
}

const char *
sts_tls_client_why(const struct sts_tls_client *c)
{
	return c->why;
}
