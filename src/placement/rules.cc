#include "placement/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace snug::placement {
namespace {

constexpr double kTolerance = 1e-9;

Verdict Compare(std::string_view what, double have, double add, double limit) {
  bool fits = have + add <= limit + kTolerance;
  return {fits, 0,
          fmt::format("{} {:.0f} % + {:.0f} % {} {:.0f} %", what, have * 100, add * 100,
                      fits ? "is within" : "is above", limit * 100)};
}

Verdict ByRequests(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  return Compare("requests", slot.requested, wanted.share, policy.limit);
}

// 58.com, slides 17-22: the first group whose measured use plus the model's request stays within the limit.
Verdict FiftyPercent(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  return Compare("use", slot.use, wanted.share, policy.limit);
}

Verdict BestFit(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  Verdict verdict = ByRequests(slot, wanted, policy);
  verdict.cost = policy.limit - slot.requested;
  return verdict;
}

// A group's place in the draw depends on the copy, the group and the seed alone, so that asking twice draws
// once.
Verdict Random(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  Verdict verdict = ByRequests(slot, wanted, policy);
  uint64_t hash = policy.seed ^ 0xcbf29ce484222325;
  for (char c : Name(wanted.id) + "/" + slot.id)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  verdict.cost = Rng(hash).Uniform();
  return verdict;
}

// The larger the product of what is asked and what is left, the better they match (Panigrahy et al., 2011).
Verdict DotProduct(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  Verdict verdict = ByRequests(slot, wanted, policy);
  double match = wanted.share * std::max(0.0, policy.limit - slot.requested);
  if (slot.memory_bytes_max > 0) {
    double whole = static_cast<double>(slot.memory_bytes_max);
    match += static_cast<double>(wanted.memory_bytes) / whole *
             (1 - static_cast<double>(slot.memory_bytes) / whole);
  }
  verdict.cost = -match;
  return verdict;
}

// One card a group: what fragments is a remainder too small for the shares people ask for (0.01-0.5 of a
// card, taken as evenly spread). Fragmentation of a remainder r is r times the part of the shares above r.
double Fragmentation(double left) {
  return left * std::clamp((0.5 - left) / 0.5, 0.0, 1.0);
}

Verdict Fgd(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  Verdict verdict = ByRequests(slot, wanted, policy);
  double left = policy.limit - slot.requested;
  verdict.cost = Fragmentation(std::max(0.0, left - wanted.share)) - Fragmentation(left);
  return verdict;
}

// Joint profiles: what counts is the peak of the sum over time, so models whose peaks do not coincide share a
// card. The fullest group that still fits is taken.
Verdict Snug(const Slot& slot, const Wanted& wanted, const Policy& policy) {
  double peak = PeakWith(slot, wanted);
  bool fits = peak <= policy.limit + kTolerance;
  return {fits, policy.limit - peak,
          fmt::format("the peak of the summed use would be {:.0f} %, {} {:.0f} %", peak * 100,
                      fits ? "within" : "above", policy.limit * 100)};
}

}  // namespace

const std::vector<NamedRule>& Rules() {
  static const std::vector<NamedRule>& rules = *new std::vector<NamedRule>{
      {"random", 1.0, Random},
      {"first-fit", 1.0, ByRequests},
      {"best-fit", 1.0, BestFit},
      {"dot-product", 1.0, DotProduct},
      {"fifty-percent", 0.5, FiftyPercent},
      {"fgd", 1.0, Fgd},
      {"snug", 0.8, Snug},
  };
  return rules;
}

const NamedRule* FindRule(std::string_view name) {
  for (const NamedRule& rule : Rules()) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

}  // namespace snug::placement
