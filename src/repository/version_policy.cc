#include "repository/version_policy.h"

#include <algorithm>
#include <cstddef>

namespace snug::repository {

std::vector<int64_t> ChooseVersions(const VersionPolicy& policy, const std::map<std::string, int64_t>& labels,
                                    const std::vector<int64_t>& on_disk) {
  using Kind = VersionPolicy::Kind;
  const auto newest =
      on_disk.end() - std::min<std::ptrdiff_t>(policy.latest, static_cast<std::ptrdiff_t>(on_disk.size()));
  std::vector<int64_t> chosen;
  for (auto version = on_disk.begin(); version != on_disk.end(); ++version) {
    const bool by_policy =
        policy.kind == Kind::kAll || (policy.kind == Kind::kLatest && version >= newest) ||
        (policy.kind == Kind::kListed &&
         std::find(policy.listed.begin(), policy.listed.end(), *version) != policy.listed.end());
    const bool labelled = std::any_of(labels.begin(), labels.end(),
                                      [&](const auto& label) { return label.second == *version; });
    if (by_policy || labelled) chosen.push_back(*version);
  }
  return chosen;
}

}  // namespace snug::repository
