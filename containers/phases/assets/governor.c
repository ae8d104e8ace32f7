/* Starts compilers when there is memory for them: `governor COMPILER ARGUMENT…`, called by the compiler wrapper.
 *
 * make may want as many jobs as it likes: each compile enters itself into a table that all share, with the memory that
 * its file took the last time, and waits for its turn. A compile may start if what the container's control group measures as
 * used, and what the running compiles are still going to take, leave room for it. So a token of make's jobserver
 * would know too little: it is taken before make knows which file is next.
 *
 * Of those that wait, the one that takes longest goes first, more so the longer it has waited. A smaller one
 * may overtake it if there is room for both, or if it will have ended by the time that the first one can start: nobody starves.
 * When nothing runs, the first one may always start, so that there is no deadlock either.
 *
 * A file that does not fit into the budget runs alone and frugally (frugal.c). One whose compiler is killed for memory
 * is compiled again, alone, and if that does not do, frugally.
 *
 * Environment: MEMORY_BYTES is the budget, MEMORY_MARGIN what is left of it for others, MEMORY_PER_JOB what a file is taken to need that nothing is known of,
 * GOVERNED_FILE the file. GOVERNOR_USED, GOVERNOR_KILLS (`FILE KEY…`) and GOVERNOR_PRESSURE (`FILE…`) are where
 * the kernel tells, GOVERNOR_OWN_KILLS has a line for each process that memory.sh killed, GOVERNOR_LOG is the phase's log. It
 * prints nothing of its own: what a compiler prints is kept in the compiler cache.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIGURES "/build/governor/figures"
#define FRUGAL "/build/governor/frugal.so"
#define TABLE "/tmp/.governor"
#define TOOK "/build/out/compile-memory"
#define TIMES "/build/out/compile-times"
#define KILLED "/build/out/killed-for-memory"
#define MIB (1LL << 20)
/* Per cent of the time in which something waits for memory (accounting/psi.rst): more, and nothing new starts. */
#define MOST_PRESSURE 10.0
/* Looks again after this long, since others than compilers take memory and give it back. */
#define LOOK_AGAIN_MS 500

/* A compile that waits or runs. */
struct job {
	pid_t governor;		 /* process of this program; 0: the place is free */
	unsigned long long born; /* when that process started, in ticks: its number may be given again */
	bool running;
	bool alone;	/* beside no other */
	long long need; /* most bytes that it takes */
	double seconds; /* CPU time that it takes; 0: unknown */
	double since;	/* when it began to wait or to run, by the monotonic clock */
	long long now;	/* bytes that its processes take, as of the last look */
};

enum { JOBS = 512 };

/* Zeroed by the kernel at first; read and written under the lock of its file. */
static struct table {
	uint32_t changes; /* a futex: those that wait are woken by a change */
	struct job jobs[JOBS];
} *table;
static int table_file;

/* What is known of the file. */
static struct {
	const char *name; /* as the compiler was given it */
	char path[PATH_MAX];
	long long bytes; /* 0: unknown */
	double seconds;
} file;

/* What all processes may take, and what is left free: for pages of code, pipes, and whatever nobody measures. */
static long long budget, margin;

/* --- what the system tells -------------------------------------------------------------------------------------- */

