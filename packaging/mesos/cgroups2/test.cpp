// What needs no kernel with control groups and nothing of Mesos: group, limits and events, on a folder of ordinary files.
// Exit status 0 when every case holds. The last line counts them.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <limits>
#include <set>
#include <string>
#include <system_error>

#include "events.hpp"
#include "group.hpp"
#include "limits.hpp"

using unified::Events;
using unified::Group;

namespace {

int passed = 0;
int failed = 0;


template <typename T, typename U>
void is(const std::string& what, const T& value, const U& expected)
{
  if (value == expected) {
    ++passed;
  } else {
    ++failed;
    std::cerr << "FAILED: " << what << ": " << value << ", expected " << expected << "\n";
  }
}


// throws WHAT TEXT CALL: it fails, and says TEXT.
template <typename F>
void throws(const std::string& what, const std::string& text, F&& call)
{
  try {
    call();
  } catch (const std::system_error& e) {
    is(what + ": '" + e.what() + "' says '" + text + "'", std::string(e.what()).find(text) != std::string::npos, true);
    return;
  }
  is(what + ": fails", false, true);
}


void file(const Group& group, const std::string& name, const std::string& content)
{
  std::ofstream(group.file(name)) << content;
}


void limits()
{
  using namespace unified;
  const uint64_t mib = 1024 * 1024;
  const uint64_t gib = 1024 * mib;

  is("the weight of a CPU is the kernel's default", cpu_weight(1, false), 100u);
  is("1:3 stays 1:3", cpu_weight(0.3, false), 3 * cpu_weight(0.1, false));
  is("hundredths count", cpu_weight(0.29, false), 29u);
  is("the least weight", cpu_weight(0.001, false), 1u);
  is("the weight of nothing", cpu_weight(0, false), 1u);
  is("the largest weight", cpu_weight(128, false), 10000u);
  is("what may be revoked", cpu_weight(4, true), 4u);
  is("what may be revoked, at least", cpu_weight(0.1, true), 1u);

  is("a CPU and a half", cpu_max(1.5), "150000 100000");
  is("no rounding down", cpu_max(0.29), "29000 100000");
  is("the least quota", cpu_max(0.001), "1000 100000");
  is("the quota of nothing", cpu_max(0), "1000 100000");

  is("memory", memory_limit(64 * mib), 64 * mib);
  is("the least memory", memory_limit(1), 32 * mib);
  is("the memory of nothing", memory_limit(0), 32 * mib);

  is("all, 16 GiB", memory_of_all(16 * gib, 0), 16 * gib - 512 * mib);
  is("all, 1 GiB", memory_of_all(gib, 0), 768 * mib);
  is("all, with a reserve", memory_of_all(16 * gib, 2 * gib), 14 * gib);
  is("all, with too large a reserve", memory_of_all(gib, gib), 0u);
  // Else a container within its limit would be killed.
  for (uint64_t machine = 64 * mib; machine < 64 * gib; machine += 64 * mib) {
    const uint64_t offered = machine > 2 * gib ? machine - gib : machine / 2;
    if (memory_of_all(machine, 0) < offered) {
      is("all have at least what Mesos offers of " + std::to_string(machine), memory_of_all(machine, 0), offered);
    }
  }
}


void reading(const Group& group)
{
  file(group, "memory.current", "8192\n");
  is("a number", group.number("memory.current"), 8192u);
  file(group, "memory.max", "max\n");
  is("no limit", group.number("memory.max"), std::numeric_limits<uint64_t>::max());
  file(group, "memory.max", "\n");
  throws("no number", "memory.max is no number", [&] { group.number("memory.max"); });
  file(group, "memory.max", "lots\n");
  throws("a word", "memory.max is no number", [&] { group.number("memory.max"); });
  throws("a file that is not there", "memory.high: No such file", [&] { group.number("memory.high"); });

  file(group, "memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 1\n");
  const auto events = group.numbers("memory.events");
  is("all of the lines", events.size(), 6u);
  is("a line", events.at("oom_kill"), 2u);
  file(group, "cpu.stat", "usage_usec 18446744073709551615\n");
  is("64 bits", group.numbers("cpu.stat").at("usage_usec"), std::numeric_limits<uint64_t>::max());
  file(group, "cpu.stat", "");
  is("an empty file", group.numbers("cpu.stat").empty(), true);
  file(group, "cpu.stat", "usage_usec\n");
  throws("a line without number", "cpu.stat has a line without a number: usage_usec", [&] { group.numbers("cpu.stat"); });

  file(group, "cgroup.controllers", "cpuset cpu io memory pids\n");
  is("words", group.words("cgroup.controllers").size(), 5u);
  is("a word of them", group.words("cgroup.controllers").count("memory"), 1u);

  file(group, "cgroup.procs", "12\n345\n");
  is("processes", group.processes(), 2u);
  file(group, "cgroup.procs", "");
  is("no process", group.processes(), 0u);

  is("a file that is there", group.has("memory.max"), true);
  is("a file that is not there", group.has("memory.peak"), false);
}


void writing(const Group& group)
{
  file(group, "cgroup.subtree_control", "");
  group.enable({"memory", "cpu"});
  is("controllers", group.read("cgroup.subtree_control"), "+cpu +memory");
  throws("a file that the kernel does not have", "write 1 to " + group.file("memory.swap.max"), [&] {
    group.write("memory.swap.max", "1");
  });
  is("it was not made", group.has("memory.swap.max"), false);
}


void folders(const Group& group)
{
  const Group parent = group.child("parent");
  is("not there yet", parent.exists(), false);
  is("nothing to remove", parent.remove(), true);
  parent.create();
  parent.create();
  is("there", parent.exists(), true);
  parent.child("one").create();
  parent.child("one").child("two").create();
  is("below", parent.children().size(), 1u);
  is("removed with what is below", parent.remove(), true);
  is("gone", parent.exists(), false);
  throws("a parent that is not there", "make ", [&] { parent.child("one").create(); });

  parent.create();
  file(parent, "left", "");
  throws("what cannot be removed", "remove " + parent.path(), [&] { parent.remove(); });
}


void killing(const Group& group)
{
  const Group one = group.child("killed");
  one.create();
  file(one, "cgroup.kill", "0");
  one.kill();
  is("at one stroke", one.read("cgroup.kill"), "1");
  ::unlink(one.file("cgroup.kill").c_str());

  // As before Linux 5.14, with a group below.
  const Group two = one.child("below");
  two.create();
  pid_t pids[] = {0, 0, 0};
  for (pid_t& pid : pids) {
    pid = ::fork();
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  // One of them has ended meanwhile.
  ::kill(pids[2], SIGTERM);
  ::waitpid(pids[2], nullptr, 0);
  file(one, "cgroup.freeze", "0");
  file(one, "cgroup.procs", std::to_string(pids[2]) + "\n" + std::to_string(pids[0]) + "\n");
  file(two, "cgroup.procs", std::to_string(pids[1]) + "\n");
  one.kill();
  is("frozen first", one.read("cgroup.freeze"), "1");
  for (pid_t pid : {pids[0], pids[1]}) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    is("killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, true);
  }
}


void watching(const Group& group)
{
  Events events;
  file(group, "a", "0");
  file(group, "b", "0");
  const int a = events.add(group.file("a"));
  const int b = events.add(group.file("b"));
  is("nothing yet", events.changed().size(), 0u);
  file(group, "b", "1");
  file(group, "b", "2");
  const std::set<int> changed = events.changed();
  is("one file, once", changed.size(), 1u);
  is("that one", changed.count(b), 1u);
  ::unlink(group.file("a").c_str());
  is("a file that goes is no change", events.changed().count(a), 0u);
  throws("a file that is not there", "watch " + group.file("c"), [&] { events.add(group.file("c")); });
}

} // namespace {


int main()
{
  char folder[] = "/tmp/cgroups2.XXXXXX";
  if (::mkdtemp(folder) == nullptr) {
    std::cerr << "no folder in /tmp\n";
    return 1;
  }
  const Group group(folder);

  limits();
  reading(group);
  writing(group);
  folders(group);
  killing(group);
  watching(group);

  const int removed = ::system(("rm -r " + group.path()).c_str());
  std::cout << passed << " passed, " << failed << " failed\n";
  return failed == 0 && removed == 0 ? 0 : 1;
}
