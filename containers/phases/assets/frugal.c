/* Loaded into a compiler (LD_PRELOAD, ld.so(8)) that has to be frugal: it sees a machine of 64 MiB.
 *
 * GCC collects garbage rarely where there is much memory: it lets its heap double before it looks through it again,
 * with 64 MiB it lets it grow by a third. That takes less memory and more time, and what is compiled stays the same to
 * the byte. The options for it (--param ggc-min-expand, ggc-min-heapsize; GCC manual, "Optimize Options") go further,
 * but they are recorded in debug information: governor.c adds them only where there is none.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

long sysconf(int name)
{
	static long (*next)(int);
	if (!next)
		next = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	if (name == _SC_PHYS_PAGES)
		return 64 * 1024 * 1024 / next(_SC_PAGESIZE);
	return next(name);
}
