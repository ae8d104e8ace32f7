// What Mesos finds in the library: an isolator, which --isolation calls `cgroups2`.

#include <string>

#include <glog/logging.h>

#include <mesos/mesos.hpp>
#include <mesos/module.hpp>

#include <mesos/module/isolator.hpp>

#include <stout/bytes.hpp>
#include <stout/error.hpp>
#include <stout/foreach.hpp>
#include <stout/numify.hpp>
#include <stout/try.hpp>

#include "isolator.hpp"

using std::string;

using mesos::Parameter;
using mesos::Parameters;

using unified::Settings;

namespace {

Try<Nothing> set(bool& to, const string& value)
{
  if (value != "true" && value != "false") {
    return Error("neither true nor false");
  }
  to = value == "true";
  return Nothing();
}


template <typename T>
Try<Nothing> set(Option<T>& to, const Try<T>& value)
{
  if (value.isError()) {
    return Error(value.error());
  }
  to = value.get();
  return Nothing();
}


Try<Settings> parse(const Parameters& parameters)
{
  Settings settings;
  foreach (const Parameter& parameter, parameters.parameter()) {
    const string& key = parameter.key();
    const string& value = parameter.value();

    Try<Nothing> taken = Nothing();
    if (key == "root") {
      settings.root = value;
    } else if (key == "quota") {
      taken = set(settings.quota, value);
    } else if (key == "limit_swap") {
      taken = set(settings.limit_swap, value);
    } else if (key == "revocable_low") {
      taken = set(settings.revocable_low, value);
    } else if (key == "pids_max") {
      taken = set(settings.pids_max, numify<uint64_t>(value));
    } else if (key == "memory_reserve") {
      taken = set(settings.memory_reserve, Bytes::parse(value));
    } else {
      taken = Error("no such parameter");
    }

    if (taken.isError()) {
      return Error("parameter '" + key + "' = '" + value + "': " + taken.error());
    }
  }
  return settings;
}


mesos::slave::Isolator* create(const Parameters& parameters)
{
  const Try<Settings> settings = parse(parameters);
  if (settings.isError()) {
    LOG(ERROR) << "Isolator cgroups2: " << settings.error();
    return nullptr;
  }

  const Try<mesos::slave::Isolator*> isolator = unified::Isolator::create(settings.get());
  if (isolator.isError()) {
    LOG(ERROR) << "Isolator cgroups2: " << isolator.error();
    return nullptr;
  }
  return isolator.get();
}

} // namespace {


// Without a function that tells with what it is compatible, Mesos takes it with the very version that it was compiled for.
mesos::modules::Module<mesos::slave::Isolator> cgroups2(
    MESOS_MODULE_API_VERSION,
    MESOS_VERSION,
    "Mesos Packages",
    "maintainers@mesos-packages.invalid",
    "Holds containers in control groups of version 2.",
    nullptr,
    create);
