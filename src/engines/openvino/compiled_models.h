// The compiled models of this process, by what they were compiled from: what is loaded again from the same
// files with the same settings, under whatever name or version, shares one copy of the weights.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openvino/openvino.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engines/openvino/weights_file.h"

namespace snug::openvino {

// Thread-safe.
class CompiledModels {
 public:
  struct Shared {
    std::mutex mutex;  // while it is compiled
    std::optional<ov::CompiledModel> model;
    std::shared_ptr<const WeightsFile> weights;  // null: they are elsewhere
    std::atomic<int64_t> executed_ms{0};         // of the monotonic clock: when it last began or ended to
  };

  // The model of that key, compiled now (`compile` sets model and weights) unless somebody holds it. It lives
  // as long as its holders. What `compile` throws goes through.
  std::shared_ptr<Shared> Get(const std::string& key, const std::function<void(Shared&)>& compile,
                              bool* was_there);
  // Whether a model that is not of `own` has executed after that millisecond of the monotonic clock.
  bool OthersExecutedAfter(int64_t millisecond, const std::vector<std::shared_ptr<Shared>>& own) const;

 private:
  std::shared_ptr<Shared> SlotOf(const std::string& key);

  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Shared>> by_key_;
};

}  // namespace snug::openvino
