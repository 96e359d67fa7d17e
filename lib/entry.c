/* SPDX-License-Identifier: MIT */
/*
 * A cache entry as bytes, little-endian:
 *
 *	"STE" version:8 crc:32	the checksum covers everything after it
 *	fixed fields		in the order of write_fixed() and read_fixed()
 *	id, record id, failed id, DANE findings, MX hosts, policy
 *
 * The record's id is written only where it is not the policy's, which it hardly ever is.
 *
 * Version 2 always wrote it, version 1 knew no DANE findings either. Both are still read,
 * never written: an upgrade must not forget the policies of a cache that is there. No two
 * versions differ in one bit only, which the checksum does not cover.
 */
#include "entry.h"

#include <string.h>

#define MAGIC STS_STR("STE")
#define VERSION 4
#define VERSION_WITH_IDS 2
#define VERSION_WITHOUT_DANE 1
#define PREFIX_SIZE 8 /* magic, version, checksum */
#define SAME_ID 0xff  /* in place of the length of the record's */

/* What is true of a finding, in one byte. */
enum dane_flag {
	DANE_BRACKETS = 1 << 0,
	DANE_MX_SECURE = 1 << 1,
	DANE_APPLIED = 1 << 2,
	DANE_PLAIN = 1 << 3,
	DANE_WHOLE = 1 << 4,
	DANE_FLAGS = (1 << 5) - 1,
};

/* CRC-32C, polynomial 0x82f63b78 reflected (RFC 3720 appendix B.4). */
#if defined(__x86_64__)
/* Every x86-64 server of the last fifteen years has the instruction; a table costs
 * forty times as much and the checksum is part of each cached answer. */
static uint32_t __attribute__((target("sse4.2")))
crc_by_instruction(uint32_t crc, const char *p, size_t n)
{
	uint64_t word, wide = crc;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n > 0; n--, p++)
		crc = __builtin_ia32_crc32qi(crc, (unsigned char)*p);
	return crc;
}
#endif

static uint32_t
crc_by_table(uint32_t crc, const char *p, size_t n)
{
	/* What a nibble leaves of the polynomial. */
	static const uint32_t table[16] = {
		0x00000000,
		0x105ec76f,
		0x20bd8ede,
		0x30e349b1,
		0x417b1dbc,
		0x5125dad3,
		0x61c69362,
		0x7198540d,
		0x82f63b78,
		0x92a8fc17,
		0xa24bb5a6,
		0xb21572c9,
		0xc38d26c4,
		0xd3d3e1ab,
		0xe330a81a,
		0xf36e6f75,
	};

	for (; n > 0; n--, p++) {
		crc ^= (unsigned char)*p;
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return crc;
}

uint32_t
sts_crc32c(struct sts_str bytes)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_by_instruction(~0u, bytes.p, bytes.n);
#endif
	return ~crc_by_table(~0u, bytes.p, bytes.n);
}

static bool
same_id(const struct sts_entry *e)
{
	return sts_str_eq(e->record_id, e->id);
}

static void
write_fixed(const struct sts_entry *e, struct sts_buf *to)
{
	sts_put_u64(to, (uint64_t)e->fetched);
	sts_put_u32(to, e->max_age);
	sts_put_u8(to, (uint8_t)e->mode);
	sts_put_u64(to, (uint64_t)e->record_at);
	sts_put_u32(to, e->record_ttl);
	sts_put_u8(to, (uint8_t)e->record_err);
	sts_put_u16(to, (uint16_t)e->record_ede);
	sts_put_u64(to, (uint64_t)e->tried);
	sts_put_u64(to, (uint64_t)e->failed_at);
	sts_put_u8(to, (uint8_t)e->failed_err);
	sts_put_u16(to, e->failures);
	sts_put_u64(to, (uint64_t)e->mx_at);
	sts_put_u32(to, e->mx_ttl);
	sts_put_u8(to, (uint8_t)e->mx_err);
	sts_put_u16(to, (uint16_t)e->mx_ede);
	sts_put_u8(to, e->mx_null ? 1 : 0);
	sts_put_u64(to, (uint64_t)e->asked);
	sts_put_u8(to, (uint8_t)e->id.n);
	sts_put_u8(to, same_id(e) ? SAME_ID : (uint8_t)e->record_id.n);
	sts_put_u8(to, (uint8_t)e->failed_id.n);
	sts_put_u8(to, (uint8_t)e->mx_count);
	sts_put_u32(to, (uint32_t)e->policy.n);
	sts_put_u8(to, (uint8_t)e->dane_count);
}

static uint8_t
dane_flags(const struct sts_dane *f)
{
	return (uint8_t)((f->target.brackets ? DANE_BRACKETS : 0) |
	    (f->mx_secure ? DANE_MX_SECURE : 0) | (f->applied ? DANE_APPLIED : 0) |
	    (f->plain ? DANE_PLAIN : 0) | (f->whole ? DANE_WHOLE : 0));
}

