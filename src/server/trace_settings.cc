#include "server/trace_settings.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace snug::server {
namespace {

constexpr int64_t kRateDefault = 1000;
constexpr int64_t kNoLimit = -1;
constexpr int64_t kWholeMax = std::numeric_limits<int32_t>::max();

Result<int64_t> Whole(const std::string& name, const std::vector<std::string>& values, int64_t least) {
  int64_t value = 0;
  const std::string& text = values[0];
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = values.size() == 1 && error == std::errc() && end == text.data() + text.size();
  if (whole && value >= least && value <= kWholeMax) return value;
  return InvalidArgument("{}: expected one whole number from {} to {}", name, least, kWholeMax);
}

Result<bool> Level(const std::vector<std::string>& values) {
  bool timestamps = false;
  for (const std::string& level : values) {
    if (level == "TENSORS")
      return InvalidArgument("trace_level TENSORS is not supported: no payload is written to a trace");
    if (level != "TIMESTAMPS" && level != "OFF")
      return InvalidArgument("trace_level \"{}\": expected \"TIMESTAMPS\" or \"OFF\"", level.substr(0, 32));
    timestamps |= level == "TIMESTAMPS";
  }
  return timestamps;
}

}  // namespace

Status TraceSettings::Change(const std::string& name, const std::vector<std::string>& values,
                             Setting& setting) {
  if (name == "trace_level") {
    setting.timestamps.reset();
    if (values.empty()) return {};
    SNUG_ASSIGN_OR_RETURN(setting.timestamps, Level(values));
    return {};
  }
  if (name == "trace_file")
    return InvalidArgument("trace_file cannot be changed by a call: the server's --trace-file sets it");
  struct Number {
    const char* name;
    std::optional<int64_t> Setting::*field;
    int64_t least;
  };
  constexpr Number kNumbers[] = {{"trace_rate", &Setting::rate, 1},
                                 {"trace_count", &Setting::count, kNoLimit},
                                 {"log_frequency", &Setting::log_frequency, 0}};
  for (const Number& number : kNumbers) {
    if (name != number.name) continue;
    (setting.*number.field).reset();
    if (values.empty()) return {};
    SNUG_ASSIGN_OR_RETURN(setting.*number.field, Whole(name, values, number.least));
    return {};
  }
  return InvalidArgument(
      "unknown trace setting \"{}\"; known are trace_level, trace_rate, trace_count, log_frequency",
      name.substr(0, 64));
}

const TraceSettings::Setting& TraceSettings::Of(std::string_view model) const {
  auto found = models_.find(model);
  return found == models_.end() ? all_ : found->second;
}

bool TraceSettings::Traces(const Setting& own) const {
  return Effective(&Setting::timestamps, own, false);
}

TraceValues TraceSettings::Get(std::string_view model) const {
  std::lock_guard lock(mutex_);
  const Setting& own = Of(model);
  return {{"trace_file", {file_}},
          {"trace_level", {Traces(own) ? "TIMESTAMPS" : "OFF"}},
          {"trace_rate", {std::to_string(Effective(&Setting::rate, own, kRateDefault))}},
          {"trace_count", {std::to_string(Effective(&Setting::count, own, kNoLimit))}},
          {"log_frequency", {std::to_string(Effective(&Setting::log_frequency, own, int64_t{0}))}}};
}

Status TraceSettings::Update(const std::string& model, const TraceValues& changes) {
  if (changes.empty()) return {};
  if (file_.empty())
    return FailedPrecondition("no request can be traced here; start the server with --trace-file");
  std::lock_guard lock(mutex_);
  auto found = models_.find(model);
  Setting changed = model.empty() ? all_ : found != models_.end() ? found->second : Setting();
  for (const auto& [name, values] : changes) SNUG_RETURN_IF_ERROR(Change(name, values, changed));
  changed.requests = 0;
  if (model.empty()) {
    all_ = changed;
  } else if (!changed.Overrides()) {
    models_.erase(model);
  } else if (found == models_.end() && models_.size() >= kTracedModelsMax) {
    return Error(Code::kResourceExhausted, "{} models have trace settings of their own, no more are possible",
                 kTracedModelsMax);
  } else {
    models_[model] = changed;
  }
  any_ = Traces(all_) ||
         std::any_of(models_.begin(), models_.end(), [this](const auto& one) { return Traces(one.second); });
  return {};
}

std::optional<TraceSettings::Sampled> TraceSettings::Sample(const std::string& model) {
  if (!any_.load(std::memory_order_relaxed)) return std::nullopt;
  std::lock_guard lock(mutex_);
  auto found = models_.find(model);
  Setting& own = found == models_.end() ? all_ : found->second;
  if (!Traces(own)) return std::nullopt;
  const auto rate = static_cast<uint64_t>(Effective(&Setting::rate, own, kRateDefault));
  if (own.requests++ % rate != 0) return std::nullopt;
  auto& count = own.count ? own.count : all_.count;
  if (count && *count == 0) return std::nullopt;
  if (count && *count > 0) --*count;
  return Sampled{Effective(&Setting::log_frequency, own, int64_t{0})};
}

}  // namespace snug::server
