/* SPDX-License-Identifier: MIT */
/*
 * How a reply is read:
 *
 *   1. The header and the question: a reply to something else is no reply.
 *   2. Every record of every section is walked once, so that a count that lies is
 *      found before anything is believed. On the way: the SOA of the authority
 *      section, the extended rcode and error of the OPT record.
 *   3. The CNAME chain is followed through the answer section, in whatever order
 *      its records stand.
 *   4. The records at its end are taken, and their rdata is held against its type.
 *
 * Names are decoded into text whose labels are separated by dots. A label may hold
 * any byte on the wire (RFC 2181 section 11), even a dot or a NUL; a name with one
 * that is not printable, or a dot, is marked odd: it equals nothing.
 */
#include "dns.h"

#include <string.h>

#define HEADER_N 12
#define CLASS_IN 1
#define TYPE_OPT 41
#define EDE_OPTION 15 /* RFC 8914 section 2 */

#define FLAG_QR 0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_AD 0x0020
#define FLAG_RCODE 0x000f

/* RFC 1035 section 4.1.1, RFC 6895 section 2.3. */
enum rcode {
	RCODE_NOERROR = 0,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_REFUSED = 5,
};

#define CHAIN_MAX 16
/* Each step of the chain walks the answer section: no honest one is longer. */
#define ANSWERS_MAX (2 * STS_DNS_RR_MAX)

const char *
sts_dns_type_text(enum sts_dns_type type)
{
	switch (type) {
	case STS_DNS_A:
		return "A";
	case STS_DNS_CNAME:
		return "CNAME";
	case STS_DNS_SOA:
		return "SOA";
	case STS_DNS_MX:
		return "MX";
	case STS_DNS_TXT:
		return "TXT";
	case STS_DNS_AAAA:
		return "AAAA";
	case STS_DNS_TLSA:
		return "TLSA";
	}
	return "?";
}

/* Printable, no blank, and not what separates labels in a text. */
static bool
is_label_byte(char c)
{
	return c > ' ' && c < 0x7f && c != '.';
}

/* --- questions --- */

struct writer {
	uint8_t *p;
	size_t n;
};

static void
put_u16(struct writer *w, unsigned v)
{
	w->p[w->n++] = (uint8_t)(v >> 8);
	w->p[w->n++] = (uint8_t)(v & 0xff);
}

static bool
put_label(struct writer *w, struct sts_str label)
{
	if (label.n == 0 || label.n > STS_LABEL_MAX)
		return false;
	w->p[w->n++] = (uint8_t)label.n;
	for (size_t i = 0; i < label.n; i++) {
		if (!is_label_byte(label.p[i]))
			return false;
		w->p[w->n++] = (uint8_t)sts_lower(label.p[i]);
	}
	return true;
}

/* The root is "." in a text, and empty here. */
static struct sts_str
without_dot(struct sts_str name)
{
	return sts_str_ends(name, STS_STR(".")) ? sts_str_head(name, name.n - 1) : name;
}

static bool
put_name(struct writer *w, struct sts_str name)
{
	struct sts_str label;
	bool more = name.n > 1 || !sts_str_eq(name, STS_STR("."));

	name = without_dot(name);
	if (name.n > STS_NAME_MAX)
		return false;
	while (more) {
		more = sts_str_cut(&name, '.', &label);
		if (!put_label(w, label))
			return false;
	}
	w->p[w->n++] = 0;
	return true;
}

size_t
sts_dns_question(struct sts_str name, enum sts_dns_type type, uint16_t id,
    uint8_t query[STS_DNS_QUERY_MAX])
{
	struct writer w = { .n = 0 };

	w.p = query;
	put_u16(&w, id);
	put_u16(&w, FLAG_RD | FLAG_AD);
	put_u16(&w, 1); /* question */
	put_u16(&w, 0);
	put_u16(&w, 0);
	put_u16(&w, 1); /* additional: OPT */

	if (!put_name(&w, name))
		return 0;
	put_u16(&w, type);
	put_u16(&w, CLASS_IN);

	/* RFC 6891 section 6.1.2, without any option: a resolver library may cut the
	 * last eleven bytes to ask again without it. */
	w.p[w.n++] = 0;
	put_u16(&w, TYPE_OPT);
	put_u16(&w, STS_DNS_UDP_SIZE);
	memset(w.p + w.n, 0, 6); /* extended rcode, version, flags, length */
	return w.n + 6;
}

