// The part of Servable that answers from its cache.
#include <utility>

#include "serving/servable.h"

namespace snug::serving {
namespace {

CachedAnswer ToCache(const InferResponse& answer) {
  return {answer.outputs, "", ""};
}
CachedAnswer ToCache(const PredictResponse& answer) {
  return {{}, answer.content_type, answer.payload};
}

void FromCache(CachedAnswer cached, InferResponse& answer) {
  answer.outputs = std::move(cached.outputs);
}
void FromCache(CachedAnswer cached, PredictResponse& answer) {
  answer.content_type = std::move(cached.content_type);
  answer.payload = std::move(cached.payload);
}

}  // namespace

template <typename Response>
bool Servable::AnswerFromCache(const CacheKey& key, TimePoint arrival, Callback<Response>& done) {
  const TimePoint begun = clock_.Now();
  std::optional<CachedAnswer> cached = cache_->Find(key, begun);
  const Duration took = clock_.Now() - begun;
  stats_->CountCache(cached.has_value(), took);
  if (!cached) {
    done = [cache = cache_, key, &clock = clock_, done = std::move(done)](Result<Response> answer) {
      if (answer.ok()) cache->Put(key, ToCache(*answer), clock.Now());
      done(std::move(answer));
    };
    return false;
  }
  Response answer;
  answer.model = name_;
  answer.version = version_;
  FromCache(*std::move(cached), answer);
  stats_->Finished(Code::kOk, clock_.Now() - arrival);
  done(std::move(answer));
  return true;
}

bool Servable::AnswerFromCache(const InferRequest& request, const std::vector<uint8_t>& wanted,
                               InferCallback& done) {
  return AnswerFromCache<InferResponse>(KeyOfTensors(request.inputs, wanted, request.outputs),
                                        request.arrival, done);
}

bool Servable::AnswerFromCache(const PredictRequest& request, PredictCallback& done) {
  return AnswerFromCache<PredictResponse>(
      KeyOfPayload(request.content_type, request.payload, request.parameters), request.arrival, done);
}

ResponseCache::Size Servable::cache_size() const {
  ResponseCache::Size all = cache_ ? cache_->size() : ResponseCache::Size{};
  for (const auto& [name, signature] : signatures_) {
    const ResponseCache::Size one = signature->cache_size();
    all.bytes += one.bytes;
    all.entries += one.entries;
  }
  return all;
}

void Servable::CountLimited(TimePoint arrival) {
  stats_->limited.Add();
  stats_->Finished(Code::kResourceExhausted, clock_.Now() - arrival);
}

}  // namespace snug::serving