static double clock_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The clock of /proc/uptime, in milliseconds. */
static long long uptime(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static long long number(const char *name)
{
	const char *value = getenv(name);
	return value ? atoll(value) : 0;
}

/* The sum of the keys' values, as in `FILE KEY…`, of which there are two at most; -1 where the kernel does not tell. */
static long long place(const char *name)
{
	char path[PATH_MAX], keys[2][64] = { "", "" }, key[64];
	long long value, sum = -1;
	const char *variable = getenv(name);
	int words = variable ? sscanf(variable, "%4095s %63s %63s", path, keys[0], keys[1]) : 0;
	FILE *stream = words > 1 ? fopen(path, "re") : NULL;
	while (stream && fscanf(stream, "%63s %lld", key, &value) == 2)
		if (strcmp(keys[0], key) == 0 || strcmp(keys[1], key) == 0)
			sum = (sum < 0 ? 0 : sum) + value;
	if (stream)
		fclose(stream);
	return sum;
}

/* `some avg10`, the largest of the files. */
static double pressure(void)
{
	char text[2 * PATH_MAX], *rest;
	double most = 0, value;
	const char *variable = getenv("GOVERNOR_PRESSURE");
	snprintf(text, sizeof text, "%s", variable ? variable : "");
	for (char *path = strtok_r(text, " ", &rest); path; path = strtok_r(NULL, " ", &rest)) {
		FILE *stream = fopen(path, "re");
		if (!stream)
			continue;
		/* Reading fails where it is switched off. */
		if (fscanf(stream, "some avg10=%lf", &value) == 1 && value > most)
			most = value;
		fclose(stream);
	}
	return most;
}

static int processors(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return CPU_COUNT(&set);
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

struct process {
	pid_t id, parent;
	unsigned long long born;
	long long resident;
};

/* proc(5), stat: fields 4 (parent), 22 (start), 24 (pages). */
static bool read_process(pid_t id, struct process *process)
{
	char path[64], text[1024];
	long pages;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
	int stat = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = stat < 0 ? -1 : read(stat, text, sizeof text - 1);
	if (stat >= 0)
		close(stat);
	if (length <= 0)
		return false;
	text[length] = 0;
	/* The second field is a name in parentheses, with anything in it. */
	char *rest = strrchr(text, ')');
	process->id = id;
	if (!rest || sscanf(rest + 1,
			    " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*d %*d %llu %*u %ld",
			    &process->parent, &process->born, &pages) != 3)
		return false;
	process->resident = (long long)pages * sysconf(_SC_PAGESIZE);
	return true;
}

/* All processes of the container. */
static size_t processes(struct process **all)
{
	size_t count = 0, room = 0;
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	*all = NULL;
	while (directory && (entry = readdir(directory))) {
		pid_t id = atoi(entry->d_name);
		if (id <= 0)
			continue;
		if (count == room) {
			struct process *more = realloc(*all, (room = room ? 2 * room : 64) * sizeof *more);
			if (!more)
				break;
			*all = more;
		}
		if (read_process(id, &(*all)[count]))
			count++;
	}
	if (directory)
		closedir(directory);
	return count;
}

static struct process *find(struct process *all, size_t count, pid_t id)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].id == id)
			return &all[i];
	return NULL;
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static void lock(void)
{
	flock(table_file, LOCK_EX);
}

static void unlock(void)
{
	flock(table_file, LOCK_UN);
}

static bool open_table(void)
{
	table_file = open(TABLE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (table_file < 0 || ftruncate(table_file, sizeof *table) != 0)
		return false;
	table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, table_file, 0);
	return table != MAP_FAILED;
}

/* Looks at everybody in the table: who has gone without a word leaves it. */
static void look(void)
{
	struct process *all;
	size_t count = processes(&all);
	for (struct job *job = table->jobs; job < table->jobs + JOBS; job++) {
		if (!job->governor)
			continue;
		struct process *process = find(all, count, job->governor);
		if (!process || process->born != job->born)
			memset(job, 0, sizeof *job);
		job->now = 0;
	}
	for (size_t i = 0; i < count; i++) {
		/* The compile that this process is part of: an ancestor is its governor. */
		struct process *up = &all[i];
		for (int depth = 0; up && depth < 32; depth++, up = find(all, count, up->parent)) {
			struct job *job = table->jobs;
			while (job < table->jobs + JOBS && job->governor != up->id)
				job++;
			if (job < table->jobs + JOBS) {
				job->now += all[i].resident;
				break;
			}
		}
	}
	free(all);
}

