// Cgroups that limit the CPU of child processes: version 2, or the `cpu` hierarchy of version 1.
//
// `root` stands for / in the functions that take it: tests give a directory that looks like a machine.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace snug::os {

// The cgroup of this process for a controller, below the mount: "/slice/pod".
std::string OwnCgroup(const std::string& root, std::string_view controller);

// Makes (or finds) a cgroup below our own and sets its quota, and its weight to that of a process a core;
// returns its directory, for SpawnOptions. More than our own quota is cut to that: the kernel refuses it.
// `name` has no slash. FAILED_PRECONDITION or PERMISSION_DENIED where the machine does not allow it: the
// caller goes on without and says so.
Result<std::string> MakeCpuCgroup(const std::string& name, double cores);
Result<std::string> MakeCpuCgroupAt(const std::string& root, const std::string& name, double cores);

// OK when it is gone already. FAILED_PRECONDITION (EBUSY) while processes are in it.
Status RemoveCgroup(const std::string& directory);

}  // namespace snug::os
