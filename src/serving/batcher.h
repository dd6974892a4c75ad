// Which requests to execute together, as a pure machine: no threads, no clock, no tensors. The caller says
// what arrived and when an instance is free, and gets told what to execute, who waited too long, and when to
// ask again.
//
// Greedy: an instance that is free takes what waits, so batches grow while all instances are busy and a lone
// request never waits for company. With delay_max it may wait for one more request, but only while one is
// expected sooner than the time that joining saves (see BatchPolicy::saving).
//
// A batch holds one signature (what must be equal for tensors to be joined). Requests of another signature
// queue beside it and never close it. The next batch begins with the oldest request of the highest priority
// that waits, with this bound: a priority that has requests waiting is passed over by at most kPassesMax
// batches in a row, plus one for each other priority that is due as well. Within a priority the oldest
// request is always served next, whatever its signature.
//
// A request of more than rows_max rows is executed in parts; after each part the rest queues again at the
// end, so that one large request does not hold up all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace snug::serving {

constexpr int kPassesMax = 8;
// Requests of one signature looked at for one batch beyond its first: bounds the work of Take.
constexpr size_t kFillScanMax = 256;
// Signatures whose arrival rates are remembered.
constexpr size_t kRatesMax = 64;

enum class OnTimeout {
  kReject,  // answered with an error
  kDelay,   // served once nothing else waits, or by the bound on passing over
};

// Of one priority.
struct LevelPolicy {
  size_t queue_max = SIZE_MAX;  // requests
  Duration timeout{0};          // of waiting; 0: none but the request's own deadline
  OnTimeout on_timeout = OnTimeout::kReject;
};

struct BatchPolicy {
  int64_t rows_max = 1;
  std::vector<int64_t> sizes;  // ascending, the last is rows_max; empty: any
  Duration delay_max{0};       // from the arrival of a batch's first request
  Duration saving{0};          // what one execution less saves; 0: unknown, then nothing waits
  std::vector<LevelPolicy> levels{LevelPolicy{}};  // the highest priority first
};

struct BatchRequest {
  uint64_t id = 0;  // the caller's, unique among those inside
  TimePoint arrival;
  TimePoint deadline = TimePoint::max();
  size_t level = 0;  // below levels.size()
  uint64_t signature = 0;
  int64_t rows = 1;  // at least 1
};

struct BatchPart {
  uint64_t id = 0;
  int64_t row_begin = 0;
  int64_t rows = 0;
  bool operator==(const BatchPart&) const = default;
};

struct Expired {
  uint64_t id = 0;
  bool by_policy = false;  // the level's timeout, not the request's deadline
};

struct Decision {
  std::vector<BatchPart> parts;       // empty: nothing to execute now
  int64_t rows = 0;                   // sum over the parts
  int64_t size = 0;                   // rows to execute: `rows` and padding
  std::vector<Expired> expired;       // taken out
  TimePoint wake = TimePoint::max();  // ask again then, though nothing arrived
};

// Not thread-safe.
class Batcher {
 public:
  explicit Batcher(BatchPolicy policy);

  // False when its level is full: it is not inside then.
  bool Add(const BatchRequest& request);
  // An instance is free.
  Decision Take(TimePoint now);
  // Those whose time is up, taken out.
  std::vector<Expired> Expire(TimePoint now);
  // Takes out a request, or what is left of it. False when it is not inside.
  bool Remove(uint64_t id);

  size_t size() const { return size_; }  // requests inside
  // Expire has nothing to take out before.
  TimePoint earliest_end() const { return earliest_; }
  bool empty() const { return size_ == 0; }
  const BatchPolicy& policy() const { return policy_; }

 private:
  struct Entry {
    BatchRequest request;
    uint64_t order = 0;    // of queueing; smaller is older
    int64_t row_next = 0;  // of a large request: rows before it are executed
    int64_t RowsLeft() const { return request.rows - row_next; }
  };
  using Queue = std::deque<Entry>;
  // Queues by signature; no empty ones.
  using Level = std::map<uint64_t, Queue>;
  struct Rate {
    TimePoint last;
    Duration gap = Duration::max();  // smoothed; max: unknown
  };

  TimePoint TimeoutAt(const Entry& entry, size_t level) const;
  bool IsUp(const Entry& entry, size_t level, TimePoint now, bool* by_policy) const;
  void ExpireLevel(size_t level, TimePoint now, std::vector<Expired>& expired);
  size_t DueLevel() const;
  uint64_t OldestSignature(const Level& level) const;
  TimePoint WaitUntil(const Entry& head, TimePoint now) const;
  int64_t RowsOf(uint64_t signature) const;
  void Fill(Decision& decision, size_t level, uint64_t signature);
  void FillFrom(Decision& decision, Queue& queue, int64_t size);
  int64_t SizeFor(int64_t waiting, int64_t head) const;
  int64_t PaddedSize(int64_t rows) const;
  void NoteArrival(const BatchRequest& request);
  void CountPasses(const std::vector<bool>& served);

  const BatchPolicy policy_;
  std::vector<Level> levels_;  // and one more, for requests of kDelay
  std::vector<size_t> level_sizes_;
  std::vector<int> passes_;
  std::unordered_map<uint64_t, Rate> rates_;
  uint64_t orders_ = 0;
  TimePoint earliest_ = TimePoint::max();  // nothing expires before
  size_t size_ = 0;
};

}  // namespace snug::serving
