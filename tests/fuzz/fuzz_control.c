/* SPDX-License-Identifier: MIT */
/* A line of the control socket, from either side. What can be read as words of some kind
 * can be written again, and is the same text then. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

/* One word, by whatever kind it can be read as. */
static void
copy_word(struct sts_buf *to, struct control_words *w)
{
	struct control_words as_number = *w, as_bytes = *w;
	struct sts_str rest = w->rest, word;
	struct sts_buf bytes = { 0 };
	int64_t number = control_take_number(&as_number);

	control_take_bytes(&as_bytes, &bytes);
	(void)sts_str_cut(&rest, ' ', &word);
	if (!as_bytes.bad) {
		control_put_bytes(to, sts_buf_str(&bytes));
		*w = as_bytes;
	} else if (!as_number.bad && word.p[0] != '0' &&
	    !sts_str_starts(word, STS_STR("-0"))) {
		control_put_number(to, number);
		*w = as_number;
	} else {
		control_put_word(to, control_take_word(w));
	}
	sts_buf_done(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sts_str received = { (const char *)data, n }, line, first;
	struct sts_buf again = { 0 };
	struct control_words words;
	size_t used = 0;
	char verb[64];

	if (control_take_line(received, &line, &used) != CONTROL_WHOLE)
		return 0;
	require(used == line.n + 1 && used <= CONTROL_LINE_MAX);
	if (control_read(line, &words, &first) != CONTROL_OURS || first.n >= sizeof(verb))
		return 0;
	memcpy(verb, first.p, first.n);
	verb[first.n] = '\0';
	control_put_start(&again, verb);
	while (control_has_more(&words))
		copy_word(&again, &words);
	if (control_is_over(&words)) {
		control_put_end(&again);
		require(!again.bad && again.n == used);
		require(memcmp(again.p, received.p, used) == 0);
	}
	sts_buf_done(&again);
	return 0;
}