/* --- reading bytes --- */

/* A place in the reply; goes bad at what cannot be read, and stays bad. */
struct cursor {
	struct sts_str wire;
	size_t at;
	size_t end; /* of what may be read, not of what a name may point to */
	bool bad;
};

static bool
has(struct cursor *c, size_t n)
{
	if (c->bad || n > c->end - c->at)
		c->bad = true;
	return !c->bad;
}

static unsigned
byte_at(const struct cursor *c, size_t at)
{
	return (unsigned char)c->wire.p[at];
}

static unsigned
get_u8(struct cursor *c)
{
	return has(c, 1) ? byte_at(c, c->at++) : 0;
}

static unsigned
get_u16(struct cursor *c)
{
	unsigned high = get_u8(c);

	return high << 8 | get_u8(c);
}

static uint32_t
get_u32(struct cursor *c)
{
	uint32_t high = get_u16(c);

	return high << 16 | get_u16(c);
}

static struct sts_str
get_bytes(struct cursor *c, size_t n)
{
	struct sts_str bytes = STS_STR_NONE;

	if (has(c, n)) {
		bytes = sts_str_head(sts_str_from(c->wire, c->at), n);
		c->at += n;
	}
	return bytes;
}

struct name {
	char text[STS_NAME_MAX + 1]; /* lower case, without trailing dot */
	size_t n;
	bool odd; /* a label with bytes that the text cannot tell */
};

/* Appends a label; false when the name becomes longer than any may be. */
static bool
append_label(struct name *name, struct sts_str label)
{
	size_t dot = name->n > 0 ? 1 : 0;

	if (name->n + dot + label.n > STS_NAME_MAX)
		return false;
	if (dot != 0)
		name->text[name->n++] = '.';
	for (size_t i = 0; i < label.n; i++) {
		if (!is_label_byte(label.p[i]))
			name->odd = true;
		name->text[name->n++] = sts_lower(label.p[i]);
	}
	return true;
}

/*
 * RFC 1035 section 4.1.4. A pointer must lead to before the labels it continues, so
 * that each jump goes further back and the walk ends.
 */
static void
get_name(struct cursor *c, struct name *name)
{
	struct cursor walk = *c; /* runs away with the first pointer */
	size_t start = c->at;
	bool jumped = false;
	unsigned n;

	name->n = 0;
	name->odd = false;
	while (!c->bad && (n = get_u8(&walk)) != 0) {
		if (n >= 0xc0) {
			size_t target = (n & 0x3fu) << 8 | get_u8(&walk);

			c->bad = walk.bad || target >= start || target < HEADER_N;
			if (!jumped)
				c->at = walk.at;
			jumped = true;
			walk.end = walk.wire.n;
			walk.at = start = target;
		} else {
			struct sts_str label = get_bytes(&walk, n);

			c->bad =
			    n > STS_LABEL_MAX || walk.bad || !append_label(name, label);
		}
	}
	if (walk.bad)
		c->bad = true;
	if (!jumped)
		c->at = walk.at;
}

/* --- reading records --- */

struct record {
	struct name owner;
	unsigned type;
	unsigned class;
	uint32_t ttl;
	struct cursor rdata; /* its end is that of the record */
};

static bool
get_record(struct cursor *c, struct record *rr)
{
	size_t n;

	get_name(c, &rr->owner);
	rr->type = get_u16(c);
	rr->class = get_u16(c);
	rr->ttl = get_u32(c);
	n = get_u16(c);
	rr->rdata = *c;
	(void)get_bytes(c, n);
	rr->rdata.end = c->at;
	return !c->bad;
}

/* RFC 2181 section 8: a TTL with the top bit set means zero. */
static uint32_t
sane_ttl(uint32_t ttl)
{
	return ttl > INT32_MAX ? 0 : ttl;
}

