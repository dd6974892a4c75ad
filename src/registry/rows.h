// What the registry holds, as typed rows. Times are seconds since 1970.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snug::registry {

// With whom a model shares the group that it is in.
enum class Sharing {
  kShared = 0,      // requests may add up to more than the card
  kGuaranteed = 1,  // in its group they never do
  kAlone = 2,       // nothing else in its group
};
inline constexpr Sharing kSharings[] = {Sharing::kShared, Sharing::kGuaranteed, Sharing::kAlone};
std::string_view Name(Sharing sharing);  // "shared", "guaranteed", "alone"

struct ModelRow {
  std::string name;
  std::string department;
  double share = 0.1;        // of a group's CPU (a card) per copy
  int copies_wanted = 1;     // of each live version
  bool route_fixed = false;  // false: the newest version takes over by itself
  double created = 0;
  Sharing sharing = Sharing::kShared;
  std::vector<std::string> keep_apart = {};     // models that never share a group with this one
  std::vector<std::string> pinned_groups = {};  // where its copies go first

  bool operator==(const ModelRow&) const = default;
};

enum class VersionState { kLive = 0, kRetired = 1, kDeleting = 2 };

struct VersionRow {
  std::string model;
  int64_t version = 0;
  std::string label;  // unique within the model; empty: none
  VersionState state = VersionState::kLive;
  std::string engine;
  std::string parser;
  std::string config_yaml;  // the merged model.yaml
  std::string digest;       // "sha256:…"
  int64_t bytes = 0;
  double created = 0;

  bool operator==(const VersionRow&) const = default;
};

struct GroupRow {
  std::string id;  // "g7"; never used again
  std::string department;
  double cores = 0;  // the CPU share that stands for a card
  double created = 0;

  bool operator==(const GroupRow&) const = default;
};

struct ServerRow {
  std::string id;  // "g7-0"
  std::string group;
  double created = 0;

  bool operator==(const ServerRow&) const = default;
};

enum class CopyState { kPlaced = 0, kDraining = 1 };

struct CopyId {
  std::string model;
  int64_t version = 0;
  std::string group;

  auto operator<=>(const CopyId&) const = default;
};

struct CopyRow {
  CopyId id;
  CopyState state = CopyState::kPlaced;
  double created = 0;
  std::string placed_because;  // what placement said; empty: placed by an older Snug

  bool operator==(const CopyRow&) const = default;
};

struct RouteRow {
  std::string model;
  int64_t version = 0;
  int weight = 0;

  bool operator==(const RouteRow&) const = default;
};

struct AuditRow {
  double time = 0;
  std::string who;
  std::string action;
  std::string subject;
  std::string detail;
};

// CPU that a group used within a span of time: the history behind "measured use".
struct UseRow {
  std::string group;
  int64_t start = 0;  // of the bucket, seconds since 1970
  double cpu_seconds = 0;
  double wall_seconds = 0;
};

// Everything but the audit and the use history, read in one transaction. Sorted by key.
struct Tables {
  std::vector<ModelRow> models;
  std::vector<VersionRow> versions;
  std::vector<GroupRow> groups;
  std::vector<ServerRow> servers;
  std::vector<CopyRow> copies;
  std::vector<RouteRow> routes;
  int64_t next_group = 1;  // number of the next group made

  const ModelRow* Model(std::string_view name) const;
  const VersionRow* Version(std::string_view model, int64_t version) const;

  bool operator==(const Tables&) const = default;
};

}  // namespace snug::registry
