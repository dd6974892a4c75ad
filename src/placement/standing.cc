#include "placement/standing.h"

#include <fmt/format.h>

#include <algorithm>

namespace snug::placement {
namespace {

constexpr double kQuotaTolerance = 1e-9;  // sums of decimal shares are not exact

}  // namespace

StandingCopies::StandingCopies(const Holders& holders, const CopiesWantedOf& wanted) {
  for (const auto& [id, places] : holders) {
    CopiesWanted want = wanted(id);
    std::vector<std::string> order = places;
    std::stable_partition(order.begin(), order.end(), [&](const std::string& place) {
      return std::find(want.pinned.begin(), want.pinned.end(), place) != want.pinned.end();
    });
    for (size_t i = 0; i < order.size() && i < want.copies; ++i) left_[{id, order[i]}] += 1;
  }
}

bool StandingCopies::Keep(const ModelVersion& id, const std::string& place) {
  auto left = left_.find({id, place});
  if (left == left_.end() || left->second == 0) return false;
  left->second -= 1;
  return true;
}

std::string WhyRemoved(uint32_t copies_wanted) {
  if (copies_wanted == 0) return "no longer wanted";
  return fmt::format("{} {} wanted and {} elsewhere", copies_wanted,
                     copies_wanted == 1 ? "copy is" : "copies are", copies_wanted == 1 ? "stands" : "stand");
}

bool Quotas::Allow(const std::string& department, double cards, std::string& why_not) const {
  auto quota = cards_max_.find(department);
  if (quota == cards_max_.end()) return true;
  auto used = used_.find(department);
  double have = used == used_.end() ? 0.0 : used->second;
  if (have + cards <= quota->second + kQuotaTolerance) return true;
  why_not = fmt::format("department {} has {:.2f} cards' share and uses {:.2f}; {:.2f} more is above it",
                        department, quota->second, have, cards);
  return false;
}

}  // namespace snug::placement
