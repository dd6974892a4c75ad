// When a controller that has ended is started again. Pure: the supervisor tells it what happened.
#pragma once

#include <optional>

#include "base/backoff.h"

namespace snug::cli {

class RestartPolicy {
 public:
  static constexpr Duration kPauseMin = std::chrono::milliseconds(100);
  static constexpr Duration kPauseMax = std::chrono::seconds(10);
  static constexpr Duration kStable = std::chrono::seconds(30);  // a life this long forgives earlier ends
  static constexpr int kFirstStartsMax = 3;                      // that fail before it ever listened

  // A controller ended after `lived`; `listened`: it had got as far as answering. The pause before the next
  // start, or nothing: it never came up, so that starting it again would not help.
  std::optional<Duration> OnEnd(Duration lived, bool listened) {
    ever_listened_ |= listened;
    if (lived >= kStable) ends_ = 0;
    ++ends_;
    if (!ever_listened_ && ends_ >= kFirstStartsMax) return std::nullopt;
    return backoff_.Next(lived);
  }

 private:
  Backoff backoff_{{kPauseMin, kPauseMax, kStable}};
  int ends_ = 0;
  bool ever_listened_ = false;
};

}  // namespace snug::cli
