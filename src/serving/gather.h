// One callback for several parts of a change.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/status.h"

namespace snug::serving {

// To be called `parts` times (at least once), on any threads: then `done` is, with the first error.
inline std::function<void(Status)> SplitDone(size_t parts, std::function<void(Status)> done) {
  struct Waiting {
    std::mutex mutex;
    size_t left;
    Status first;
  };
  auto state = std::make_shared<Waiting>();
  state->left = parts;
  return [state, done = std::move(done)](const Status& status) {
    {
      std::lock_guard lock(state->mutex);
      if (state->first.ok()) state->first = status;
      if (--state->left > 0) return;
    }
    done(state->first);
  };
}

}  // namespace snug::serving
