// Which versions of a model to load and which to unload next. Pure: what lies on the disk and what is here go
// in, one step comes out; asked again after the step, until nothing is left to do.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "repository/repository.h"
#include "serving/state.h"

namespace snug::serving {

// Unloading comes first where both are told.
struct VersionPlan {
  std::vector<int64_t> unload;
  std::vector<int64_t> load;
  std::vector<int64_t> kept;  // not wanted, and kept until one that is wanted is READY

  bool operator==(const VersionPlan&) const = default;
};

// `changed`: versions whose files are to be loaded anew. One that is UNAVAILABLE is not tried again until
// they are.
VersionPlan PlanVersions(const repository::ModelEntry& model, const std::map<int64_t, State>& here,
                         const std::set<int64_t>& changed);

}  // namespace snug::serving
