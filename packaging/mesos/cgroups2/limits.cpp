#include "limits.hpp"

#include <algorithm>
#include <cmath>

namespace unified {
namespace {

const uint64_t MEBIBYTE = 1024 * 1024;
const uint64_t GIBIBYTE = 1024 * MEBIBYTE;

const double LEAST_WEIGHT = 1;
const double LARGEST_WEIGHT = 10000;
const double WEIGHT_PER_CPU = 100;
const double WEIGHT_PER_REVOCABLE_CPU = 1;

const uint64_t PERIOD = 100000;
const uint64_t LEAST_QUOTA = 1000;

const uint64_t LEAST_MEMORY = 32 * MEBIBYTE;

} // namespace {


uint64_t cpu_weight(double cpus, bool revocable)
{
  const double weight = std::round(cpus * (revocable ? WEIGHT_PER_REVOCABLE_CPU : WEIGHT_PER_CPU));
  return static_cast<uint64_t>(std::min(std::max(weight, LEAST_WEIGHT), LARGEST_WEIGHT));
}


std::string cpu_max(double cpus)
{
  const uint64_t quota = std::max(static_cast<uint64_t>(std::llround(cpus * PERIOD)), LEAST_QUOTA);
  return std::to_string(quota) + " " + std::to_string(PERIOD);
}


uint64_t memory_limit(uint64_t requested)
{
  return std::max(requested, LEAST_MEMORY);
}


uint64_t memory_of_all(uint64_t machine, uint64_t reserve)
{
  const uint64_t rest = reserve != 0 ? reserve : machine > 2 * GIBIBYTE ? GIBIBYTE / 2 : machine / 4;
  return machine > rest ? machine - rest : 0;
}

} // namespace unified {
