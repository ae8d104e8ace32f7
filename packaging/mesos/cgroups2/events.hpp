#ifndef CGROUPS2_EVENTS_HPP
#define CGROUPS2_EVENTS_HPP

#include <set>
#include <string>

namespace unified {

// Tells which of many files of control groups have changed. The kernel reports a change of memory.events as if the file had
// been written to: inotify(7), IN_MODIFY.
class Events
{
public:
  static const int LOST = -1;

  Events();
  ~Events();
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // Can be read from when something has changed.
  int descriptor() const { return descriptor_; }

  // Begins to look at a file; the number is the file's from then on, and goes when the file does.
  int add(const std::string& path);

  // The numbers of the files that have changed since the last call. Never waits. With LOST among them, any file may have: the
  // kernel keeps no more than so many events.
  std::set<int> changed();

private:
  int descriptor_;
};

} // namespace unified {

#endif // CGROUPS2_EVENTS_HPP
