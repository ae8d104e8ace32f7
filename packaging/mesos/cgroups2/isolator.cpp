#include "isolator.hpp"

#include <exception>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include <glog/logging.h>

#include <mesos/resources.hpp>
#include <mesos/type_utils.hpp>

#include <process/after.hpp>
#include <process/clock.hpp>
#include <process/defer.hpp>
#include <process/dispatch.hpp>
#include <process/io.hpp>
#include <process/process.hpp>

#include <stout/duration.hpp>
#include <stout/foreach.hpp>
#include <stout/hashmap.hpp>
#include <stout/os.hpp>
#include <stout/stringify.hpp>

#include "events.hpp"
#include "group.hpp"
#include "limits.hpp"

using std::map;
using std::set;
using std::string;
using std::vector;

using process::Clock;
using process::Failure;
using process::Future;
using process::Owned;
using process::Promise;
using process::Time;

using mesos::ContainerID;
using mesos::Resources;
using mesos::ResourceStatistics;
using mesos::TaskStatus;

using mesos::slave::ContainerConfig;
using mesos::slave::ContainerLaunchInfo;
using mesos::slave::ContainerLimitation;
using mesos::slave::ContainerState;

namespace unified {
namespace {

const set<string> CONTROLLERS = {"cpu", "memory", "pids"};

// How long processes that were killed may take to be gone; one that waits for a disk takes as long as the disk.
const Duration END_TIMEOUT = Minutes(1);


const ContainerID& outermost(const ContainerID& id)
{
  return id.has_parent() ? outermost(id.parent()) : id;
}


// The kernel's counters, where they are there.
Option<uint64_t> find(const map<string, uint64_t>& numbers, const string& name)
{
  const auto number = numbers.find(name);
  return number == numbers.end() ? Option<uint64_t>::none() : number->second;
}


double seconds(uint64_t microseconds) { return microseconds / 1e6; }

} // namespace {


class IsolatorProcess : public process::Process<IsolatorProcess>
{
public:
  IsolatorProcess(const Settings& settings, const Group& all)
    : ProcessBase(process::ID::generate("cgroups2-isolator")),
      settings(settings),
      all(all) {}

  Future<Nothing> recover(const vector<ContainerState>& states, const hashset<ContainerID>& orphans);
  Future<Option<ContainerLaunchInfo>> prepare(const ContainerID& id, const ContainerConfig& config);
  Future<Nothing> isolate(const ContainerID& id, pid_t pid);
  Future<ContainerLimitation> watch(const ContainerID& id);
  Future<Nothing> update(const ContainerID& id, const Resources& resources);
  Future<ResourceStatistics> usage(const ContainerID& id);
  Future<Nothing> cleanup(const ContainerID& id);

protected:
  void initialize() override { listen(); }
  void finalize() override { changes.discard(); }

private:
  struct Container
  {
    // None for a container that was started without this isolator, before an upgrade say. It runs on as it was started: a
    // limit that it never had could kill it at once.
    Option<Group> group;
    Promise<ContainerLimitation> limitation;
  };

  // Makes a failure of what the control groups throw.
  template <typename T, typename F>
  static Future<T> attempt(const ContainerID& id, F&& f)
  {
    try {
      return f();
    } catch (const std::exception& e) {
      return Failure("Control group of container " + stringify(id) + ": " + e.what());
    }
  }

  // Does something with the control group of a container that is not nested; of one that has none there is nothing to do.
  template <typename T, typename F>
  Future<T> in_group(const ContainerID& id, F&& f)
  {
    if (id.has_parent()) {
      return Failure("Not supported for nested containers");
    }

    if (!containers.contains(id)) {
      return Failure("Unknown container");
    }

    const Option<Group>& group = containers.at(id)->group;
    return group.isNone() ? Future<T>(T()) : attempt<T>(id, [&]() { return f(group.get()); });
  }

  void take(const ContainerID& id, const Option<Group>& group);
  void limit(const Group& group, const Resources& resources, bool fresh);
  ResourceStatistics statistics(const Group& group) const;

  void listen();
  void look(const ContainerID& id);

  Future<Nothing> end(const ContainerID& id, const Group& group, const Time& deadline);

  const Settings settings;

  // The group of all containers.
  const Group all;

  hashmap<ContainerID, Owned<Container>> containers;

