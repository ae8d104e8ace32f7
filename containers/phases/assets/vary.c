/* Loaded into every program of a phase (LD_PRELOAD, ld.so(8)) when a rebuild varies what only a library can:
 * the time of day, the order of directories, the number of processors, and when parallel jobs end.
 *
 * The usual tools for the first two are libfaketime and disorderfs. The one would have to come into the build root,
 * whose lock is a part of the plan that is to be rebuilt; the other is a FUSE file system, which a container without
 * capabilities cannot mount. This file is compiled by the build root's own compiler instead, and changes neither.
 *
 * Times of files are left as they are: only the clock differs. What the C library does by itself (scandir, nftw,
 * fts) does not come by here, nor do programs that are linked statically.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* `struct dirent` and `struct dirent64` are the same then. */
_Static_assert(sizeof(off_t) == 8, "only for targets with 64 bit file offsets");

/* The function that this library stands before. */
#define NEXT(function) ((__typeof__(&function))next(#function))

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (!found)
		abort();
	return found;
}

static long number(const char *name)
{
	const char *value = getenv(name);
	return value ? atol(value) : 0;
}

/* --- time ------------------------------------------------------------------------------------------------------- */

/* Seconds that the clock is ahead. */
static time_t ahead(void)
{
	static time_t seconds = -1;
	if (seconds < 0)
		seconds = number("VARY_SECONDS");
	return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = NEXT(clock_gettime)(clock, now);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += ahead();
	return result;
}

int timespec_get(struct timespec *now, int base)
{
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &exact);
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *result)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

/* A deadline by the varied clock, for the kernel: nobody is to wait for a year. One that the monotonic clock gives
 * is far in the past of this one, and stays. */
static struct timespec real(const struct timespec *deadline)
{
	struct timespec result = *deadline, now;
	NEXT(clock_gettime)(CLOCK_REALTIME, &now);
	if (result.tv_sec > now.tv_sec + ahead() / 2)
		result.tv_sec -= ahead();
	return result;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
			   const struct timespec *restrict deadline)
{
	struct timespec until = real(deadline);
	/* dlsym may find the version of 1998, which knows another structure. */
	void *found = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	if (!found)
		found = next("pthread_cond_timedwait");
	return ((__typeof__(&pthread_cond_timedwait))found)(cond, mutex, &until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline)
{
	struct timespec until = real(deadline);
	return NEXT(pthread_mutex_timedlock)(mutex, &until);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline)
{
	struct timespec until = real(deadline);
	return NEXT(sem_timedwait)(semaphore, &until);
}

/* --- directories ------------------------------------------------------------------------------------------------ */

/* An open directory of which everything has been read; the entries are given in reverse. */
struct listing {
	DIR *directory;
	struct dirent **entries;
	size_t count, given;
	struct listing *next;
};

static struct listing *listings;
static pthread_mutex_t listings_lock = PTHREAD_MUTEX_INITIALIZER;

static struct listing *find(DIR *directory)
{
	struct listing *listing = listings;
	while (listing && listing->directory != directory)
		listing = listing->next;
	return listing;
}

static void forget(DIR *directory)
{
	pthread_mutex_lock(&listings_lock);
	for (struct listing **link = &listings; *link; link = &(*link)->next) {
		struct listing *listing = *link;
		if (listing->directory == directory) {
			*link = listing->next;
			for (size_t i = 0; i < listing->count; i++)
				free(listing->entries[i]);
			free(listing->entries);
			free(listing);
			break;
		}
	}
	pthread_mutex_unlock(&listings_lock);
}

/* None when memory runs out or reading fails; errno says why. */
static struct listing *read_all(DIR *directory)
{
	struct listing *listing = calloc(1, sizeof *listing);
	struct dirent *entry;
	if (!listing)
		return NULL;
	listing->directory = directory;
	while (errno = 0, (entry = NEXT(readdir)(directory))) {
		struct dirent **more = realloc(listing->entries, (listing->count + 1) * sizeof *more);
		if (!more)
			break;
		listing->entries = more;
		if (!(more[listing->count] = malloc(entry->d_reclen)))
			break;
		memcpy(more[listing->count++], entry, entry->d_reclen);
	}
	listing->next = listings;
	listings = listing;
	if (!errno)
		return listing;
	listing->given = listing->count;
	return NULL;
}

struct dirent *readdir(DIR *directory)
{
	struct dirent *entry = NULL;
	int before = errno;
	if (!number("VARY_ORDER"))
		return NEXT(readdir)(directory);
	pthread_mutex_lock(&listings_lock);
	struct listing *listing = find(directory);
	if (!listing)
		listing = read_all(directory);
	if (listing) {
		/* The end of a directory leaves errno alone. */
		errno = before;
		if (listing->given < listing->count)
			entry = listing->entries[listing->count - ++listing->given];
	}
	pthread_mutex_unlock(&listings_lock);
	return entry;
}

struct dirent64 *readdir64(DIR *directory)
{
	return (struct dirent64 *)readdir(directory);
}

int closedir(DIR *directory)
{
	forget(directory);
	return NEXT(closedir)(directory);
}

void rewinddir(DIR *directory)
{
	forget(directory);
	NEXT(rewinddir)(directory);
}

long telldir(DIR *directory)
{
	long place = 0;
	if (!number("VARY_ORDER"))
		return NEXT(telldir)(directory);
	pthread_mutex_lock(&listings_lock);
	struct listing *listing = find(directory);
	if (listing)
		place = (long)listing->given;
	pthread_mutex_unlock(&listings_lock);
	return place;
}

void seekdir(DIR *directory, long place)
{
	if (!number("VARY_ORDER")) {
		NEXT(seekdir)(directory, place);
		return;
	}
	pthread_mutex_lock(&listings_lock);
	struct listing *listing = find(directory);
	if (!listing)
		listing = read_all(directory);
	if (listing && place >= 0 && (size_t)place <= listing->count)
		listing->given = (size_t)place;
	pthread_mutex_unlock(&listings_lock);
}

/* --- processors ------------------------------------------------------------------------------------------------- */

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
	int result = NEXT(sched_getaffinity)(process, size, set);
	long more = number("VARY_PROCESSORS");
	for (size_t cpu = 0; result == 0 && more > 0 && cpu < size * 8; cpu++) {
		if (!CPU_ISSET_S(cpu, size, set)) {
			CPU_SET_S(cpu, size, set);
			more--;
		}
	}
	return result;
}

long sysconf(int name)
{
	long result = NEXT(sysconf)(name);
	if (result > 0 && (name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF))
		result += number("VARY_PROCESSORS");
	return result;
}

int get_nprocs(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int get_nprocs_conf(void)
{
	return (int)sysconf(_SC_NPROCESSORS_CONF);
}

/* --- parallel jobs ---------------------------------------------------------------------------------------------- */

/* Holds compilers back for up to VARY_DELAY milliseconds, so that jobs that ran side by side end in another order. */
__attribute__((constructor)) static void hold_back(void)
{
	static const char *const compilers[] = { "cc1", "cc1plus", "as", "ld", "javac" };
	long most = number("VARY_DELAY");
	for (size_t i = 0; most > 0 && i < sizeof compilers / sizeof *compilers; i++) {
		if (strcmp(program_invocation_short_name, compilers[i]) == 0)
			usleep((useconds_t)(getpid() * 7919L % most) * 1000);
	}
}
