// What placement decides over, as plain values: groups with what they hold and really use, and the models
// wanted. Nothing here knows a clock, a file or a thread; whoever calls fills the values in.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace snug::placement {

struct ModelVersion {
  std::string model;
  int64_t version = 0;

  auto operator<=>(const ModelVersion&) const = default;
};

// "ocr@3"
std::string Name(const ModelVersion& version);

enum class Isolation {
  kShared,      // requests may add up to more than the card: peaks that do not coincide share it
  kGuaranteed,  // in its group the requests never add up to more than one card
  kAlone,       // nothing else in its group
};

// A copy of a model that a group holds now.
struct HeldCopy {
  ModelVersion id;
  double share = 0;           // of a card, as asked for: 0.01-1
  uint64_t memory_bytes = 0;  // of the card
  bool measured = true;       // false: too young for Group::use to hold it, so its share is counted instead
  Isolation isolation = Isolation::kShared;
  std::vector<float>
      profile;  // use of a card per time bucket, as measured; empty: unknown, its share is taken
};

enum class GroupState {
  kOpen,    // takes copies
  kClosed,  // keeps what it has and takes nothing: drained, being updated
  kFailed,  // what it holds is lost and must be served elsewhere
};

// The models that share a server and its card.
struct Group {
  std::string id;
  GroupState state = GroupState::kOpen;
  std::string department;     // only this department's models enter; "": models without a department
  double use = 0;             // measured mean use of the card over the last 24 h, 1 = the whole card
  uint64_t memory_bytes = 0;  // of the card, for models; 0: not limited
  uint32_t copies_max = 0;    // 0: not limited
  std::vector<HeldCopy> copies;
};

// A model's version that somebody wants served.
struct Wanted {
  ModelVersion id;
  double share = 0.1;
  uint32_t copies = 1;  // each in a group of its own
  std::string department;
  uint64_t memory_bytes = 0;
  Isolation isolation = Isolation::kShared;
  std::vector<std::string> keep_apart;     // models that must never share a group with this one
  std::vector<std::string> pinned_groups;  // copies go to these groups first, and stay there
  std::vector<float> profile;              // as in HeldCopy
};

struct World {
  std::vector<Group> groups;  // in the order in which a rule that goes through them goes
  std::vector<Wanted> wanted;
  Group new_group;          // what a new group looks like: memory_bytes and copies_max are read
  uint32_t groups_max = 0;  // with those there are; 0: not limited
  // Of all groups together, where they share a machine's memory (cards have their own: Group::memory_bytes).
  // Of what stands the measured is counted, of what comes the wanted. 0: not limited.
  uint64_t memory_bytes = 0;
  uint64_t new_group_memory_bytes = 0;  // that a new group takes of it besides its copies
  std::map<std::string, double>
      quota_shares;  // department → the sum of its copies' shares at most; absent: no limit
};

}  // namespace snug::placement
