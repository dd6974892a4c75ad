// What plans over groups and plans over nodes have in common: which copies stay where they are, and the
// departments' quotas.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "placement/world.h"

namespace snug::placement {

// Places (ids of groups or nodes) that hold each version, once for each copy, in the order in which they are
// gone through.
using Holders = std::map<ModelVersion, std::vector<std::string>>;

struct CopiesWanted {
  uint32_t copies = 0;
  std::vector<std::string> pinned;  // places whose copies stay before others
};
using CopiesWantedOf = std::function<CopiesWanted(const ModelVersion&)>;

// The copies that stay, by place: as many as are wanted, pinned places first, then in order.
class StandingCopies {
 public:
  StandingCopies(const Holders& holders, const CopiesWantedOf& wanted);
  // To be asked once for each copy that stands at a place.
  bool Keep(const ModelVersion& id, const std::string& place);

 private:
  std::map<std::pair<ModelVersion, std::string>, uint32_t> left_;
};

// Why a copy that stands goes.
std::string WhyRemoved(uint32_t copies_wanted);

class Quotas {
 public:
  // Department → cards at most; absent: no limit. Outlives the quotas.
  explicit Quotas(const std::map<std::string, double>& cards_max) : cards_max_(cards_max) {}

  void Use(const std::string& department, double cards) { used_[department] += cards; }
  // Whether the department may use so much more; if not, `why_not` says so.
  bool Allow(const std::string& department, double cards, std::string& why_not) const;

 private:
  const std::map<std::string, double>& cards_max_;
  std::map<std::string, double> used_;
};

}  // namespace snug::placement
