#include "serving/model_limits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace snug::serving {
namespace {

constexpr std::string_view kAgain = "; try again in ";

}  // namespace

ModelLimits::ModelLimits(std::string model, const repository::LimitsConfig& config)
    : model_(std::move(model)), config_(config) {
  if (config_.requests_per_second > 0) {
    const double burst = config_.burst > 0 ? config_.burst : config_.requests_per_second;
    rate_.emplace(config_.requests_per_second, burst);
  }
}

Status ModelLimits::Enter(TimePoint now) {
  const int inside = inside_.fetch_add(1, std::memory_order_relaxed);
  if (config_.concurrent > 0 && inside >= config_.concurrent) {
    Leave();
    return Error(
        Code::kResourceExhausted,
        "model \"{}\" has {} requests under way (limits.concurrent in its model.yaml); send fewer at a time",
        model_, config_.concurrent);
  }
  const Duration wait = rate_ ? rate_->Take(now) : Duration{0};
  if (wait == Duration{0}) return {};
  Leave();
  return Error(
      Code::kResourceExhausted,
      "model \"{}\" takes {} requests per second (limits.requests_per_second in its model.yaml){}{:.3f} s",
      model_, config_.requests_per_second, kAgain, Seconds(wait));
}

int RetryAfterSeconds(const Status& refused) {
  const size_t at = refused.text().rfind(kAgain);
  double seconds = 0;
  if (at != std::string::npos) {
    const char* begin = refused.text().data() + at + kAgain.size();
    std::from_chars(begin, refused.text().data() + refused.text().size(), seconds);
  }
  return std::max(1, static_cast<int>(std::ceil(seconds)));
}

}  // namespace snug::serving
