// The policies over groups: how each judges one group for one copy. Among the groups that fit, the lowest
// cost wins, and of equals the first.
#pragma once

#include <string>
#include <vector>

#include "placement/place.h"
#include "placement/slot.h"

namespace snug::placement {

struct Verdict {
  bool fits = false;
  double cost = 0;
  std::string why;  // "use 12 % + share 20 % = 32 % <= 50 %"
};

using Rule = Verdict (*)(const Slot&, const Wanted&, const Policy&);

struct NamedRule {
  std::string_view name;
  double limit;  // the usual one
  Rule judge;
};

const std::vector<NamedRule>& Rules();
const NamedRule* FindRule(std::string_view name);

}  // namespace snug::placement
