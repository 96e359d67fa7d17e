/* SPDX-License-Identifier: MIT */
/* What the running daemon counts, and what overrides it goes by. */
#include "query_asking.h"
#include "query_exit.h"
#include "query_judge.h"
#include "query_keep.h"
#include "query_writer.h"

/*
 * --stats.
 */
static const char *const stats_names[] = { "uptime", "policies_enforce",
	"policies_testing", "policies_none", "refresh_failing", "without_policy",
	"unsaved", "cache_bytes", "cache_limit", "lookups", "fetches",
	"fetches_waiting" };

#define STATS (sizeof(stats_names) / sizeof(stats_names[0]))

/* "stsd_lookups_total{map="QUERY",...} 12": the name is what stands before the last
 * blank. */
static void
write_metrics(struct query_writer *w, struct sts_str text)
{
	struct sts_str line, name;
	struct sts_buf key = { 0 };

	query_open(w, "metrics", '{');
	while (text.n > 0) {
		(void)sts_str_cut(&text, '\n', &line);
		name = line;
		while (name.n > 0 && name.p[name.n - 1] != ' ')
			name.n--;
		if (name.n == 0)
			continue;
		sts_buf_clear(&key);
		sts_put_json(&key, sts_str_head(name, name.n - 1));
		sts_put_char(&key, '\0');
		if (key.bad)
			query_no_memory();
		query_string(w, key.p, sts_str_from(line, name.n));
	}
	query_close(w, '}');
	sts_buf_done(&key);
}

static void
put_stats_json(struct query_asking *a, const int64_t *numbers, struct sts_str health,
    struct sts_str metrics)
{
	struct query_writer w = { &a->out, false };

	query_open(&w, NULL, '{');
	query_text(&w, "schema", "stsd-stats/1");
	query_text(&w, "version", query_control_version(a->control));
	query_time(&w, "time", query_control_now(a->control));
	query_string(&w, "health", health);
	for (size_t i = 0; i < STATS; i++)
		query_number(&w, stats_names[i], numbers[i]);
	write_metrics(&w, metrics);
	query_close(&w, '}');
	sts_put_char(&a->out, '\n');
}

static void
put_stats(struct query_asking *a, const int64_t *numbers, struct sts_str health,
    struct sts_str metrics)
{
	sts_put_text(&a->out, "version ");
	sts_put_escaped(&a->out, sts_str_of(query_control_version(a->control)));
	sts_put_text(&a->out, "\ntime ");
	query_put_time(&a->out, query_control_now(a->control));
	sts_put_text(&a->out, "\nhealth ");
	sts_put_escaped(&a->out, health);
	sts_put_char(&a->out, '\n');
	for (size_t i = 0; i < STATS; i++) {
		sts_put_text(&a->out, stats_names[i]);
		sts_put_char(&a->out, ' ');
		sts_put_number(&a->out, (uint64_t)numbers[i]);
		sts_put_char(&a->out, '\n');
	}
	if (!a->look->quiet)
		sts_put(&a->out, metrics); /* a line each, ours */
}

void
query_stats(struct query_asking *a)
{
	struct sts_buf request = { 0 }, health = { 0 }, metrics = { 0 };
	struct control_words words;
	int64_t numbers[STATS];

	control_put_start(&request, "stats");
	if (!asking_ask(a, &request, QUERY_LIST_WAIT_MS, &words))
		goto done;
	for (size_t i = 0; i < STATS; i++)
		numbers[i] = control_take_number(&words);
	control_take_bytes(&words, &health);
	control_take_bytes(&words, &metrics);
	if (!control_is_over(&words))
		(void)asking_fail_words(a);
	else if (a->o->json)
		put_stats_json(a, numbers, sts_buf_str(&health), sts_buf_str(&metrics));
	else
		put_stats(a, numbers, sts_buf_str(&health), sts_buf_str(&metrics));
done:
	sts_buf_done(&request);
	sts_buf_done(&health);
	sts_buf_done(&metrics);
}

/*
 * --overrides: the file as it is in force, which need not be the one on the disk.
 */
void
query_overrides(struct query_asking *a)
{
	struct sts_buf request = { 0 };
	int64_t offset = 0, total;
	bool good;

	do {
		struct control_words words;
		size_t before = a->out.n;

		control_put_start(&request, "overrides");
		control_put_number(&request, offset);
		good = asking_ask(a, &request, QUERY_LIST_WAIT_MS, &words);
		if (!good)
			break;
		total = control_take_number(&words);
		control_take_bytes(&words, &a->out);
		if (!control_is_over(&words))
			good = asking_fail_words(a);
		offset += (int64_t)(a->out.n - before);
		/* It is an administrator's own text: as it is. */
		good = good && asking_flush(a) && (a->out.n == 0 || a->out.n > before);
	} while (good && offset < total);
	sts_buf_done(&request);
	if (a->status == QUERY_EXIT_NO_POLICY) {
		(void)asking_say("overrides", "there are none");
		a->status = 0;
	}
}
