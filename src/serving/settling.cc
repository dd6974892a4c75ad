#include "serving/settling.h"

#include <iterator>

namespace snug::serving {

bool Settling::Look(const std::string& name, const repository::Fingerprint& files, TimePoint now,
                    double wall) {
  auto [at, is_new] = seen_.try_emplace(name);
  Seen& seen = at->second;
  seen.looked_at = true;
  if (is_new || seen.files != files) {
    // A change that was watched is not trusted to be the last one, whatever the files' times say.
    seen.settled = is_new && files.newest_change <= wall - Seconds(settle_);
    seen.files = files;
    seen.since = now;
  }
  seen.settled |= now - seen.since >= settle_;
  return seen.settled;
}

void Settling::EndLook() {
  for (auto at = seen_.begin(); at != seen_.end();) {
    at = at->second.looked_at ? std::next(at) : seen_.erase(at);
  }
  for (auto& [name, seen] : seen_) seen.looked_at = false;
}

}  // namespace snug::serving
