/* SPDX-License-Identifier: MIT */
/* Internationalised names; see idn.h. */
#include "idn.h"

#include <stdint.h>
#include <string.h>

#include <idn2.h>

#include "name.h"

/* The longest name in UTF-8: four bytes for each of as many characters as a name has. */
#define UTF8_MAX ((size_t)4 * STS_NAME_MAX)

/* UTS 46 as Postfix asks of ICU. Not with IDN2_USE_STD3_ASCII_RULES: libidn2 then leaves
 * out what those forbid, and a blank or a slash would make one name of another. */
#define HOW (IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL)

/* libidn2 wants NUL at the end: a NUL inside would end the name early. */
static bool
terminate(struct sts_str name, char out[UTF8_MAX + 1])
{
	if (name.n == 0 || name.n > UTF8_MAX || memchr(name.p, '\0', name.n) != NULL)
		return false;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return true;
}

enum sts_err
sts_idn_to_ascii(struct sts_str name, char out[STS_NAME_MAX + 1])
{
	char utf8[UTF8_MAX + 1];
	uint8_t *ascii = NULL;
	enum sts_err err = STS_ERR_NAME;
	size_t n;
	int rc;

	if (!terminate(name, utf8))
		return STS_ERR_NAME;
	rc = idn2_lookup_u8((const uint8_t *)utf8, &ascii, HOW);
	if (rc == IDN2_MALLOC)
		err = STS_ERR_NOMEM;
	if (rc != IDN2_OK)
		goto done;
	n = strlen((const char *)ascii);
	if (n != 0 && ascii[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		if (ascii[i] >= 'A' && ascii[i] <= 'Z')
			ascii[i] |= 0x20;
	/* Mapping may bring forth any ASCII there is. */
	if (!sts_name_is_host((struct sts_str){ (const char *)ascii, n }))
		goto done;
	memcpy(out, ascii, n);
	out[n] = '\0';
	err = STS_OK;
done:
	idn2_free(ascii);
	return err;
}

enum sts_err
sts_idn_to_unicode(struct sts_str name, char *out, size_t out_n)
{
	char ascii[UTF8_MAX + 1];
	char *utf8 = NULL;
	const char *best = ascii;
	enum sts_err err = STS_ERR_NAME;
	int rc;

	if (!terminate(name, ascii))
		return STS_ERR_NAME;
	rc = idn2_to_unicode_8z8z(ascii, &utf8, 0);
	if (rc == IDN2_MALLOC) {
		err = STS_ERR_NOMEM;
		goto done;
	}
	if (rc == IDN2_OK && strlen(utf8) < out_n)
		best = utf8;
	if (strlen(best) >= out_n)
		goto done;
	memcpy(out, best, strlen(best) + 1);
	err = STS_OK;
done:
	idn2_free(utf8);
	return err;
}

const char *
sts_idn_version(void)
{
	return idn2_check_version(NULL);
}
