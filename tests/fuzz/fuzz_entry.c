/* SPDX-License-Identifier: MIT */
/*
 * Any bytes: an entry that is read writes the same bytes again, and points into them.
 * The checksum is mended first, so that the reader sees what lies behind it. What the
 * first version wrote has no count of findings: one byte less. It and the second wrote
 * the same id twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"

#define AT_RECORD_ID_LENGTH 72 /* behind the prefix */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct sts_str s, const char *from, size_t n)
{
	if (s.n > 0 && (s.p < from || s.p + s.n > from + n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_entry e;
	struct sts_buf again = { 0 };
	size_t twice;
	uint32_t crc;
	char *bytes;

	if (size < 8 || (bytes = malloc(size)) == NULL)
		return 0;
	memcpy(bytes, data, size);
	memcpy(bytes, "STE", 3);
	bytes[3] = (char)(bytes[3] == 1 || bytes[3] == 2 ? bytes[3] : 4);
	crc = sts_crc32c((struct sts_str){ bytes + 8, size - 8 });
	for (size_t i = 0; i < 4; i++)
		bytes[4 + i] = (char)(crc >> (8 * i));
	if (sts_entry_read((struct sts_str){ bytes, size }, &e) == STS_OK) {
		check_inside(e.policy, bytes, size);
		check_inside(e.id, bytes, size);
		for (size_t i = 0; i < e.mx_count; i++)
			check_inside(e.mx[i].host, bytes, size);
		for (size_t i = 0; i < e.dane_count; i++)
			check_inside(e.dane[i].host, bytes, size);
		sts_entry_write(&e, &again);
		twice = bytes[8 + AT_RECORD_ID_LENGTH] != '\xff' &&
			sts_str_eq(e.id, e.record_id)
		    ? e.id.n
		    : 0;
		/* Numbers of errors that we do not know are read as "internal". */
		if (!again.bad && again.n + twice != size + (bytes[3] == 1))
			abort();
	}
	sts_buf_done(&again);
	free(bytes);
	return 0;
}
