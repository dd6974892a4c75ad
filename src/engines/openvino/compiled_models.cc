#include "engines/openvino/compiled_models.h"

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

std::shared_ptr<CompiledModels::Shared> CompiledModels::SlotOf(const std::string& key) {
  std::lock_guard lock(mutex_);
  std::erase_if(by_key_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Shared>& known = by_key_[key];
  std::shared_ptr<Shared> slot = known.lock();
  if (!slot) known = slot = std::make_shared<Shared>();
  return slot;
}

}  // namespace snug::openvino
