/* SPDX-License-Identifier: MIT */
/* For stsd under valgrind (memcheck.sh), which gives each program that it follows its path
 * for a name: the answerer's is put back before main() looks. */
#include "child.h"
#include "role.h"

__attribute__((constructor)) static void
restore_name(int argc, char **argv)
{
	static char name[] = CHILD_ANSWERER_NAME;

	if (argc == 1 && role_is_ours())
		argv[0] = name;
}