static bool
is_used_up(const struct cursor *rdata)
{
	return !rdata->bad && rdata->at == rdata->end;
}

static bool
is_of(const struct record *rr, const struct name *owner, unsigned type)
{
	struct sts_str a = { rr->owner.text, rr->owner.n }, b = { owner->text, owner->n };

	return rr->type == type && rr->class == CLASS_IN && !rr->owner.odd &&
	    sts_str_eq(a, b);
}

/* A host that a record points to; an odd name is none. */
static bool
read_host(struct cursor rdata, struct name *host)
{
	get_name(&rdata, host);
	return is_used_up(&rdata) && !host->odd;
}

/* RFC 1035 section 3.3.13: two names, then SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM. */
static bool
read_soa(struct cursor rdata, uint32_t *minimum)
{
	struct name name;

	get_name(&rdata, &name);
	get_name(&rdata, &name);
	(void)get_bytes(&rdata, 16);
	*minimum = sane_ttl(get_u32(&rdata));
	return is_used_up(&rdata);
}

/* RFC 6891 section 6.1.3: the upper bits of the rcode stand in the TTL; its options are
 * pairs of a code and bytes. */
static bool
read_opt(const struct record *opt, struct sts_dns_answer *answer)
{
	struct cursor c = opt->rdata;
	unsigned rcode = answer->rcode | opt->ttl >> 24 << 4;

	answer->rcode = (uint8_t)(rcode > UINT8_MAX ? UINT8_MAX : rcode);
	while (!c.bad && c.at < c.end) {
		unsigned code = get_u16(&c);
		size_t n = get_u16(&c);
		struct cursor option = c;

		(void)get_bytes(&c, n);
		option.end = c.at;
		if (code == EDE_OPTION && answer->ede < 0) {
			int ede = (int)get_u16(&option);

			if (option.bad)
				return false;
			answer->ede = ede;
		}
	}
	return !c.bad;
}

/* --- the reply --- */

struct reply {
	enum sts_dns_type type;
	struct name name; /* the name asked, then the end of the chain */
	struct cursor answers;
	unsigned answer_count;
	uint32_t soa_ttl;
	char *store;
	size_t store_n; /* what is left of it */
	struct sts_dns_answer *answer;
};

static bool
keep(struct reply *r, struct sts_str bytes, struct sts_str *kept)
{
	if (bytes.n > r->store_n)
		return false;
	if (bytes.n > 0)
		memcpy(r->store, bytes.p, bytes.n);
	*kept = (struct sts_str){ r->store, bytes.n };
	r->store += bytes.n;
	r->store_n -= bytes.n;
	return true;
}

static bool
keep_name(struct reply *r, const struct name *name, struct sts_str *kept)
{
	return keep(r, (struct sts_str){ name->text, name->n }, kept);
}

static void
shorten_ttl(struct reply *r, uint32_t ttl)
{
	if (sane_ttl(ttl) < r->answer->ttl)
		r->answer->ttl = sane_ttl(ttl);
}

static bool
read_question(struct reply *r, struct cursor *c)
{
	struct record question = { .class = 0 };

	get_name(c, &question.owner);
	question.type = get_u16(c);
	question.class = get_u16(c);
	return !c->bad && is_of(&question, &r->name, r->type);
}

static bool
walk_authority(struct reply *r, struct cursor *c, unsigned count)
{
	struct record rr;
	uint32_t minimum = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!get_record(c, &rr))
			return false;
		if (rr.type != STS_DNS_SOA || rr.class != CLASS_IN || r->answer->has_soa)
			continue;
		if (!read_soa(rr.rdata, &minimum))
			return false;
		/* RFC 2308 section 5. */
		r->soa_ttl = sane_ttl(rr.ttl) < minimum ? sane_ttl(rr.ttl) : minimum;
		r->answer->has_soa = true;
	}
	return true;
}

static bool
walk_additional(struct reply *r, struct cursor *c, unsigned count)
{
	struct record rr;
	bool has_opt = false;

	for (unsigned i = 0; i < count; i++) {
		if (!get_record(c, &rr))
			return false;
		if (rr.type != TYPE_OPT || rr.owner.n != 0 || has_opt)
			continue;
		if (!read_opt(&rr, r->answer))
			return false;
		has_opt = true;
	}
	return true;
}

