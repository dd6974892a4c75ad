// Answers kept for requests that are the same: bounded in bytes and entries, the least recently used goes
// first. Of one copy of one version, so an answer never outlives the weights that gave it.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/tensor.h"
#include "repository/model_config.h"

namespace snug::serving {

// SHA-256 of all that an answer depends on: equal keys are equal requests.
using CacheKey = std::array<uint8_t, 32>;
// `wanted`: as of Instance::Execute; `outputs`: the names in the order of the answer.
CacheKey KeyOfTensors(std::span<const Tensor> inputs, std::span<const uint8_t> wanted,
                      std::span<const std::string> outputs);
CacheKey KeyOfPayload(std::string_view content_type, std::string_view payload,
                      const std::map<std::string, std::string>& parameters);

struct CacheKeyHash {
  size_t operator()(const CacheKey& key) const;
};

struct CachedAnswer {
  std::vector<Tensor> outputs;
  std::string content_type, payload;  // of a payload's answer
};

// Thread-safe.
class ResponseCache {
 public:
  explicit ResponseCache(const repository::CacheConfig& config);

  std::optional<CachedAnswer> Find(const CacheKey& key, TimePoint now);
  // Keeps a copy. An answer larger than the whole cache is not kept.
  void Put(const CacheKey& key, const CachedAnswer& answer, TimePoint now);

  struct Size {
    uint64_t bytes = 0;
    uint64_t entries = 0;
  };
  Size size() const;

 private:
  struct Entry {
    CacheKey key;
    CachedAnswer answer;
    uint64_t bytes = 0;
    TimePoint expires;
  };
  using Entries = std::list<Entry>;

  void Erase(Entries::iterator entry);

  const uint64_t bytes_max_;
  const size_t entries_max_;
  const Duration ttl_;  // 0: none
  mutable std::mutex mutex_;
  Entries entries_;  // the most recently used first; each in `by_key_`
  std::unordered_map<CacheKey, Entries::iterator, CacheKeyHash> by_key_;
  uint64_t bytes_ = 0;
};

}  // namespace snug::serving
