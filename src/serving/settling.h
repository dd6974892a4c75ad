// When files that somebody may still be writing can be loaded. Pure; not thread-safe.
//
// The rule: files are settled when they have been the same, by name, size and time, for kSettleTime: between
// two looks at them, or, when they are seen for the first time, by their own times. So a directory that is
// moved into place is loaded at once, and one that is being copied waits for the end of the copying. A writer
// that pauses for longer gives itself away later: the files change again, and are loaded again.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "repository/fingerprint.h"

namespace snug::serving {

class Settling {
 public:
  explicit Settling(Duration settle) : settle_(settle) {}

  // To be called at each look, with everything that is there; `wall` is the time since 1970.
  bool Look(const std::string& name, const repository::Fingerprint& files, TimePoint now, double wall);
  // Forgets what was not looked at since the last call.
  void EndLook();

 private:
  struct Seen {
    repository::Fingerprint files;
    TimePoint since;
    bool settled = false;
    bool looked_at = false;
  };

  const Duration settle_;
  std::map<std::string, Seen> seen_;
};

}  // namespace snug::serving
