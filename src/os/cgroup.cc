#include "os/cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <sstream>

#include "os/cpu_budget.h"
#include "os/files.h"

namespace snug::os {
namespace {

constexpr int64_t kPeriodUs = 100'000;
constexpr int64_t kQuotaUsMin = 1'000;  // the kernel's own

int64_t QuotaUs(double cores) {
  return std::max(kQuotaUsMin, static_cast<int64_t>(cores * kPeriodUs));
}

// A control file takes one write of the whole value.
Status WriteControl(const std::string& path, const std::string& value) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return ErrnoError(errno, path);
  bool failed = std::fwrite(value.data(), 1, value.size(), file) != value.size();
  failed = std::fclose(file) != 0 || failed;
  return failed ? ErrnoError(errno, path + ": " + value) : Status();
}

Status MakeDirectory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(errno, directory);
  return {};
}

// Version 2 gives a child the files of a controller only when its parent says so.
Status EnableCpuV2(const std::string& parent) {
  const std::string path = parent + "/cgroup.subtree_control";
  SNUG_ASSIGN_OR_RETURN(std::string enabled, ReadFile(path));
  std::istringstream names(enabled);
  for (std::string name; names >> name;) {
    if (name == "cpu") return {};
  }
  return WriteControl(path, "+cpu");
}

// A group weighs as much as one process unless told otherwise: a busy server of four cores would get a fourth
// of what it gets without a group. So its weight is that of a process for each core.
Status LimitV2(const std::string& directory, double cores) {
  constexpr double kWeightOfProcess = 100;
  const int64_t weight = std::clamp<int64_t>(std::lround(cores * kWeightOfProcess), 1, 10'000);
  SNUG_RETURN_IF_ERROR(WriteControl(directory + "/cpu.weight", fmt::format("{}", weight)));
  return WriteControl(directory + "/cpu.max", fmt::format("{} {}", QuotaUs(cores), kPeriodUs));
}

Status LimitV1(const std::string& directory, double cores) {
  constexpr double kSharesOfProcess = 1024;
  const int64_t shares = std::clamp<int64_t>(std::lround(cores * kSharesOfProcess), 2, 262'144);
  SNUG_RETURN_IF_ERROR(WriteControl(directory + "/cpu.shares", fmt::format("{}", shares)));
  SNUG_RETURN_IF_ERROR(WriteControl(directory + "/cpu.cfs_period_us", fmt::format("{}", kPeriodUs)));
  return WriteControl(directory + "/cpu.cfs_quota_us", fmt::format("{}", QuotaUs(cores)));
}

}  // namespace

std::string OwnCgroup(const std::string& root, std::string_view controller) {
  auto text = ReadFile(root + "/proc/self/cgroup");
  if (!text.ok()) return "/";
  std::istringstream lines(*text);
  std::string v2 = "/";
  for (std::string line; std::getline(lines, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names == ",,") v2 = line.substr(second + 1);
    if (names.find("," + std::string(controller) + ",") != std::string::npos) return line.substr(second + 1);
  }
  return v2;
}

Result<std::string> MakeCpuCgroupAt(const std::string& root, const std::string& name, double cores) {
  const std::string mount = root + "/sys/fs/cgroup";
  const bool v2 = Exists(mount + "/cgroup.controllers");
  if (!v2 && !Exists(mount + "/cpu/cpu.shares")) {
    return FailedPrecondition("no cgroup v2 and no cpu hierarchy of v1 at {}", mount);
  }
  const std::string parent = mount + (v2 ? "" : "/cpu") + OwnCgroup(root, "cpu");
  if (v2) SNUG_RETURN_IF_ERROR(EnableCpuV2(parent));
  const std::string directory = (parent.ends_with('/') ? parent : parent + "/") + name;
  SNUG_RETURN_IF_ERROR(MakeDirectory(directory));
  const double allowed = std::min(cores, CpuQuotaAt(root).value_or(cores));
  Status status = v2 ? LimitV2(directory, allowed) : LimitV1(directory, allowed);
  if (!status.ok()) {
    ::rmdir(directory.c_str());
    return status;
  }
  return directory;
}

Result<std::string> MakeCpuCgroup(const std::string& name, double cores) {
  return MakeCpuCgroupAt("", name, cores);
}

Status RemoveCgroup(const std::string& directory) {
  if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, directory);
  return {};
}

}  // namespace snug::os
