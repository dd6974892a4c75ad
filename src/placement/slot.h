// A group while a plan is being made: what it would hold if the plan so far were carried out.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "placement/world.h"

namespace snug::placement {

struct Slot {
  std::string id;
  bool open = true;
  bool is_new = false;
  std::string department;
  double use = 0;        // measured, plus the shares of what is not measured yet
  double requested = 0;  // sum of the shares
  uint64_t memory_bytes_max = 0;
  uint64_t memory_bytes = 0;
  uint32_t copies_max = 0;
  uint32_t copies = 0;
  bool guaranteed = false;  // holds a copy of the guaranteed class
  bool alone = false;       // holds a copy that must be alone
  std::set<std::string> models;
  std::set<std::string> kept_away;  // models that something in here must not meet
  std::vector<double> profile;      // summed use per bucket; empty until something with a profile is here
  double unprofiled = 0;            // shares of the copies without a profile

  void Add(const Wanted& wanted);
};

// Opens a slot over a group, holding the copies of it whose index is in `kept`.
Slot MakeSlot(const Group& group, const std::vector<const HeldCopy*>& kept,
              const std::map<ModelVersion, const Wanted*>& wanted_by_id);

// The hard wall, whatever the policy: why the copy cannot stand there ("its memory would be 23.0 of 22.0
// GiB"), or nothing.
std::optional<std::string> Obstacle(const Slot& slot, const Wanted& wanted);

// The largest use of the card over the time buckets if `wanted` came too; copies without a profile count with
// their shares all the time.
double PeakWith(const Slot& slot, const Wanted& wanted);

}  // namespace snug::placement
