#ifndef CGROUPS2_ISOLATOR_HPP
#define CGROUPS2_ISOLATOR_HPP

#include <string>
#include <vector>

#include <mesos/mesos.hpp>

#include <mesos/slave/isolator.hpp>

#include <process/future.hpp>
#include <process/owned.hpp>

#include <stout/bytes.hpp>
#include <stout/hashset.hpp>
#include <stout/none.hpp>
#include <stout/nothing.hpp>
#include <stout/option.hpp>
#include <stout/try.hpp>

namespace unified {

// The module's parameters. README.Debian, "Control groups", has what they mean for an administrator.
struct Settings
{
  // The group that is ours to divide. systemd makes it and must have handed it over (Delegate=), or whoever starts the agent.
  std::string root = "/sys/fs/cgroup/mesos.slice/mesos-containers.service";

  bool quota = false;
  bool limit_swap = true;
  bool revocable_low = true;
  Option<uint64_t> pids_max = None();
  Option<Bytes> memory_reserve = None();
};


class IsolatorProcess;


// Holds each container in a control group of version 2.
//
// Below `root` is one group for all containers, which has the limit for all, and in it one for each container, named as the
// container. `root` itself has no process (the kernel allows none beside controllers), and its own limits are systemd's.
// Containers that are nested, of a pod or for debugging, share the group of the outermost one, as with version 1.
class Isolator : public mesos::slave::Isolator
{
public:
  static Try<mesos::slave::Isolator*> create(const Settings& settings);

  ~Isolator() override;

  bool supportsNesting() override { return true; }
  bool supportsStandalone() override { return true; }

  process::Future<Nothing> recover(
      const std::vector<mesos::slave::ContainerState>& states,
      const hashset<mesos::ContainerID>& orphans) override;

  process::Future<Option<mesos::slave::ContainerLaunchInfo>> prepare(
      const mesos::ContainerID& containerId,
      const mesos::slave::ContainerConfig& containerConfig) override;

  process::Future<Nothing> isolate(
      const mesos::ContainerID& containerId,
      pid_t pid) override;

  process::Future<mesos::slave::ContainerLimitation> watch(
      const mesos::ContainerID& containerId) override;

  process::Future<Nothing> update(
      const mesos::ContainerID& containerId,
      const mesos::Resources& resources) override;

  process::Future<mesos::ResourceStatistics> usage(
      const mesos::ContainerID& containerId) override;

  process::Future<Nothing> cleanup(
      const mesos::ContainerID& containerId) override;

private:
  explicit Isolator(process::Owned<IsolatorProcess> process);

  process::Owned<IsolatorProcess> process_;
};

} // namespace unified {

#endif // CGROUPS2_ISOLATOR_HPP
