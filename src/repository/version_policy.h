// Which of a model's versions are to be served. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace snug::repository {

struct VersionPolicy {
  enum class Kind { kAll, kLatest, kListed };
  Kind kind = Kind::kAll;
  int latest = 1;               // kLatest: how many
  std::vector<int64_t> listed;  // kListed; none: only those with a label

  bool operator==(const VersionPolicy&) const = default;
};

// Those of `on_disk` (ascending) that the policy wants, ascending. Versions that have a label are always
// among them: a label is there to be asked for.
std::vector<int64_t> ChooseVersions(const VersionPolicy& policy, const std::map<std::string, int64_t>& labels,
                                    const std::vector<int64_t>& on_disk);

}  // namespace snug::repository
