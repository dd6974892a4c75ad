// The decision that the controller acts on: which group holds which copies. Pure, so that the simulator asks
// the same question of the same function.
//
// What Place promises, whatever the policy:
//  - a copy that is wanted and stands in a healthy group stays where it is; Place adds and removes, it never
//  moves;
//  - copies of one model, of the same or of different versions, never share a group;
//  - no copy is added above a group's memory or number of copies, or above all groups' memory; departments,
//  quotas, keep-apart and isolation are held;
//  - the order of `wanted` is irrelevant (largest share first, then by name); the order of `groups` is the
//  rule's;
//  - planning again over a world in which the plan was carried out changes nothing;
//  - every copy is either assigned or in `unplaced`, each with one line that says why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/world.h"

namespace snug::placement {

struct Policy {
  std::string name = "fifty-percent";
  double limit = 0.5;  // of a card: how full the rule lets a group become
  uint64_t seed = 0;   // of `random` only
};

// The policy of that name with its usual limit: 0.5 for fifty-percent, 1 for the others.
// INVALID_ARGUMENT names those there are.
Result<Policy> PolicyNamed(std::string_view name);
std::vector<std::string> PolicyNames();

struct Assignment {
  ModelVersion id;
  std::string group;         // a group's id, or "new group 1", "new group 2", … in the order to make them
  bool is_new_copy = false;  // false: it stands there already
  bool is_new_group = false;
  std::string why;
};

struct Removal {
  ModelVersion id;
  std::string group;
  std::string why;
};

struct Unplaced {
  ModelVersion id;
  uint32_t copies = 0;
  std::string why;
};

struct Plan {
  std::vector<Assignment> assignments;  // by model, version, then kept copies before new ones
  std::vector<Removal> removals;        // by group, then model; copies in failed groups are not listed
  std::vector<Unplaced> unplaced;
};

// INVALID_ARGUMENT when the world contradicts itself: a group or a wanted version named twice, a share
// outside (0, 1], an empty name, a limit outside (0, 4], an unknown policy.
Result<Plan> Place(const World& world, const Policy& policy);

}  // namespace snug::placement
