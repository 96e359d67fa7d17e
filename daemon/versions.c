/* SPDX-License-Identifier: MIT */
#include "versions.h"

#include "cache.h"
#include "fetch.h"
#include "idn.h"
#include "loop.h"
#include "resolve.h"
#include "tls.h"

void
versions_print(const char *program, FILE *to)
{
	fprintf(to, "%s %s\n", program, STSD_VERSION);
	fprintf(to, "libevent %s\n", sts_loop_version());
	fprintf(to, "%s\n", sts_cache_version());
	fprintf(to, "c-ares %s\n", sts_resolve_version());
	fprintf(to, "libcurl %s\n", sts_fetch_version());
	fprintf(to, "%s\n", sts_tls_version());
	fprintf(to, "libidn2 %s\n", sts_idn_version());
}
