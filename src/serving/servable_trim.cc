// The part of Servable that gives memory back which the model can make anew.
#include "serving/servable.h"

namespace snug::serving {

void Servable::Trim(bool idle) {
  std::unique_lock lock(stopping_, std::try_to_lock);
  if (lock.owns_lock() && model_) model_->Trim(idle);
}

bool Servable::TrimIfIdle() {
  const bool was_used = was_used_.exchange(false, std::memory_order_relaxed) || queue_depth() > 0;
  if (was_used) used_at_ = clock_.Now();
  if (was_used || is_trimmed_) {
    is_trimmed_ = is_trimmed_ && !was_used;
    return false;
  }
  is_trimmed_ = true;
  Trim(/*idle=*/true);
  return true;
}

}  // namespace snug::serving
