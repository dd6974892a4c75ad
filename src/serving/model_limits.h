// model.yaml's `limits`: what of a model's requests is refused at the door. Holds for all its versions
// together.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "repository/model_config.h"
#include "serving/token_bucket.h"

namespace snug::serving {

// Thread-safe.
class ModelLimits {
 public:
  ModelLimits(std::string model, const repository::LimitsConfig& config);

  const repository::LimitsConfig& config() const { return config_; }
  // OK: the request is in, and Leave follows when it is answered. RESOURCE_EXHAUSTED: the text names the
  // limit and when to come again.
  Status Enter(TimePoint now);
  void Leave() { inside_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::string model_;
  const repository::LimitsConfig config_;
  std::optional<TokenBucket> rate_;
  std::atomic<int> inside_{0};
};

// In how many seconds a client may come again that got this error: what Enter's text says, else 1. For HTTP's
// Retry-After.
int RetryAfterSeconds(const Status& refused);

}  // namespace snug::serving
