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
  std::optional<CachedAnswer> cached = cache_->Find(key, clock_.Now());
  if (!cached) return false;
  Response answer;
  answer.model = name_;
  answer.version = version_;
  FromCache(*std::move(cached), answer);
  stats_->Finished(Code::kOk, clock_.Now() - arrival);
  done(std::move(answer));
  return true;
}

// Those that joined get the answer too. A failure is none of theirs, it may be the leader's deadline: each
// goes on by itself, the next one as the leader.
template <typename Request, typename Response>
void Servable::EndFlight(SingleFlight<Request, Response>& flights, const CacheKey& key,
                         const Result<Response>& answer) {
  if (answer.ok()) cache_->Put(key, ToCache(*answer), clock_.Now());
  for (auto& joined : flights.End(key)) {
    stats_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    if (answer.ok()) {
      stats_->cache_joined.Add();
      stats_->Finished(Code::kOk, clock_.Now() - joined.request.arrival);
      joined.done(answer);
    } else if (!Again(joined.request, joined.done)) {
      joined.done(Unavailable("model \"{}\" is being replaced; try again", name_));
    }
  }
}

template <typename Request, typename Response>
bool Servable::ThroughCache(SingleFlight<Request, Response>& flights, const CacheKey& key, Request& request,
                            Callback<Response>& done, const std::function<bool()>& go) {
  using Role = typename SingleFlight<Request, Response>::Role;
  const TimePoint begun = clock_.Now();
  const TimePoint arrival = request.arrival;
  const bool may_end = request.deadline != TimePoint::max() || request.cancelled;
  if (AnswerFromCache(key, arrival, done)) {
    stats_->CountCache(true, clock_.Now() - begun);
    return true;
  }
  const auto entered = flights.Enter(key, request, done, begun);
  stats_->CountCache(false, clock_.Now() - begun);
  if (entered.role == Role::kJoined) {
    stats_->in_flight.fetch_add(1, std::memory_order_relaxed);
    if (may_end) on_wait_(TimePoint::min());
    return true;
  }
  if (entered.role == Role::kAlone) return go();
  // The one before may have ended since the look into the cache. Nobody joins a flight that was not opened.
  if (AnswerFromCache(key, arrival, done)) {
    flights.End(key);
    return true;
  }
  auto own = std::make_shared<Callback<Response>>(std::move(done));
  done = [this, &flights, key, own](Result<Response> answer) {
    EndFlight(flights, key, answer);
    (*own)(std::move(answer));
  };
  if (go()) {
    flights.Open(key, entered.flight);
    return true;
  }
  flights.End(key);  // nobody has joined: it was not open
  done = std::move(*own);
  return false;
}

template bool Servable::ThroughCache(InferFlights&, const CacheKey&, InferRequest&, InferCallback&,
                                     const std::function<bool()>&);
template bool Servable::ThroughCache(PredictFlights&, const CacheKey&, PredictRequest&, PredictCallback&,
                                     const std::function<bool()>&);

template <typename Request, typename Response>
void Servable::FailUnwanted(SingleFlight<Request, Response>& flights, TimePoint now) {
  for (auto& joined : flights.TakeUnwanted(now)) {
    const Status status =
        now < joined.request.deadline
            ? Status(Code::kCancelled, "the client cancelled the request before it was answered")
            : Error(Code::kDeadlineExceeded,
                    "the deadline passed after {:.3f} s of waiting for an equal request's answer",
                    Seconds(now - joined.since));
    stats_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    stats_->Finished(status.code(), now - joined.request.arrival);
    joined.done(status);
  }
}

bool Servable::SweepCache(TimePoint now) {
  FailUnwanted(infer_flights_, now);
  FailUnwanted(predict_flights_, now);
  return infer_flights_.joined() + predict_flights_.joined() > 0;
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
