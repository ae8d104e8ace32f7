#ifndef CGROUPS2_GROUP_HPP
#define CGROUPS2_GROUP_HPP

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace unified {

// A control group of version 2: a folder of cgroup2 and the kernel's files in it (Linux, Documentation/admin-guide/cgroup-v2.rst).
// Nothing of Mesos is in here, so that it can be tested on a folder of ordinary files.
//
// What fails throws std::system_error, whose text has the path; isolator.cpp makes a Failure of it.
class Group
{
public:
  explicit Group(const std::string& path) : path_(path) {}

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  Group child(const std::string& name) const { return Group(file(name)); }

  bool exists() const;

  // Whether the kernel has this file: it depends on its version, on the controllers, and on how it was compiled.
  bool has(const std::string& name) const;

  // The groups directly below.
  std::vector<std::string> children() const;

  // Makes the group; it may be there.
  void create() const;

  // Removes the group and those below. False while there is a process in one of them.
  bool remove() const;

  // Hands controllers on to the groups below. No process may be in this one itself.
  void enable(const std::set<std::string>& controllers) const;

  // SIGKILL for every process here and below. Since Linux 5.14 the kernel does it at one stroke; before, a process may fork
  // while it is looked for, so they are frozen first, and the caller calls again until `remove` succeeds.
  void kill() const;

  // How many processes there are, without those of groups below.
  size_t processes() const;

  std::string read(const std::string& name) const;
  void write(const std::string& name, const std::string& value) const;

  // A file with one number. `max` is the largest that there is.
  uint64_t number(const std::string& name) const;

  // A file with a name and a number on each line: memory.stat, memory.events, cpu.stat.
  std::map<std::string, uint64_t> numbers(const std::string& name) const;

  // A file with words: cgroup.controllers.
  std::set<std::string> words(const std::string& name) const;

private:
  std::string path_;
};

} // namespace unified {

#endif // CGROUPS2_GROUP_HPP