static bool
walk_sections(struct reply *r, struct cursor *c, const unsigned counts[4])
{
	struct record rr;

	r->answers = *c;
	r->answer_count = counts[1];
	if (counts[1] > ANSWERS_MAX)
		return false;
	for (unsigned i = 0; i < counts[1]; i++)
		if (!get_record(c, &rr))
			return false;
	return walk_authority(r, c, counts[2]) && walk_additional(r, c, counts[3]);
}

static bool
find_cname(struct reply *r, struct record *rr)
{
	struct cursor c = r->answers;

	for (unsigned i = 0; i < r->answer_count; i++)
		if (get_record(&c, rr) && is_of(rr, &r->name, STS_DNS_CNAME))
			return true;
	return false;
}

/* RFC 8461 section 3.1: "senders MUST follow the CNAME pointers". */
static bool
follow_chain(struct reply *r)
{
	struct record rr;

	if (r->type == STS_DNS_CNAME)
		return true;
	while (find_cname(r, &rr)) {
		if (++r->answer->chain > CHAIN_MAX || !read_host(rr.rdata, &r->name))
			return false;
		shorten_ttl(r, rr.ttl);
	}
	return true;
}

/* RFC 8461 section 3.1: several strings are "concatenated without adding spaces". */
static bool
read_txt(struct reply *r, struct cursor rdata, struct sts_str *data)
{
	struct sts_str part = get_bytes(&rdata, get_u8(&rdata)), kept;

	*data = part;
	if (is_used_up(&rdata))
		return true;
	if (rdata.bad || !keep(r, part, data))
		return false;
	while (!rdata.bad && rdata.at < rdata.end) {
		part = get_bytes(&rdata, get_u8(&rdata));
		if (!keep(r, part, &kept))
			return false;
		data->n += kept.n;
	}
	return !rdata.bad;
}

static bool
read_mx(struct reply *r, struct cursor rdata, struct sts_dns_rr *rr)
{
	struct name host;

	rr->preference = (uint16_t)get_u16(&rdata);
	return read_host(rdata, &host) && keep_name(r, &host, &rr->data);
}

static bool
read_rdata(struct reply *r, struct cursor rdata, struct sts_dns_rr *rr)
{
	size_t n = rdata.end - rdata.at;
	struct cursor whole = rdata;
	struct name host;
	uint32_t minimum;

	rr->preference = 0;
	rr->data = get_bytes(&whole, n);
	switch (r->type) {
	case STS_DNS_A:
		return n == 4;
	case STS_DNS_AAAA:
		return n == 16;
	case STS_DNS_TLSA: /* one that is too short is of no use, and hurts no other */
		return true;
	case STS_DNS_SOA:
		return read_soa(rdata, &minimum);
	case STS_DNS_TXT:
		return read_txt(r, rdata, &rr->data);
	case STS_DNS_MX:
		return read_mx(r, rdata, rr);
	case STS_DNS_CNAME:
		return read_host(rdata, &host) && keep_name(r, &host, &rr->data);
	}
	return false;
}

/* An MX host that no text can name is one that nobody mails to: it must not keep the others
 * from being known. */
static bool
is_nameless(const struct reply *r, const struct record *rr)
{
	struct cursor rdata = rr->rdata;
	struct name host;

	if (r->type != STS_DNS_MX)
		return false;
	(void)get_u16(&rdata);
	get_name(&rdata, &host);
	return is_used_up(&rdata) && host.odd;
}

static bool
take_records(struct reply *r)
{
	struct sts_dns_answer *answer = r->answer;
	struct cursor c = r->answers;
	struct record rr;
	bool passed_over = false;

	for (unsigned i = 0; i < r->answer_count; i++) {
		if (!get_record(&c, &rr) || !is_of(&rr, &r->name, r->type))
			continue;
		if (is_nameless(r, &rr)) {
			passed_over = true;
			continue;
		}
		if (answer->count == STS_DNS_RR_MAX ||
		    !read_rdata(r, rr.rdata, &answer->rr[answer->count]))
			return false;
		answer->count++;
		shorten_ttl(r, rr.ttl);
	}
	return answer->count > 0 || !passed_over;
}

