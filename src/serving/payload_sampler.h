// Which of a model's requests are logged: `rate` of them, evenly. Where they go is the server's matter.
#pragma once

#include <atomic>
#include <cstdint>

#include "repository/model_config.h"
#include "serving/request.h"

namespace snug::serving {

// Takes sampled requests, as they came. Called on the threads that bring them: must not block.
class PayloadSink {
 public:
  virtual ~PayloadSink() = default;
  virtual void Log(const InferRequest& request, const repository::PayloadLogConfig& config) = 0;
  virtual void Log(const PredictRequest& request, const repository::PayloadLogConfig& config) = 0;
};

// Thread-safe.
class PayloadSampler {
 public:
  explicit PayloadSampler(const repository::PayloadLogConfig& config) : config_(config) {}
  const repository::PayloadLogConfig& config() const { return config_; }
  // The n-th request is taken where n x rate passes a whole number.
  bool Take() {
    const auto before = static_cast<double>(seen_.fetch_add(1, std::memory_order_relaxed));
    return static_cast<uint64_t>((before + 1) * config_.rate) > static_cast<uint64_t>(before * config_.rate);
  }

 private:
  const repository::PayloadLogConfig config_;
  std::atomic<uint64_t> seen_{0};
};

}  // namespace snug::serving