static void
write_dane(const struct sts_dane *f, struct sts_buf *to)
{
	/* What is no name is left out: cut off, it would be another host's. */
	struct sts_str host = f->host.n <= STS_NAME_MAX ? f->host : STS_STR_NONE;

	sts_put_u8(to, dane_flags(f));
	sts_put_u16(to, f->target.port);
	sts_put_u64(to, (uint64_t)f->at);
	sts_put_u32(to, f->ttl);
	sts_put_u8(to, (uint8_t)f->state);
	sts_put_u8(to, (uint8_t)f->about);
	sts_put_u8(to, (uint8_t)f->err);
	sts_put_u16(to, (uint16_t)f->ede);
	sts_put_u8(to, (uint8_t)host.n);
	sts_put(to, host);
}

/* The lengths, kept until the bytes they speak of are reached. */
struct lengths {
	size_t id, record_id, failed_id, mx, policy, dane;
	uint8_t mode;
	bool same;
};

static void
read_fixed(struct sts_reader *r, uint8_t version, struct sts_entry *e, struct lengths *n)
{
	e->fetched = (int64_t)sts_get_u64(r);
	e->max_age = sts_get_u32(r);
	n->mode = sts_get_u8(r);
	e->mode = (enum sts_mode)n->mode;
	e->record_at = (int64_t)sts_get_u64(r);
	e->record_ttl = sts_get_u32(r);
	e->record_err = sts_err_from(sts_get_u8(r));
	e->record_ede = (int16_t)sts_get_u16(r);
	e->tried = (int64_t)sts_get_u64(r);
	e->failed_at = (int64_t)sts_get_u64(r);
	e->failed_err = sts_err_from(sts_get_u8(r));
	e->failures = sts_get_u16(r);
	e->mx_at = (int64_t)sts_get_u64(r);
	e->mx_ttl = sts_get_u32(r);
	e->mx_err = sts_err_from(sts_get_u8(r));
	e->mx_ede = (int16_t)sts_get_u16(r);
	e->mx_null = sts_get_u8(r) != 0;
	e->asked = (int64_t)sts_get_u64(r);
	n->id = sts_get_u8(r);
	n->record_id = sts_get_u8(r);
	n->same = version == VERSION && n->record_id == SAME_ID;
	if (n->same)
		n->record_id = 0;
	n->failed_id = sts_get_u8(r);
	n->mx = sts_get_u8(r);
	n->policy = sts_get_u32(r);
	n->dane = version == VERSION_WITHOUT_DANE ? 0 : sts_get_u8(r);
}

static bool
read_dane(struct sts_reader *r, struct sts_dane *f)
{
	uint8_t flags = sts_get_u8(r), state, about, host_n;

	f->target.brackets = (flags & DANE_BRACKETS) != 0;
	f->target.port = sts_get_u16(r);
	f->at = (int64_t)sts_get_u64(r);
	f->ttl = sts_get_u32(r);
	state = sts_get_u8(r);
	f->state = (enum sts_dane_state)state;
	f->mx_secure = (flags & DANE_MX_SECURE) != 0;
	f->applied = (flags & DANE_APPLIED) != 0;
	f->plain = (flags & DANE_PLAIN) != 0;
	f->whole = (flags & DANE_WHOLE) != 0;
	about = sts_get_u8(r);
	f->about = (enum sts_about)about;
	f->err = sts_err_from(sts_get_u8(r));
	f->ede = (int16_t)sts_get_u16(r);
	host_n = sts_get_u8(r);
	f->host = sts_get_bytes(r, host_n);
	return !r->bad && flags <= DANE_FLAGS && state < STS_DANE_STATES &&
	    about < STS_ABOUTS && host_n <= STS_NAME_MAX;
}

static bool
read_findings(struct sts_reader *r, size_t count, struct sts_entry *e)
{
	e->dane_count = count;
	for (size_t i = 0; i < count; i++)
		if (!read_dane(r, &e->dane[i]))
			return false;
	return true;
}

static void
read_mx(struct sts_reader *r, size_t count, struct sts_entry *e)
{
	e->mx_count = count;
	for (size_t i = 0; i < count; i++) {
		e->mx[i].seen = (int64_t)sts_get_u64(r);
		e->mx[i].preference = sts_get_u16(r);
		e->mx[i].host = sts_get_bytes(r, sts_get_u8(r));
	}
}

static bool
lengths_are_sound(const struct lengths *n)
{
	return n->mode <= STS_MODE_ENFORCE && n->id <= STS_ID_MAX &&
	    n->record_id <= STS_ID_MAX && n->failed_id <= STS_ID_MAX &&
	    n->mx <= STS_MX_MAX && n->policy <= STS_POLICY_MAX &&
	    n->dane <= STS_DANE_TARGETS;
}

