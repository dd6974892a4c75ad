#include "serving/version_plan.h"

#include <algorithm>

namespace snug::serving {
namespace {

std::vector<int64_t> Wanted(const repository::ModelEntry& model) {
  std::vector<int64_t> on_disk;
  for (const auto& [version, unused] : model.versions) on_disk.push_back(version);
  return repository::ChooseVersions(model.config.versions, model.config.labels, on_disk);
}

}  // namespace

VersionPlan PlanVersions(const repository::ModelEntry& model, const std::map<int64_t, State>& here,
                         const std::set<int64_t>& changed) {
  const std::vector<int64_t> wanted = Wanted(model);
  VersionPlan plan;
  bool one_is_ready = false;
  bool all_settled = true;
  for (int64_t version : wanted) {
    auto now = here.find(version);
    if (now == here.end() || now->second == State::kUnloading || changed.contains(version)) {
      plan.load.push_back(version);
      continue;
    }
    one_is_ready |= now->second == State::kReady || now->second == State::kStandby;
    all_settled &= now->second != State::kLoading;
  }
  for (const auto& [version, state] : here) {
    const bool stays = std::find(wanted.begin(), wanted.end(), version) != wanted.end();
    if (!stays && state != State::kUnloading) plan.unload.push_back(version);
  }
  if (model.config.swap == repository::Swap::kFrugal || wanted.empty()) return plan;
  // Available: nothing goes before its successor answers. While there is something to load, that is looked at
  // anew afterwards.
  if (plan.load.empty() && all_settled && one_is_ready) return plan;
  plan.kept = std::move(plan.unload);
  plan.unload.clear();
  return plan;
}

}  // namespace snug::serving
