#include "engines/openvino/compiled_models.h"

#include <algorithm>

namespace snug::openvino {

std::shared_ptr<CompiledModels::Shared> CompiledModels::Get(const std::string& key,
                                                            const std::function<void(Shared&)>& compile,
                                                            bool* was_there) {
  std::shared_ptr<Shared> slot = SlotOf(key);
  std::lock_guard lock(slot->mutex);
  *was_there = slot->model.has_value();
  if (!slot->model) compile(*slot);
  return slot;
}

bool CompiledModels::OthersExecutedAfter(int64_t millisecond,
                                         const std::vector<std::shared_ptr<Shared>>& own) const {
  std::lock_guard lock(mutex_);
  return std::any_of(by_key_.begin(), by_key_.end(), [&](const auto& entry) {
    const std::shared_ptr<Shared> shared = entry.second.lock();
    return shared && std::find(own.begin(), own.end(), shared) == own.end() &&
           shared->executed_ms.load(std::memory_order_relaxed) > millisecond;
  });
}

std::shared_ptr<CompiledModels::Shared> CompiledModels::SlotOf(const std::string& key) {
  std::lock_guard lock(mutex_);
  std::erase_if(by_key_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Shared>& known = by_key_[key];
  std::shared_ptr<Shared> slot = known.lock();
  if (!slot) known = slot = std::make_shared<Shared>();
  return slot;
}

}  // namespace snug::openvino
