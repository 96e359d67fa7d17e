/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over its corpus, so that "make check" needs no fuzzer. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More than any input that a target looks at. */
static uint8_t bytes[1 << 20];

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;
	int failed;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	failed = ferror(f);
	(void)fclose(f);
	if (failed || n == sizeof(bytes)) {
		fprintf(stderr, "%s: cannot be read, or is too long\n", path);
		return -1;
	}
	(void)LLVMFuzzerTestOneInput(bytes, n);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 64;
	}
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) != 0)
			return 1;
	return 0;
}