static enum sts_err
error_of(uint8_t rcode)
{
	switch (rcode) {
	case RCODE_NOERROR:
	case RCODE_NXDOMAIN:
		return STS_OK;
	case RCODE_SERVFAIL:
		return STS_ERR_DNS_SERVFAIL;
	case RCODE_REFUSED:
		return STS_ERR_DNS_REFUSED;
	default: /* a number of theirs, not an enum of ours */
		return STS_ERR_DNS_OTHER;
	}
}

/* There are records, or there is a "no"; a reply that has both is neither. */
static enum sts_err
judge(struct reply *r)
{
	struct sts_dns_answer *answer = r->answer;

	if (answer->count > 0)
		return answer->rcode == RCODE_NXDOMAIN ? STS_ERR_DNS_MALFORMED : STS_OK;
	if (!answer->has_soa)
		answer->ttl = 0;
	else
		shorten_ttl(r, r->soa_ttl);
	return answer->rcode == RCODE_NXDOMAIN ? STS_ERR_DNS_NXDOMAIN
					       : STS_ERR_DNS_NODATA;
}

static enum sts_err
read_reply(struct reply *r, struct cursor c)
{
	struct sts_dns_answer *answer = r->answer;
	unsigned flags, counts[4];
	enum sts_err err;

	(void)get_u16(&c); /* the id: whoever sent the question has compared it */
	flags = get_u16(&c);
	for (size_t i = 0; i < 4; i++)
		counts[i] = get_u16(&c);
	if (c.bad || (flags & FLAG_QR) == 0 || (flags & FLAG_OPCODE) != 0)
		return STS_ERR_DNS_MALFORMED;

	answer->rcode = flags & FLAG_RCODE;
	answer->ad = (flags & FLAG_AD) != 0;
	answer->truncated = (flags & FLAG_TC) != 0;
	/* A server that could not read the question, or will not, may leave it out. */
	if (counts[0] != 1 && (counts[0] != 0 || error_of(answer->rcode) == STS_OK))
		return STS_ERR_DNS_MALFORMED;
	if (counts[0] == 1 && !read_question(r, &c))
		return STS_ERR_DNS_MALFORMED;
	/* What is missing might be the record that counts. */
	if (answer->truncated || !walk_sections(r, &c, counts))
		return STS_ERR_DNS_MALFORMED;

	err = error_of(answer->rcode);
	if (err != STS_OK)
		return err;
	if (!follow_chain(r) || !take_records(r) ||
	    !keep_name(r, &r->name, &answer->final_name))
		return STS_ERR_DNS_MALFORMED;
	return judge(r);
}

void
sts_dns_failed(enum sts_err err, struct sts_dns_answer *answer)
{
	*answer = (struct sts_dns_answer){ .err = err, .ede = -1 };
}

static bool
set_name(struct name *name, struct sts_str text)
{
	text = without_dot(text);
	if (text.n > STS_NAME_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		name->text[i] = sts_lower(text.p[i]);
	name->n = text.n;
	return true;
}

/* Of a reply that says nothing, only the reason is left. */
static void
forget_records(struct sts_dns_answer *answer)
{
	uint8_t rcode = answer->rcode;
	int ede = answer->ede;
	bool truncated = answer->truncated;

	sts_dns_failed(answer->err, answer);
	answer->rcode = rcode;
	answer->ede = ede;
	answer->truncated = truncated;
}

void
sts_dns_parse(struct sts_str wire, struct sts_str name, enum sts_dns_type type,
    char *store, size_t store_n, struct sts_dns_answer *answer)
{
	struct cursor c = { .wire = wire, .end = wire.n };
	struct reply r = { .type = type, .store_n = store_n, .answer = answer };

	r.store = store;
	sts_dns_failed(STS_ERR_DNS_MALFORMED, answer);
	answer->ttl = UINT32_MAX;
	if (set_name(&r.name, name))
		answer->err = read_reply(&r, c);
	if (sts_err_is_dns_failure(answer->err))
		forget_records(answer);
}
