/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <string.h>

#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }
#define ID32 "abcdefghijklmnopqrstuvwxyz012345"

/* id NULL: malformed, at the byte and with the words given. */
static const struct {
	const char *what;
	struct sts_str txt;
	const char *id;
	size_t at;
	const char *problem;
} cases[] = {
	{ "RFC 8461 example", S("v=STSv1; id=20160831085700Z;"), "20160831085700Z", 0,
	    NULL },
	{ "no last semicolon", S("v=STSv1;id=1"), "1", 0, NULL },
	{ "blanks around", S("v=STSv1 ; id=1 ;"), "1", 0, NULL },
	{ "TAB and blank at the end", S("v=STSv1;\tid=1; "), "1", 0, NULL },
	{ "extension first", S("v=STSv1; x=y; id=1"), "1", 0, NULL },
	{ "extension last", S("v=STSv1; id=1; foo=b/r\"~<>!"), "1", 0, NULL },
	{ "all an extension's name can be", S("v=STSv1; 0a._-Z=1; id=1"), "1", 0, NULL },
	{ "extension name of 32", S("v=STSv1; " ID32 "=1; id=1"), "1", 0, NULL },
	{ "id of 32", S("v=STSv1; id=" ID32), ID32, 0, NULL },
	{ "case of the id is kept", S("v=STSv1; id=aAzZ09;"), "aAzZ09", 0, NULL },
	{ "first id wins", S("v=STSv1; id=1; id=2"), "1", 0, NULL },
	{ "a later id may be bad", S("v=STSv1; id=1; id=2-3;"), "1", 0, NULL },
	{ "a second version is an extension", S("v=STSv1; v=STSv2; id=1"), "1", 0, NULL },
	{ "ID is an extension beside id", S("v=STSv1; ID=2; id=1"), "1", 0, NULL },

	{ "ID alone", S("v=STSv1; ID=1;"), NULL, 14, "the id is missing" },
	{ "version alone", S("v=STSv1"), NULL, 7, "the id is missing" },
	{ "version and semicolon", S("v=STSv1;"), NULL, 8, "the id is missing" },
	{ "version in lower case", S("v=stsv1; id=1;"), NULL, 0,
	    "the record must begin with v=STSv1" },
	{ "another version", S("v=STSv2; id=1"), NULL, 0,
	    "the record must begin with v=STSv1" },
	{ "a longer version", S("v=STSv10; id=1"), NULL, 7, "expected a semicolon" },
	{ "version not first", S("id=1; v=STSv1"), NULL, 0,
	    "the record must begin with v=STSv1" },
	{ "blank first", S(" v=STSv1; id=1"), NULL, 0,
	    "the record must begin with v=STSv1" },
	{ "blank in the version", S("v = STSv1; id=1"), NULL, 0,
	    "the record must begin with v=STSv1" },
	{ "empty", S(""), NULL, 0, "the record must begin with v=STSv1" },
	{ "no semicolon", S("v=STSv1 id=1"), NULL, 8, "expected a semicolon" },
	{ "comma", S("v=STSv1, id=1"), NULL, 7, "expected a semicolon" },
	{ "two semicolons", S("v=STSv1;; id=1"), NULL, 8,
	    "expected the name of a field" },
	{ "empty field", S("v=STSv1; ; id=1"), NULL, 9, "expected the name of a field" },
	{ "two semicolons at the end", S("v=STSv1; id=1;;"), NULL, 14,
	    "expected the name of a field" },
	{ "blank at the end", S("v=STSv1; id=1 "), NULL, 14,
	    "blanks at the end without a semicolon" },
	{ "line end", S("v=STSv1; id=1;\n"), NULL, 14, "expected the name of a field" },
	{ "id of 33", S("v=STSv1; id=" ID32 "6"), NULL, 44,
	    "the id is longer than 32 letters and digits" },
	{ "id with hyphens", S("v=STSv1; id=2024-01-01;"), NULL, 16,
	    "the id may only have letters and digits" },
	{ "empty id", S("v=STSv1; id=;"), NULL, 12,
	    "the id is empty or not letters and digits" },
	{ "empty id at the end", S("v=STSv1; id="), NULL, 12,
	    "the id is empty or not letters and digits" },
	{ "blank before the id", S("v=STSv1; id= 1"), NULL, 12,
	    "the id is empty or not letters and digits" },
	{ "blank after id", S("v=STSv1; id =1"), NULL, 11, "expected name=value" },
	{ "quoted id", S("v=STSv1; id=\"1\""), NULL, 12,
	    "the id is empty or not letters and digits" },
	{ "a bad first id, a good second", S("v=STSv1; id=a-b; id=1"), NULL, 13,
	    "the id may only have letters and digits" },
	{ "a second id without value", S("v=STSv1; id=1; id=;"), NULL, 18,
	    "the field has no value" },
	{ "field without =", S("v=STSv1; id=1; foo"), NULL, 18, "expected name=value" },
	{ "= in a value", S("v=STSv1; id=1; foo=b=r"), NULL, 20,
	    "a value cannot have this character" },
	{ "blank in a value", S("v=STSv1; id=1; foo=b r"), NULL, 21,
	    "expected a semicolon" },
	{ "extension without value", S("v=STSv1; foo=; id=1"), NULL, 13,
	    "the field has no value" },
	{ "extension without name", S("v=STSv1; =x; id=1"), NULL, 9,
	    "expected the name of a field" },
	{ "extension name of 33", S("v=STSv1; " ID32 "6=1; id=1"), NULL, 41,
	    "expected name=value" },
	{ "hyphen begins a name", S("v=STSv1; -a=1; id=1"), NULL, 9,
	    "expected the name of a field" },
	{ "byte above ASCII in a value", S("v=STSv1; id=1; a=\xc3\xa4"), NULL, 17,
	    "the field has no value" },
	{ "byte above ASCII later", S("v=STSv1; id=1; a=b\xc3\xa4"), NULL, 18,
	    "a value cannot have this character" },
	{ "NUL", S("v=STSv1; id=1\0;"), NULL, 13,
	    "the id may only have letters and digits" },
	{ "DEL in a value", S("v=STSv1; id=1; a=b\x7f"), NULL, 18,
	    "a value cannot have this character" },
	{ "SPF", S("v=spf1 -all"), NULL, 0, "the record must begin with v=STSv1" },
};

