#include "group.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <limits>
#include <memory>
#include <sstream>
#include <system_error>

namespace unified {
namespace {

[[noreturn]] void fail(const std::string& what, int error = errno)
{
  throw std::system_error(error, std::generic_category(), what);
}


struct Descriptor
{
  explicit Descriptor(int value) : value(value) {}
  ~Descriptor() { if (value >= 0) { ::close(value); } }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const int value;
};

} // namespace {


bool Group::exists() const
{
  struct stat status;
  return ::stat(path_.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}


bool Group::has(const std::string& name) const
{
  return ::access(file(name).c_str(), F_OK) == 0;
}


std::vector<std::string> Group::children() const
{
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_.c_str()), ::closedir);
  if (!folder) {
    fail(path_);
  }

  std::vector<std::string> names;
  while (const struct dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    // cgroup2 tells the type of every entry.
    if (entry->d_type == DT_DIR && name != "." && name != "..") {
      names.push_back(name);
    }
  }
  return names;
}


void Group::create() const
{
  if (::mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) {
    fail("make " + path_);
  }
}


bool Group::remove() const
{
  if (!exists()) {
    return true;
  }

  // A task that is root, say one with systemd or Docker in it, may have made groups of its own.
  for (const std::string& name : children()) {
    if (!child(name).remove()) {
      return false;
    }
  }

  if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) {
    return true;
  }
  if (errno == EBUSY) {
    return false;
  }
  fail("remove " + path_);
}


void Group::enable(const std::set<std::string>& controllers) const
{
  std::string value;
  for (const std::string& controller : controllers) {
    value += (value.empty() ? "+" : " +") + controller;
  }
  write("cgroup.subtree_control", value);
}


void Group::kill() const
{
  if (has("cgroup.kill")) {
    write("cgroup.kill", "1");
    return;
  }

  if (has("cgroup.freeze")) {
    write("cgroup.freeze", "1");
  }
  for (const std::string& name : children()) {
    child(name).kill();
  }

  std::istringstream lines(read("cgroup.procs"));
  for (pid_t pid; lines >> pid;) {
    // One that has ended meanwhile is what was wanted.
    if (::kill(pid, SIGKILL) != 0 && errno != ESRCH) {
      fail("kill process " + std::to_string(pid));
    }
  }
}


size_t Group::processes() const
{
  std::istringstream lines(read("cgroup.procs"));
  size_t count = 0;
  for (pid_t pid; lines >> pid;) {
    ++count;
  }
  return count;
}


std::string Group::read(const std::string& name) const
{
  Descriptor descriptor(::open(file(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.value < 0) {
    fail("read " + file(name));
  }

  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t length = ::read(descriptor.value, buffer, sizeof(buffer));
    if (length < 0 && errno == EINTR) {
      continue;
    }
    if (length < 0) {
      fail("read " + file(name));
    }
    if (length == 0) {
      return text;
    }
    text.append(buffer, length);
  }
}


void Group::write(const std::string& name, const std::string& value) const
{
  // Not O_CREAT: a file that the kernel does not have is an error.
  Descriptor descriptor(::open(file(name).c_str(), O_WRONLY | O_CLOEXEC));

  // One write, for each is a command to the kernel.
  if (descriptor.value < 0 || ::write(descriptor.value, value.data(), value.size()) < 0) {
    fail("write " + value + " to " + file(name));
  }
}


uint64_t Group::number(const std::string& name) const
{
  std::istringstream text(read(name));
  uint64_t value;
  if (text >> value) {
    return value;
  }

  text.clear();
  std::string word;
  if (text >> word && word == "max") {
    return std::numeric_limits<uint64_t>::max();
  }
  fail(file(name) + " is no number", EINVAL);
}


std::map<std::string, uint64_t> Group::numbers(const std::string& name) const
{
  std::istringstream text(read(name));
  std::map<std::string, uint64_t> values;
  std::string line;
  while (std::getline(text, line)) {
    std::istringstream fields(line);
    std::string key;
    uint64_t value;
    if (!(fields >> key >> value)) {
      fail(file(name) + " has a line without a number: " + line, EINVAL);
    }
    values[key] = value;
  }
  return values;
}


std::set<std::string> Group::words(const std::string& name) const
{
  std::istringstream text(read(name));
  std::set<std::string> words;
  for (std::string word; text >> word;) {
    words.insert(word);
  }
  return words;
}

} // namespace unified {