void
sts_entry_write(const struct sts_entry *e, struct sts_buf *to)
{
	size_t start = to->n;
	uint32_t crc;

	sts_put(to, MAGIC);
	sts_put_u8(to, VERSION);
	sts_put_u32(to, 0);
	write_fixed(e, to);
	sts_put(to, e->id);
	if (!same_id(e))
		sts_put(to, e->record_id);
	sts_put(to, e->failed_id);
	for (size_t i = 0; i < e->dane_count; i++)
		write_dane(&e->dane[i], to);
	for (size_t i = 0; i < e->mx_count; i++) {
		sts_put_u64(to, (uint64_t)e->mx[i].seen);
		sts_put_u16(to, e->mx[i].preference);
		sts_put_u8(to, (uint8_t)e->mx[i].host.n);
		sts_put(to, e->mx[i].host);
	}
	sts_put(to, e->policy);
	if (to->bad)
		return;
	crc = sts_crc32c(
	    (struct sts_str){ to->p + start + PREFIX_SIZE, to->n - start - PREFIX_SIZE });
	for (size_t i = 0; i < 4; i++)
		to->p[start + 4 + i] = (char)(unsigned char)(crc >> (8 * i));
}

static bool
prefix_is_sound(struct sts_reader *r, uint8_t *version)
{
	struct sts_str magic = sts_get_bytes(r, MAGIC.n);
	uint32_t crc;

	*version = sts_get_u8(r);
	crc = sts_get_u32(r);
	return !r->bad && sts_str_eq(magic, MAGIC) &&
	    (*version == VERSION || *version == VERSION_WITH_IDS ||
		*version == VERSION_WITHOUT_DANE) &&
	    crc == sts_crc32c(r->rest);
}

enum sts_err
sts_entry_read(struct sts_str bytes, struct sts_entry *e)
{
	struct sts_reader r = { bytes, false };
	struct lengths n;
	uint8_t version;

	if (!prefix_is_sound(&r, &version))
		return STS_ERR_CACHE;
	read_fixed(&r, version, e, &n);
	if (r.bad || !lengths_are_sound(&n))
		return STS_ERR_CACHE;
	e->id = sts_get_bytes(&r, n.id);
	e->record_id = n.same ? e->id : sts_get_bytes(&r, n.record_id);
	e->failed_id = sts_get_bytes(&r, n.failed_id);
	if (!read_findings(&r, n.dane, e))
		return STS_ERR_CACHE;
	read_mx(&r, n.mx, e);
	e->policy = sts_get_bytes(&r, n.policy);
	return r.bad || r.rest.n != 0 ? STS_ERR_CACHE : STS_OK;
}

/* Both arrays end the struct; what is not set of them is not copied. */
void
sts_entry_copy(struct sts_entry *to, const struct sts_entry *from)
{
	memcpy(to, from,
	    offsetof(struct sts_entry, dane) + from->dane_count * sizeof(from->dane[0]));
	to->mx_count = from->mx_count;
	memcpy(to->mx, from->mx, from->mx_count * sizeof(from->mx[0]));
}

const struct sts_dane *
sts_entry_dane(const struct sts_entry *e, struct sts_target target)
{
	static const struct sts_dane never = { .state = STS_DANE_NONE, .ede = -1 };

	for (size_t i = 0; i < e->dane_count; i++)
		if (sts_target_eq(e->dane[i].target, target))
			return &e->dane[i];
	return &never;
}

static bool
is_plain(const struct sts_dane *f)
{
	return sts_target_eq(f->target, STS_TARGET_PLAIN);
}

/* Where a finding for the target belongs: in the place of the oldest, but for the plain
 * domain's, which nearly all mail needs, and anybody could drive out with other ports. */
static size_t
dane_place(const struct sts_entry *e, struct sts_target target)
{
	size_t oldest = 0;

	for (size_t i = 0; i < e->dane_count; i++) {
		if (sts_target_eq(e->dane[i].target, target))
			return i;
		if (!is_plain(&e->dane[i]) &&
		    (is_plain(&e->dane[oldest]) || e->dane[i].at < e->dane[oldest].at))
			oldest = i;
	}
	return e->dane_count < STS_DANE_TARGETS ? e->dane_count : oldest;
}

void
sts_entry_put_dane(struct sts_entry *e, const struct sts_dane *finding)
{
	size_t at = dane_place(e, finding->target);

	e->dane[at] = *finding;
	if (at == e->dane_count)
		e->dane_count++;
}

int64_t
sts_entry_expires(const struct sts_entry *e)
{
	return e->fetched == 0 ? 0 : e->fetched + e->max_age;
}

bool
sts_entry_is_live(const struct sts_entry *e, int64_t now)
{
	return e->fetched != 0 && now < sts_entry_expires(e);
}
