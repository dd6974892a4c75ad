// Which requests are traced: Triton's trace settings, for all models and for single ones.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace snug::server {

// Models with settings of their own.
constexpr size_t kTracedModelsMax = 1024;

// By name (trace_level, trace_rate, trace_count, log_frequency, trace_file), as both protocols write them.
using TraceValues = std::map<std::string, std::vector<std::string>>;

// Thread-safe.
class TraceSettings {
 public:
  // `file`: where traces go, which no call changes; empty: tracing cannot be switched on.
  explicit TraceSettings(std::string file = "") : file_(std::move(file)) {}

  // What holds for the model; empty: for all that have no settings of their own.
  TraceValues Get(std::string_view model) const;
  // All or nothing. No value: what holds for all again, or the default. FAILED_PRECONDITION: no file;
  // INVALID_ARGUMENT: an unknown name, a value out of range.
  Status Update(const std::string& model, const TraceValues& changes);

  struct Sampled {
    int64_t log_frequency = 0;  // traces to a file; 0: all to one
  };
  // Counts a request; a value when it is to be traced. Costs one load where nothing is traced.
  std::optional<Sampled> Sample(const std::string& model);

  const std::string& file() const { return file_; }

 private:
  struct Setting {
    std::optional<bool> timestamps;
    std::optional<int64_t> rate, count, log_frequency;
    uint64_t requests = 0;
    bool Overrides() const { return timestamps || rate || count || log_frequency; }
  };
  static Status Change(const std::string& name, const std::vector<std::string>& values, Setting& setting);
  const Setting& Of(std::string_view model) const;
  template <typename T>
  T Effective(std::optional<T> Setting::*field, const Setting& own, T standard) const {
    return (own.*field).value_or((all_.*field).value_or(standard));
  }
  bool Traces(const Setting& own) const;

  const std::string file_;
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  Setting all_;
  std::map<std::string, Setting, std::less<>> models_;
};

}  // namespace snug::server
