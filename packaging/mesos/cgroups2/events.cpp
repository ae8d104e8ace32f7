#include "events.hpp"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <system_error>

namespace unified {

Events::Events() : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC))
{
  if (descriptor_ < 0) {
    throw std::system_error(errno, std::generic_category(), "inotify");
  }
}


Events::~Events()
{
  ::close(descriptor_);
}


int Events::add(const std::string& path)
{
  const int number = ::inotify_add_watch(descriptor_, path.c_str(), IN_MODIFY);
  if (number < 0) {
    throw std::system_error(errno, std::generic_category(), "watch " + path);
  }
  return number;
}


std::set<int> Events::changed()
{
  std::set<int> numbers;
  alignas(struct inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t length = ::read(descriptor_, buffer, sizeof(buffer));
    if (length < 0 && errno == EINTR) {
      continue;
    }
    if (length <= 0) {
      return numbers;
    }
    for (const char* next = buffer; next < buffer + length;) {
      const struct inotify_event* event = reinterpret_cast<const struct inotify_event*>(next);
      if (event->mask & IN_Q_OVERFLOW) {
        numbers.insert(int(LOST));
      } else if (event->mask & IN_MODIFY) {
        numbers.insert(event->wd);
      }
      next += sizeof(*event) + event->len;
    }
  }
}

} // namespace unified {
