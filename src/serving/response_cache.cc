#include "serving/response_cache.h"

#include <openssl/evp.h>

#include <cassert>
#include <cstring>
#include <memory>

namespace snug::serving {
namespace {

// What an entry costs beside its contents: list and hash nodes, vectors, names.
constexpr uint64_t kEntryBytes = 256;

// Each part goes in with its length, so that no two requests are the same text.
class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

  void AddNumber(uint64_t number) { EVP_DigestUpdate(context_.get(), &number, sizeof number); }
  void Add(const void* data, size_t bytes) {
    AddNumber(bytes);
    EVP_DigestUpdate(context_.get(), data, bytes);
  }
  void Add(std::string_view text) { Add(text.data(), text.size()); }

  CacheKey Take() {
    CacheKey key{};
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), key.data(), &length);
    assert(length == key.size());
    return key;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

uint64_t BytesOf(const CachedAnswer& answer) {
  uint64_t bytes = kEntryBytes + answer.content_type.size() + answer.payload.size();
  for (const Tensor& output : answer.outputs)
    bytes += kEntryBytes + output.name.size() + output.buffer.size();
  return bytes;
}

// In memory of its own: an output may be a few rows of a whole batch's memory, or an engine's.
CachedAnswer CopyOf(const CachedAnswer& answer) {
  CachedAnswer copy = answer;
  for (Tensor& output : copy.outputs) {
    Buffer own = Buffer::Allocate(output.buffer.size());
    if (own.size() > 0) std::memcpy(own.data(), output.buffer.data(), own.size());
    output.buffer = std::move(own);
  }
  return copy;
}

}  // namespace

CacheKey KeyOfTensors(std::span<const Tensor> inputs, std::span<const uint8_t> wanted,
                      std::span<const std::string> outputs) {
  Digest digest;
  digest.AddNumber(inputs.size());
  for (const Tensor& input : inputs) {
    digest.Add(input.name);
    digest.AddNumber(static_cast<uint64_t>(input.dtype));
    digest.Add(input.shape.data(), input.shape.size() * sizeof(int64_t));
    digest.Add(input.buffer.data(), input.buffer.size());
  }
  digest.Add(wanted.data(), wanted.size());
  digest.AddNumber(outputs.size());
  for (const std::string& output : outputs) digest.Add(output);
  return digest.Take();
}

CacheKey KeyOfPayload(std::string_view content_type, std::string_view payload,
                      const std::map<std::string, std::string>& parameters) {
  Digest digest;
  digest.Add(content_type);
  digest.Add(payload);
  for (const auto& [name, value] : parameters) {
    digest.Add(name);
    digest.Add(value);
  }
  return digest.Take();
}

size_t CacheKeyHash::operator()(const CacheKey& key) const {
  size_t hash = 0;
  std::memcpy(&hash, key.data(), sizeof hash);
  return hash;
}

ResponseCache::ResponseCache(const repository::CacheConfig& config)
    : bytes_max_(static_cast<uint64_t>(config.mib_max) << 20),
      entries_max_(static_cast<size_t>(config.entries_max)),
      ttl_(std::chrono::seconds(config.ttl_s)) {}

std::optional<CachedAnswer> ResponseCache::Find(const CacheKey& key, TimePoint now) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const auto entry = found->second;
  if (now >= entry->expires) {
    Erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->answer;
}

void ResponseCache::Put(const CacheKey& key, const CachedAnswer& answer, TimePoint now) {
  const uint64_t bytes = BytesOf(answer);
  if (bytes > bytes_max_) return;
  Entry entry{key, CopyOf(answer), bytes, ttl_ > Duration{0} ? now + ttl_ : TimePoint::max()};
  std::lock_guard lock(mutex_);
  if (auto found = by_key_.find(key); found != by_key_.end()) Erase(found->second);
  entries_.push_front(std::move(entry));
  by_key_[key] = entries_.begin();
  bytes_ += bytes;
  while (bytes_ > bytes_max_ || entries_.size() > entries_max_) Erase(std::prev(entries_.end()));
}

ResponseCache::Size ResponseCache::size() const {
  std::lock_guard lock(mutex_);
  return {bytes_, entries_.size()};
}

void ResponseCache::Erase(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace snug::serving