  Events events;
  hashmap<int, ContainerID> watched;
  Future<short> changes;
};


// Begins to answer for a container.
void IsolatorProcess::take(const ContainerID& id, const Option<Group>& group)
{
  Owned<Container> container(new Container());
  container->group = group;
  containers[id] = container;

  if (group.isSome()) {
    watched[events.add(group->file("memory.events"))] = id;
    // The kernel may have acted while no agent looked.
    look(id);
  }
}


Future<Nothing> IsolatorProcess::recover(
    const vector<ContainerState>& states,
    const hashset<ContainerID>& orphans)
{
  try {
    foreach (const ContainerState& state, states) {
      const ContainerID& id = state.container_id();
      if (id.has_parent()) {
        continue;
      }

      const Group group = all.child(id.value());
      if (group.exists()) {
        take(id, group);
      } else {
        LOG(WARNING) << "Container " << id << " has no control group in " << all.path() << ": it has ended, or was "
                     << "started without this isolator; then it runs on without limits";
        take(id, None());
      }
    }

    foreach (const string& name, all.children()) {
      ContainerID id;
      id.set_value(name);
      if (containers.contains(id)) {
        continue;
      }

      take(id, all.child(name));

      // The containerizer ends the orphans that it knows.
      if (!orphans.contains(id)) {
        LOG(INFO) << "Nobody knows of container " << id << ": ending it";
        cleanup(id)
          .onFailed([id](const string& failure) { LOG(ERROR) << failure; });
      }
    }
  } catch (const std::exception& e) {
    return Failure(string("Control groups of the containers: ") + e.what());
  }

  return Nothing();
}


Future<Option<ContainerLaunchInfo>> IsolatorProcess::prepare(
    const ContainerID& id,
    const ContainerConfig& config)
{
  if (id.has_parent()) {
    return None();
  }

  if (containers.contains(id)) {
    return Failure("Container has already been prepared");
  }

  return attempt<Option<ContainerLaunchInfo>>(id, [&]() -> Future<Option<ContainerLaunchInfo>> {
    const Group group = all.child(id.value());
    if (group.exists()) {
      return Failure("The control group " + group.path() + " is already there");
    }

    group.create();
    take(id, group);

    // One process that is killed alone leaves a container that does half of its work.
    group.write("memory.oom.group", "1");
    // A kernel without swap, or told not to count it, has no such file.
    if (settings.limit_swap && group.has("memory.swap.max")) {
      group.write("memory.swap.max", "0");
    }
    if (settings.pids_max.isSome()) {
      group.write("pids.max", stringify(settings.pids_max.get()));
    }

    limit(group, config.resources(), true);
    return None();
  });
}


// Says to the kernel what a container may have. Throws when the kernel does not take it. An executor may have nothing of its own
// (upstream's examples have not): between two tasks it then has no resources at all, and is held to the least.
void IsolatorProcess::limit(const Group& group, const Resources& resources, bool fresh)
{
  const double cpus = resources.cpus().getOrElse(0);
  const Bytes mem = resources.mem().getOrElse(Bytes(0));

  const bool revocable = settings.revocable_low && resources.revocable().cpus().isSome();
  const uint64_t weight = cpu_weight(cpus, revocable);
  group.write("cpu.weight", stringify(weight));

  const string quota = settings.quota ? cpu_max(cpus) : "max";
  group.write("cpu.max", quota);

  // Under pressure the kernel takes first from those who are above it.
  const uint64_t memory = memory_limit(mem.bytes());
  group.write("memory.low", stringify(memory));

  // A limit below what is used would be an order to kill. It then stays, until an update finds the container below.
  const bool fits = fresh || memory >= group.number("memory.current");
  if (fits) {
    group.write("memory.max", stringify(memory));
  }

  LOG(INFO) << "Control group " << group.path() << ": cpu.weight " << weight << ", cpu.max '" << quota << "', "
            << (fits ? "memory.max " : "memory.low (more than that is in use: memory.max stays as it is) ")
            << Bytes(memory);
}


Future<Nothing> IsolatorProcess::isolate(const ContainerID& id, pid_t pid)
{
  const Option<Owned<Container>> container = containers.get(outermost(id));
  if (container.isNone()) {
    return Failure("Unknown container");
  }

  const Option<Group>& group = container.get()->group;
  if (group.isNone()) {
    return Nothing();
  }

  return attempt<Nothing>(id, [&]() -> Future<Nothing> {
    group->write("cgroup.procs", stringify(pid));
    return Nothing();
  });
}


Future<ContainerLimitation> IsolatorProcess::watch(const ContainerID& id)
{
  // It is the outermost container that reaches the limit.
  if (id.has_parent()) {
    return Future<ContainerLimitation>();
  }

  if (!containers.contains(id)) {
    return Failure("Unknown container");
  }

  return containers.at(id)->limitation.future();
}


void IsolatorProcess::listen()
{
  changes = process::io::poll(events.descriptor(), process::io::READ);
  changes.onAny(defer(self(), [this](const Future<short>& future) {
    if (!future.isReady()) {
      LOG_IF(ERROR, future.isFailed()) << "No more events of control groups: " << future.failure();
      return;
    }

    const set<int> changed = events.changed();
    foreachpair (int number, const ContainerID& id, watched) {
      if (changed.count(number) > 0 || changed.count(int(Events::LOST)) > 0) {
        look(id);
      }
    }
    listen();
  }));
}


// Has the kernel killed for want of memory? It is told once.
void IsolatorProcess::look(const ContainerID& id)
{
  if (!containers.contains(id) || containers.at(id)->group.isNone() || !containers.at(id)->limitation.future().isPending()) {
    return;
  }

  const Group& group = containers.at(id)->group.get();
  try {
    const map<string, uint64_t> counts = group.numbers("memory.events");
    if (find(counts, "oom_kill").getOrElse(0) == 0) {
      return;
    }

    const Bytes limit(group.number("memory.max"));
    // Since Linux 5.19; before, who has reached the limit has used that much.
    const bool reached = find(counts, "oom").getOrElse(0) > 0;
    const Bytes used(group.has("memory.peak") ? group.number("memory.peak")
                     : reached ? limit.bytes() : group.number("memory.current"));

    // The first words, and the figures, are those of Mesos' own isolator for version 1.
    std::ostringstream message;
    message << (reached ? "Memory limit exceeded: "
                        : "The machine, or all containers together, had no memory left: the kernel chose this container. ")
            << "Requested: " << limit << " Maximum Used: " << used << "\n\n"
            << "MEMORY EVENTS: \n" << group.read("memory.events") << "\n"
            << "MEMORY STATISTICS (after the kernel has killed): \n" << group.read("memory.stat");

    LOG(INFO) << "Container " << id << ": " << message.str();

    ContainerLimitation limitation;
    limitation.set_reason(TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY);
    limitation.set_message(message.str());
    // Without a role: a resource that has one is in the format of before Mesos 1.3, which makes the agent abort.
    mesos::Resource* mem = limitation.add_resources();
    mem->set_name("mem");
    mem->set_type(mesos::Value::SCALAR);
    mem->mutable_scalar()->set_value(static_cast<double>(used.bytes()) / Bytes::MEGABYTES);

    containers.at(id)->limitation.set(limitation);
  } catch (const std::exception& e) {
    // It is being removed.
    LOG(INFO) << "Container " << id << ": " << e.what();
  }
}


Future<Nothing> IsolatorProcess::update(const ContainerID& id, const Resources& resources)
{
  return in_group<Nothing>(id, [&](const Group& group) -> Future<Nothing> {
    limit(group, resources, false);
    return Nothing();
  });
}


Future<ResourceStatistics> IsolatorProcess::usage(const ContainerID& id)
{
  return in_group<ResourceStatistics>(
      id, [&](const Group& group) -> Future<ResourceStatistics> { return statistics(group); });
}


ResourceStatistics IsolatorProcess::statistics(const Group& group) const
{
  ResourceStatistics result;

  result.set_processes(group.processes());
  result.set_threads(group.number("pids.current"));

  const map<string, uint64_t> cpu = group.numbers("cpu.stat");
  result.set_cpus_user_time_secs(seconds(find(cpu, "user_usec").getOrElse(0)));
  result.set_cpus_system_time_secs(seconds(find(cpu, "system_usec").getOrElse(0)));
  if (settings.quota) {
    result.set_cpus_nr_periods(find(cpu, "nr_periods").getOrElse(0));
    result.set_cpus_nr_throttled(find(cpu, "nr_throttled").getOrElse(0));
    result.set_cpus_throttled_time_secs(seconds(find(cpu, "throttled_usec").getOrElse(0)));
  }

  const uint64_t total = group.number("memory.current");
  result.set_mem_total_bytes(total);
  result.set_mem_soft_limit_bytes(group.number("memory.low"));

  // Each under both of its names.
  const map<string, uint64_t> memory = group.numbers("memory.stat");
  result.set_mem_rss_bytes(find(memory, "anon").getOrElse(0));
  result.set_mem_anon_bytes(result.mem_rss_bytes());
  result.set_mem_cache_bytes(find(memory, "file").getOrElse(0));
  result.set_mem_file_bytes(result.mem_cache_bytes());
  result.set_mem_mapped_file_bytes(find(memory, "file_mapped").getOrElse(0));
  result.set_mem_unevictable_bytes(find(memory, "unevictable").getOrElse(0));
  if (group.has("memory.swap.current")) {
    result.set_mem_swap_bytes(group.number("memory.swap.current"));
    result.set_mem_total_memsw_bytes(total + result.mem_swap_bytes());
  }

  // Version 2 has no levels of pressure. What comes nearest: how often the limit was met and memory had to be found, and how
  // often there was none to be found.
  const map<string, uint64_t> events = group.numbers("memory.events");
  result.set_mem_low_pressure_counter(find(events, "max").getOrElse(0));
  result.set_mem_critical_pressure_counter(find(events, "oom").getOrElse(0));

  return result;
}


Future<Nothing> IsolatorProcess::cleanup(const ContainerID& id)
{
  // Not known: one that is nested, or one whose `prepare` was never called.
  if (id.has_parent() || !containers.contains(id)) {
    return Nothing();
  }

  const Option<Group> group = containers.at(id)->group;
  if (group.isNone()) {
    containers.erase(id);
    return Nothing();
  }

  // It may have exited because the kernel killed it, and been found before the event was.
  look(id);

  return end(id, group.get(), Clock::now() + END_TIMEOUT);
}


// Whatever the launcher has left: what forked twice, began a session of its own and is nobody's child any more.
Future<Nothing> IsolatorProcess::end(const ContainerID& id, const Group& group, const Time& deadline)
{
  return attempt<Nothing>(id, [&]() -> Future<Nothing> {
    if (group.exists() && !group.remove()) {
      if (Clock::now() > deadline) {
        return Failure(
            "Processes in " + group.path() + " do not end although they were killed, within " + stringify(END_TIMEOUT));
      }

      group.kill();
      return process::after(Milliseconds(10)).then(defer(self(), &IsolatorProcess::end, id, group, deadline));
    }

    // The numbers of files that are gone stay; the kernel gives none out twice.
    for (auto entry = watched.begin(); entry != watched.end();) {
      entry = entry->second == id ? watched.erase(entry) : std::next(entry);
    }
    containers.erase(id);
    return Nothing();
  });
}


Try<mesos::slave::Isolator*> Isolator::create(const Settings& settings)
{
  const Group root(settings.root);
  try {
    if (!root.has("cgroup.controllers")) {
      return Error(
          root.path() + " is no control group of version 2. The unit mesos-containers.service makes it; for another one, "
          "set the module's parameter 'root'");
    }

    const set<string> controllers = root.words("cgroup.controllers");
    foreach (const string& controller, CONTROLLERS) {
      if (controllers.count(controller) == 0) {
        return Error(
            root.path() + " has no controller '" + controller + "': it was not handed over (Delegate= of the unit), or is "
            "switched off, or version 1 of control groups has it");
      }
    }

    root.enable(CONTROLLERS);

    const Group all = root.child("containers");
    all.create();
    all.enable(CONTROLLERS);

    const Try<os::Memory> memory = os::memory();
    if (memory.isError()) {
      return Error("The size of the machine's memory: " + memory.error());
    }
    const uint64_t limit =
      memory_of_all(memory->total.bytes(), settings.memory_reserve.getOrElse(Bytes(0)).bytes());
    if (limit == 0) {
      return Error("'memory_reserve' leaves nothing of the machine's " + stringify(memory->total));
    }
    all.write("memory.max", stringify(limit));

    LOG(INFO) << "Containers are held by control groups of version 2 in " << all.path() << ", all together within "
              << Bytes(limit) << " of memory";

    return new Isolator(Owned<IsolatorProcess>(new IsolatorProcess(settings, all)));
  } catch (const std::exception& e) {
    return Error(e.what());
  }
}


Isolator::Isolator(Owned<IsolatorProcess> process) : process_(process)
{
  process::spawn(process_.get());
}


Isolator::~Isolator()
{
  process::terminate(process_.get());
  process::wait(process_.get());
}


Future<Nothing> Isolator::recover(const vector<ContainerState>& states, const hashset<ContainerID>& orphans)
{
  return dispatch(process_.get(), &IsolatorProcess::recover, states, orphans);
}


Future<Option<ContainerLaunchInfo>> Isolator::prepare(const ContainerID& id, const ContainerConfig& config)
{
  return dispatch(process_.get(), &IsolatorProcess::prepare, id, config);
}


Future<Nothing> Isolator::isolate(const ContainerID& id, pid_t pid)
{
  return dispatch(process_.get(), &IsolatorProcess::isolate, id, pid);
}


Future<ContainerLimitation> Isolator::watch(const ContainerID& id)
{
  return dispatch(process_.get(), &IsolatorProcess::watch, id);
}


Future<Nothing> Isolator::update(const ContainerID& id, const Resources& resources)
{
  return dispatch(process_.get(), &IsolatorProcess::update, id, resources);
}


Future<ResourceStatistics> Isolator::usage(const ContainerID& id)
{
  return dispatch(process_.get(), &IsolatorProcess::usage, id);
}


Future<Nothing> Isolator::cleanup(const ContainerID& id)
{
  return dispatch(process_.get(), &IsolatorProcess::cleanup, id);
}

} // namespace unified {