/* Wakes all who wait. The caller holds the lock. */
static void changed(void)
{
	table->changes++;
	syscall(SYS_futex, &table->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Enters this process into the table. */
static struct job *enter(void)
{
	struct process self;
	if (!read_process(getpid(), &self))
		self.born = 0;
	for (;;) {
		lock();
		struct job *job = table->jobs;
		while (job < table->jobs + JOBS && job->governor)
			job++;
		if (job < table->jobs + JOBS) {
			*job = (struct job){ .governor = getpid(), .born = self.born, .since = clock_now() };
			unlock();
			return job;
		}
		look();
		unlock();
		usleep(LOOK_AGAIN_MS * 1000);
	}
}

/* --- whose turn it is ------------------------------------------------------------------------------------------- */

static double rank(const struct job *job)
{
	/* Where the time is unknown: parsing takes about a second for 100 MiB. */
	double seconds = job->seconds > 0 ? job->seconds : (double)job->need / (100.0 * MIB);
	return (job->alone ? 1e9 : 0) + seconds + (clock_now() - job->since);
}

static long long still_needed(const struct job *job)
{
	return job->need > job->now ? job->need - job->now : 0;
}

/* Seconds until so many running compiles have ended that `lacking` bytes more are there. One that takes longer than its
 * CPU time counts as ended: nobody may overtake by waiting for it, and so the time that this gives only gets shorter. */
static double seconds_until(long long lacking)
{
	double reached = 0;
	bool counted[JOBS] = { false };
	while (lacking > 0) {
		int next = -1;
		double soonest = 0;
		for (int i = 0; i < JOBS; i++) {
			const struct job *job = &table->jobs[i];
			if (!job->governor || !job->running || counted[i])
				continue;
			double left = job->since + job->seconds - clock_now();
			if (next < 0 || left < soonest) {
				next = i;
				soonest = left;
			}
		}
		if (next < 0)
			break;
		counted[next] = true;
		reached = soonest;
		lacking -= table->jobs[next].now + still_needed(&table->jobs[next]);
	}
	return reached > 0 ? reached : 0;
}

/* Whether this job may start now. The caller holds the lock and has looked. */
static bool my_turn(const struct job *me)
{
	int running = 0;
	bool one_alone = false;
	long long taken = 0, reserved = 0;
	const struct job *first = me;
	for (const struct job *job = table->jobs; job < table->jobs + JOBS; job++) {
		if (!job->governor)
			continue;
		if (!job->running) {
			if (rank(job) > rank(first))
				first = job;
			continue;
		}
		running++;
		one_alone |= job->alone;
		taken += job->now;
		reserved += still_needed(job);
	}
	if (running == 0)
		return me == first;
	/* More compiles than processors are no faster, and take each other's memory. */
	if (one_alone || me->alone || running >= processors() || pressure() > MOST_PRESSURE)
		return false;
	long long used = place("GOVERNOR_USED");
	long long room = budget - margin - (used < 0 ? taken : used) - reserved;
	if (me->need > room)
		return false;
	if (me == first)
		return true;
	if (!first->alone && first->need <= room)
		return running + 2 <= processors() && me->need + first->need <= room;
	return me->seconds > 0 && me->seconds <= seconds_until(first->alone ? LLONG_MAX : first->need - room);
}

static void wait_for_turn(struct job *me)
{
	for (;;) {
		struct timespec time = { 0, LOOK_AGAIN_MS * 1000000L };
		lock();
		look();
		uint32_t seen = table->changes;
		if (my_turn(me)) {
			me->running = true;
			me->since = clock_now();
			unlock();
			return;
		}
		unlock();
		syscall(SYS_futex, &table->changes, FUTEX_WAIT, seen, &time, NULL, 0);
	}
}

/* --- one compile ------------------------------------------------------------------------------------------------ */

struct result {
	int status; /* as a shell has it */
	bool killed;
	long long peak; /* bytes of its largest process */
	long milliseconds;
};

/* Grows with each process that was killed for memory in this container; -1 where the kernel does not tell. */
static long long kills(void)
{
	struct stat own;
	const char *path = getenv("GOVERNOR_OWN_KILLS");
	long long kernel = place("GOVERNOR_KILLS");
	return kernel >= 0 && path && stat(path, &own) == 0 ? kernel + own.st_size : kernel;
}

/* Whether this command's options are kept in what it writes: GCC records them in debug information, in link-time code
 * and on demand. What stands in an argument file is not known. */
static bool records_options(char **command)
{
	bool debug = false, always = false;
	for (char **word = command + 1; *word; word++) {
		if (strcmp(*word, "-g0") == 0)
			debug = false;
		else if (strncmp(*word, "-g", 2) == 0)
			debug = true;
		always |= strcmp(*word, "-frecord-gcc-switches") == 0 || strncmp(*word, "-flto", 5) == 0 ||
			  **word == '@';
	}
	return debug || always;
}

/* Runs the compiler frugally: see frugal.c. Where nobody can tell from the output, options take that further than the library
 * can. They come first, so that the command's own have the last word. */
static void exec_frugally(char **command)
{
	static char *options[] = { "--param=ggc-min-expand=10", "--param=ggc-min-heapsize=65536" };
	size_t count = 0, more = records_options(command) ? 0 : 2;
	while (command[count])
		count++;
	char **words = calloc(count + more + 1, sizeof *words);
	if (words) {
		memcpy(words + 1, options, more * sizeof *words);
		memcpy(words + 1 + more, command + 1, (count - 1) * sizeof *words);
		words[0] = command[0];
		command = words;
	}
	if (access(FRUGAL, R_OK) == 0) {
		char list[2 * PATH_MAX];
		const char *others = getenv("LD_PRELOAD");
		snprintf(list, sizeof list, "%s%s%s", others ? others : "", others ? ":" : "", FRUGAL);
		setenv("LD_PRELOAD", list, 1);
	}
	execv(command[0], command);
}

static void run(char **command, bool frugal, FILE *errors, struct result *result)
{
	int status;
	struct rusage usage;
	long long before = kills();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		/* A compiler whose governor is gone has no place in the table. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("GOVERNED", "yes", 1);
		dup2(fileno(errors), STDERR_FILENO);
		if (frugal)
			exec_frugally(command);
		else
			execv(command[0], command);
		dprintf(STDERR_FILENO, "%s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	if (child < 0) {
		fprintf(errors, "%s: cannot start it: %s\n", command[0], strerror(errno));
		*result = (struct result){ .status = 1 };
		return;
	}
	while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR)
		;
	result->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* getrusage(2): of the largest process among it and those it waited for, in KiB. */
	result->peak = (long long)usage.ru_maxrss * 1024;
	result->milliseconds = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
			       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	result->killed = false;
	if (result->status == 0)
		return;
	/* GCC's driver ends with 1 and a message when its compiler is killed. */
	char line[4096];
	bool said = result->status == 128 + SIGKILL;
	rewind(errors);
	while (!said && fgets(line, sizeof line, errors))
		said = strstr(line, "Killed") || strstr(line, "signal 9");
	result->killed = said && (before < 0 || kills() > before);
}

/* Adds a line that is read at the end of the phase. */
static void __attribute__((format(printf, 2, 3))) note(const char *path, const char *format, ...)
{
	char line[PATH_MAX + 128];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	int out = !path ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	/* In one piece, so that lines of several governors do not mix. What cannot be noted is no reason to fail. */
	if (out >= 0 && length < (int)sizeof line && write(out, line, (size_t)length) < 0)
		errno = 0;
	if (out >= 0)
		close(out);
}

/* Finds what the file takes: lines `BYTES MILLISECONDS PATTERN`, where 0 milliseconds are not known. */
static void find_figures(void)
{
	char line[PATH_MAX + 128], here[PATH_MAX];
	const char *name = getenv("GOVERNED_FILE");
	file.name = name && *name ? name : "a file";
	if (*file.name == '/' || !getcwd(here, sizeof here))
		snprintf(file.path, sizeof file.path, "%s", file.name);
	else if (snprintf(file.path, sizeof file.path, "%s/%s", here, file.name) >= (int)sizeof file.path)
		return;
	FILE *figures = fopen(FIGURES, "re");
	while (figures && fgets(line, sizeof line, figures)) {
		long long bytes;
		double milliseconds;
		int pattern;
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%lld %lf %n", &bytes, &milliseconds, &pattern) != 2 ||
		    (strcmp(line + pattern, file.path) != 0 && fnmatch(line + pattern, file.path, 0) != 0))
			continue;
		file.bytes = bytes;
		file.seconds = milliseconds / 1000;
		break;
	}
	if (figures)
		fclose(figures);
}

int main(int count, char **arguments)
{
	(void)count;
	char **command = arguments + 1;
	if (!*command) {
		fputs("governor COMPILER ARGUMENT...: see the comment in governor.c\n", stderr);
		return 2;
	}
	FILE *errors;
	budget = number("MEMORY_BYTES");
	/* A compiler that calls another one has its memory already. */
	if (getenv("GOVERNED") || budget <= 0 || !open_table() || !(errors = tmpfile())) {
		execv(command[0], command);
		fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
		return 127;
	}
	margin = number("MEMORY_MARGIN");
	find_figures();

	struct job *me = enter();
	struct result result;
	bool frugal = file.bytes > budget - margin;
	bool alone = frugal;
	long long unknown = number("MEMORY_PER_JOB");
	long long need = frugal ? budget : file.bytes ? file.bytes : unknown > 0 ? unknown : budget / 4;
	for (;;) {
		lock();
		me->need = need;
		me->seconds = file.seconds;
		me->alone = alone;
		me->running = false;
		me->since = clock_now();
		changed();
		unlock();
		wait_for_turn(me);
		long long began = uptime();
		run(command, frugal, errors, &result);
		bool over = result.killed && alone && frugal;
		/* Where that is too little, at least it is known what does not do. */
		long long took = over ? budget + 1 : result.peak;
		if (result.status == 0 || result.killed)
			note(TOOK, "%lld %lld %ld %s\n", frugal ? 0 : took, frugal ? took : 0, result.milliseconds,
			     file.path);
		note(TIMES, "%lld %lld %s\n", began, uptime(), file.path);
		if (!result.killed)
			break;
		note(KILLED, "%s %s\n", over ? "alone" : "together", file.name);
		if (over)
			break;
		note(getenv("GOVERNOR_LOG"), "%s: the compiler was killed for lack of memory; compiling it again alone\n",
		     file.name);
		/* Alone, and frugally if it was alone already or filled most of the budget by itself. */
		frugal = alone || result.peak > (budget - margin) / 4 * 3;
		alone = true;
		need = budget;
		rewind(errors);
		if (ftruncate(fileno(errors), 0) != 0)
			break;
	}
	lock();
	memset(me, 0, sizeof *me);
	changed();
	unlock();

	char buffer[1 << 16];
	size_t length;
	rewind(errors);
	while ((length = fread(buffer, 1, sizeof buffer, errors)) > 0)
		if (fwrite(buffer, 1, length, stderr) != length)
			break;
	return result.status;
}
