/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <stdio.h>

enum trust
trust_of(const struct sts_trust *selftest, const struct config *c)
{
	if (selftest->err != STS_OK)
		return TRUST_SILENT;
	if (!selftest->ad)
		return TRUST_INSECURE;
	return config_believes_ad(c) ? TRUST_GOOD : TRUST_DISTRUSTED;
}

/* A sentence about a server: what it does, then what follows from that. */
struct sentence {
	const char *what;
	const char *follows; /* where DANE is wanted */
	enum log_level level;
};

static struct sentence
sentence_for(enum trust trust, const struct config *c)
{
	switch (trust) {
	case TRUST_GOOD:
		return (struct sentence){ "validates", "DANE has precedence",
			LOG_LEVEL_INFO };
	case TRUST_DISTRUSTED:
		if (c->dnssec == CONFIG_OFF)
			return (struct sentence){ "validates, but is not believed",
				"DANE precedence is off (dnssec = off)", LOG_LEVEL_INFO };
		return (struct sentence){
			"sets AD but is not on loopback, where nobody can forge it",
			"DANE precedence is off; use a validating resolver on this host, or "
			"dnssec = trust where the way to this one is safe",
			LOG_LEVEL_WARNING
		};
	case TRUST_INSECURE:
		return (struct sentence){ "does not validate (no AD for '. SOA')",
			"DANE precedence is off; use a validating resolver",
			LOG_LEVEL_WARNING };
	case TRUST_SILENT:
		return (struct sentence){ "did not answer '. SOA'",
			"mail to domains with an enforced policy waits unless DANE was "
			"looked for lately",
			LOG_LEVEL_WARNING };
	case TRUST_UNKNOWN:
		break;
	}
	return (struct sentence){ "was not tested", "", LOG_LEVEL_DEBUG };
}

/* Who is to blame, or all of them. */
static const char *
servers_of(enum trust trust, const struct sts_trust *selftest, const struct config *c)
{
	bool blames = trust == TRUST_INSECURE || trust == TRUST_SILENT;

	if (blames && selftest->server[0] != '\0')
		return selftest->server;
	return c->dns_servers != NULL ? c->dns_servers : "127.0.0.1";
}

enum log_level
trust_explain(const struct sts_trust *selftest, const struct config *c, char *text,
    size_t text_n)
{
	enum trust trust = trust_of(selftest, c);
	struct sentence s = sentence_for(trust, c);
	bool wanted = c->dane != CONFIG_OFF;
	char why[64] = "";

	if (trust == TRUST_SILENT)
		(void)snprintf(why, sizeof(why), " (%s)", sts_err_rcode(selftest->err));
	(void)snprintf(text, text_n, "the resolver %s %s%s: %s",
	    servers_of(trust, selftest, c), s.what, why,
	    wanted ? s.follows : "DANE is off anyway (dane)");
	return wanted ? s.level : LOG_LEVEL_INFO;
}
