#include "serving/batcher.h"

#include <algorithm>
#include <utility>

namespace snug::serving {
namespace {

// Weight of the newest gap between two arrivals: about the last eight count.
constexpr int64_t kGapWeight = 8;

}  // namespace

Batcher::Batcher(BatchPolicy policy)
    : policy_(std::move(policy)),
      levels_(policy_.levels.size() + 1),
      level_sizes_(levels_.size()),
      passes_(levels_.size()) {}

bool Batcher::Add(const BatchRequest& request) {
  if (level_sizes_[request.level] >= policy_.levels[request.level].queue_max) return false;
  levels_[request.level][request.signature].push_back({request, ++orders_});
  ++level_sizes_[request.level];
  ++size_;
  earliest_ = std::min({earliest_, request.deadline,
                        TimeoutAt(levels_[request.level][request.signature].back(), request.level)});
  NoteArrival(request);
  return true;
}

void Batcher::NoteArrival(const BatchRequest& request) {
  if (policy_.delay_max <= Duration::zero()) return;
  if (rates_.size() >= kRatesMax && rates_.count(request.signature) == 0) rates_.clear();
  auto [found, is_new] = rates_.try_emplace(request.signature);
  Rate& rate = found->second;
  if (!is_new) {
    const Duration gap = std::max(request.arrival - rate.last, Duration::zero());
    rate.gap = rate.gap == Duration::max() ? gap : rate.gap + (gap - rate.gap) / kGapWeight;
  }
  rate.last = request.arrival;
}

TimePoint Batcher::TimeoutAt(const Entry& entry, size_t level) const {
  if (level >= policy_.levels.size()) return TimePoint::max();
  const Duration timeout = policy_.levels[level].timeout;
  return timeout > Duration::zero() ? entry.request.arrival + timeout : TimePoint::max();
}

bool Batcher::IsUp(const Entry& entry, size_t level, TimePoint now, bool* by_policy) const {
  *by_policy = now < entry.request.deadline;
  return !*by_policy || now >= TimeoutAt(entry, level);
}

std::vector<Expired> Batcher::Expire(TimePoint now) {
  std::vector<Expired> expired;
  if (now < earliest_) return expired;
  earliest_ = TimePoint::max();
  for (size_t level = 0; level < levels_.size(); ++level) ExpireLevel(level, now, expired);
  return expired;
}

void Batcher::ExpireLevel(size_t level, TimePoint now, std::vector<Expired>& expired) {
  const size_t late = levels_.size() - 1;
  for (auto queue = levels_[level].begin(); queue != levels_[level].end();) {
    std::erase_if(queue->second, [&](Entry& entry) {
      bool by_policy = false;
      if (!IsUp(entry, level, now, &by_policy)) {
        earliest_ = std::min({earliest_, entry.request.deadline, TimeoutAt(entry, level)});
        return false;
      }
      --level_sizes_[level];
      if (by_policy && policy_.levels[level].on_timeout == OnTimeout::kDelay) {
        levels_[late][entry.request.signature].push_back(entry);
        ++level_sizes_[late];
      } else {
        expired.push_back({entry.request.id, by_policy});
        --size_;
      }
      return true;
    });
    queue = queue->second.empty() ? levels_[level].erase(queue) : std::next(queue);
  }
}

bool Batcher::Remove(uint64_t id) {
  for (size_t level = 0; level < levels_.size(); ++level) {
    for (auto& [signature, queue] : levels_[level]) {
      if (std::erase_if(queue, [&](const Entry& entry) { return entry.request.id == id; }) == 0) continue;
      if (queue.empty()) levels_[level].erase(signature);
      --level_sizes_[level];
      --size_;
      return true;
    }
  }
  return false;
}

// The level that has been passed over too often, longest first; else the highest that waits.
size_t Batcher::DueLevel() const {
  size_t due = levels_.size();
  for (size_t level = 0; level < levels_.size(); ++level) {
    if (levels_[level].empty()) continue;
    if (due == levels_.size()) due = level;
    if (passes_[level] >= kPassesMax && passes_[level] > passes_[due]) due = level;
  }
  return due;
}

uint64_t Batcher::OldestSignature(const Level& level) const {
  auto oldest = std::min_element(level.begin(), level.end(), [](const auto& a, const auto& b) {
    return a.second.front().order < b.second.front().order;
  });
  return oldest->first;
}

int64_t Batcher::RowsOf(uint64_t signature) const {
  int64_t rows = 0;
  for (const Level& level : levels_) {
    auto queue = level.find(signature);
    if (queue == level.end()) continue;
    for (const Entry& entry : queue->second) {
      rows += entry.RowsLeft();
      if (rows >= policy_.rows_max) return rows;
    }
  }
  return rows;
}

// Waiting pays while one more request is expected sooner than the time that its joining saves. A lone client
// sends its next request after the answer to this one, so its gaps are longer than that and it never waits.
TimePoint Batcher::WaitUntil(const Entry& head, TimePoint now) const {
  if (policy_.delay_max <= Duration::zero() || head.row_next > 0) return now;
  auto rate = rates_.find(head.request.signature);
  if (rate == rates_.end() || rate->second.gap >= policy_.saving) return now;
  const TimePoint until =
      std::min(rate->second.last + policy_.saving, head.request.arrival + policy_.delay_max);
  if (until <= now || head.request.deadline <= until) return now;
  return RowsOf(head.request.signature) >= policy_.rows_max ? now : until;
}

Decision Batcher::Take(TimePoint now) {
  Decision decision;
  decision.expired = Expire(now);
  const size_t level = DueLevel();
  if (level == levels_.size()) return decision;
  const uint64_t signature = OldestSignature(levels_[level]);
  const TimePoint until = WaitUntil(levels_[level][signature].front(), now);
  if (until > now) {
    decision.wake = until;
    return decision;
  }
  Fill(decision, level, signature);
  return decision;
}

void Batcher::Fill(Decision& decision, size_t first, uint64_t signature) {
  const int64_t head = std::min(levels_[first][signature].front().RowsLeft(), policy_.rows_max);
  const int64_t size = SizeFor(RowsOf(signature), head);
  std::vector<bool> served(levels_.size());
  for (size_t i = 0; i <= levels_.size(); ++i) {
    const size_t level = i == 0 ? first : i - 1;
    auto queue = levels_[level].find(signature);
    if (queue == levels_[level].end()) continue;
    const size_t parts = decision.parts.size();
    const size_t before = queue->second.size();
    FillFrom(decision, queue->second, size);
    served[level] = served[level] || decision.parts.size() > parts;
    level_sizes_[level] -= before - queue->second.size();
    size_ -= before - queue->second.size();
    if (queue->second.empty()) levels_[level].erase(queue);
  }
  decision.size = PaddedSize(decision.rows);
  CountPasses(served);
}

// Whole requests, oldest first, skipping those that do not fit; or one part of a large one.
void Batcher::FillFrom(Decision& decision, Queue& queue, int64_t size) {
  for (size_t i = 0, looked = 0; i < queue.size() && looked < kFillScanMax && decision.rows < size;
       ++looked) {
    Entry& entry = queue[i];
    const int64_t left = entry.RowsLeft();
    if (decision.parts.empty() && left > policy_.rows_max) {
      decision.parts.push_back({entry.request.id, entry.row_next, policy_.rows_max});
      decision.rows = policy_.rows_max;
      Entry rest = entry;
      rest.row_next += policy_.rows_max;
      rest.order = ++orders_;
      queue.pop_front();
      queue.push_back(rest);
      return;
    }
    if (decision.rows + left > size) {
      ++i;
      continue;
    }
    decision.parts.push_back({entry.request.id, entry.row_next, left});
    decision.rows += left;
    queue.erase(queue.begin() + static_cast<ptrdiff_t>(i));
  }
}

// How many rows to gather. Rounded up to an allowed size where at most half of it would be padding, else down
// to the largest that can be filled: with the sizes 1 and 32, two requests are executed singly.
int64_t Batcher::SizeFor(int64_t waiting, int64_t head) const {
  waiting = std::min(waiting, policy_.rows_max);
  if (policy_.sizes.empty()) return policy_.rows_max;
  const int64_t up = PaddedSize(waiting);
  if (up <= 2 * waiting) return up;
  auto above = std::upper_bound(policy_.sizes.begin(), policy_.sizes.end(), waiting);
  return above == policy_.sizes.begin() ? up : std::max(*std::prev(above), head);
}

int64_t Batcher::PaddedSize(int64_t rows) const {
  auto size = std::lower_bound(policy_.sizes.begin(), policy_.sizes.end(), rows);
  return size == policy_.sizes.end() ? rows : *size;
}

void Batcher::CountPasses(const std::vector<bool>& served) {
  for (size_t level = 0; level < levels_.size(); ++level) {
    passes_[level] = served[level] || levels_[level].empty() ? 0 : passes_[level] + 1;
  }
}

}  // namespace snug::serving
