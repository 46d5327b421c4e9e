#include "daemon/memory.h"

#ifdef HAVE_MALLINFO2
#include <malloc.h>
#include <stddef.h>

void memory_give_back(void)
{
	static size_t given; /* of what is free now: its pages are the system's already */
	size_t unused = mallinfo2().fordblks;

	if (unused < given)
		given = unused;
	if (unused - given < MEMORY_SPARE)
		return;
	malloc_trim(0);
	given = mallinfo2().fordblks;
}
#else
void memory_give_back(void)
{
}
#endif
