// When to start an engine's process again that keeps dying.
#pragma once

#include "base/backoff.h"

namespace snug::engine {

class Backoff : public snug::Backoff {
 public:
  static constexpr Duration kDelayMin = std::chrono::milliseconds(100);
  static constexpr Duration kDelayMax = std::chrono::seconds(30);
  static constexpr Duration kStableAfter = std::chrono::seconds(60);

  Backoff() : snug::Backoff({kDelayMin, kDelayMax, kStableAfter}) {}
};

}  // namespace snug::engine
