#ifndef CGROUPS2_LIMITS_HPP
#define CGROUPS2_LIMITS_HPP

#include <cstdint>
#include <string>

namespace unified {

// What a container's resources are for the kernel. The same rules as in Mesos' isolators for version 1, where there are any.

// cpu.weight: 100, the kernel's default, for each CPU, as `cpu.shares` has 1024. Only the ratio of containers counts. The
// kernel takes 1 to 10000, so that the least is a hundredth of a CPU, and above 100 CPUs the ratio is no longer kept.
// What may be revoked is 1 for each CPU: it gets what others leave.
uint64_t cpu_weight(double cpus, bool revocable);

// cpu.max: microseconds in each period of 100 ms, the kernel's default; not less than 1 ms.
std::string cpu_max(double cpus);

// memory.max, in bytes: not less than 32 MiB, which an executor alone needs.
uint64_t memory_limit(uint64_t requested);

// What all containers together may have of the machine's memory, in bytes. `reserve` is what stays for the rest of the
// machine; 0 is half of what Mesos by itself leaves out of its offers (1 GiB, or a half of the memory up to 2 GiB), so
// that the limits of containers are always reached before this one, unless more is offered than there is.
uint64_t memory_of_all(uint64_t machine, uint64_t reserve);

} // namespace unified {

#endif // CGROUPS2_LIMITS_HPP