static void
test_parse(void)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		struct sts_str id = STS_STR("untouched");
		struct sts_problem problem = { 0, NULL };
		enum sts_err err = sts_record_parse(cases[i].txt, &id, &problem);

		CHECK(what, sts_record_parse(cases[i].txt, &id, NULL) == err);
		if (cases[i].id != NULL) {
			CHECK(what, err == STS_OK && problem.text == NULL);
			CHECK(what, sts_str_eq(id, sts_str_of(cases[i].id)));
			continue;
		}
		CHECK(what, err == STS_ERR_RECORD_SYNTAX);
		CHECK(what, sts_str_eq(id, STS_STR("untouched")));
		CHECK(what, problem.at == cases[i].at);
		CHECK(what,
		    problem.text != NULL && strcmp(problem.text, cases[i].problem) == 0);
	}
}

static const struct {
	const char *what;
	struct sts_str txts[3];
	size_t count;
	enum sts_err err;
	const char *id;
} sets[] = {
	{ "none at all", { S("") }, 0, STS_ERR_RECORD_NONE, NULL },
	{ "one", { S("v=STSv1; id=1") }, 1, STS_OK, "1" },
	{ "blank before the semicolon, alone", { S("v=STSv1 ; id=1") }, 1, STS_OK, "1" },
	{ "blank before the semicolon, among others",
	    { S("v=spf1 -all"), S("v=STSv1 ; id=1") }, 2, STS_ERR_RECORD_NONE, NULL },
	{ "beside SPF", { S("v=spf1 -all"), S("v=STSv1; id=1") }, 2, STS_OK, "1" },
	{ "before SPF", { S("v=STSv1; id=1"), S("v=spf1 -all"), S("") }, 3, STS_OK, "1" },
	{ "two", { S("v=STSv1; id=1"), S("v=STSv1; id=1") }, 2, STS_ERR_RECORD_MANY,
	    NULL },
	{ "two, one of them bad", { S("v=STSv1; id=1"), S("v=STSv1; bad") }, 2,
	    STS_ERR_RECORD_MANY, NULL },
	{ "beside another version", { S("v=STSv1; id=1"), S("v=STSv2; id=2") }, 2, STS_OK,
	    "1" },
	{ "a bad one beside SPF", { S("v=spf1 -all"), S("v=STSv1; bad") }, 2,
	    STS_ERR_RECORD_SYNTAX, NULL },
	{ "only SPF", { S("v=spf1 -all") }, 1, STS_ERR_RECORD_NONE, NULL },
	{ "only others", { S("v=spf1 -all"), S("x") }, 2, STS_ERR_RECORD_NONE, NULL },
	{ "a bad one alone", { S("v=STSv1; id=") }, 1, STS_ERR_RECORD_SYNTAX, NULL },
	{ "version alone", { S("v=STSv1") }, 1, STS_ERR_RECORD_SYNTAX, NULL },
	{ "a longer version alone", { S("v=STSv10; id=1") }, 1, STS_ERR_RECORD_NONE,
	    NULL },
	{ "lower case alone", { S("v=stsv1; id=1") }, 1, STS_ERR_RECORD_NONE, NULL },
	{ "lower case beside one", { S("v=stsv1; id=1"), S("v=STSv1; id=2") }, 2, STS_OK,
	    "2" },
	{ "empty text", { S("") }, 1, STS_ERR_RECORD_NONE, NULL },
};

int
main(void)
{
	test_parse();
	for (size_t i = 0; i < COUNT(sets); i++) {
		struct sts_str id = STS_STR("untouched");
		const char *want = sets[i].id == NULL ? "untouched" : sets[i].id;

		CHECK(sets[i].what,
		    sts_record_pick(sets[i].txts, sets[i].count, &id) == sets[i].err);
		CHECK(sets[i].what, sts_str_eq(id, sts_str_of(want)));
	}
	CHECK("counts", sts_record_counts(STS_STR("v=STSv1;")));
	CHECK("does not count", !sts_record_counts(STS_STR("v=STSv1 ;")));
	return test_failed;
}
