#include "serving/sequence.h"

#include <algorithm>
#include <utility>

namespace snug::serving {

size_t SequencePolicy::SlotsPerInstance() const {
  if (strategy == Strategy::kDirect) return rows_max;
  return std::max<size_t>(1, (sequences_max + instances - 1) / instances);
}

Sequencer::Sequencer(SequencePolicy policy)
    : policy_(std::move(policy)), instances_(policy_.instances), idle_max_(policy_.idle_max) {
  for (Instance& instance : instances_) instance.slots.resize(policy_.SlotsPerInstance());
}

Status Sequencer::FindOrBegin(const SequenceMark& mark, Sequence** found) {
  if (mark.id.empty()) {
    return InvalidArgument(
        "inference request to model '{}' must specify a non-zero or non-empty correlation ID (the parameter "
        "sequence_id)",
        policy_.model);
  }
  if (mark.id.text.size() > kCorrelationTextBytesMax) {
    return InvalidArgument("a correlation ID of {} bytes; at most {} are taken", mark.id.text.size(),
                           kCorrelationTextBytesMax);
  }
  auto known = by_id_.find(mark.id);
  if (!mark.start && (known == by_id_.end() || !known->second->open)) {
    return InvalidArgument(
        "inference request for sequence {} to model '{}' must specify the START flag on the first request of "
        "the sequence (there is none of that id, or it has ended, or idled for more than {} ms)",
        mark.id.Text(), policy_.model,
        std::chrono::duration_cast<std::chrono::milliseconds>(policy_.idle_max).count());
  }
  if (known != by_id_.end()) {
    *found = known->second.get();
    return {};
  }
  auto sequence = std::make_unique<Sequence>();
  sequence->id = mark.id;
  if (!backlog_.empty() || !PlaceIt(*sequence)) {
    if (backlog_.size() >= policy_.backlog_max) {
      return Error(
          Code::kResourceExhausted,
          "model '{}': {} sequences are under way and {} wait already; end sequences that are done, or "
          "raise sequences_max or backlog_max (sequence in model.yaml)",
          policy_.model, policy_.SlotsPerInstance() * policy_.instances, backlog_.size());
    }
    backlog_.push_back(sequence.get());
  }
  *found = by_id_.emplace(mark.id, std::move(sequence)).first->second.get();
  return {};
}

Status Sequencer::Add(const SequenceRequest& request, TimePoint now) {
  ReapIdle(now);
  Sequence* sequence = nullptr;
  SNUG_RETURN_IF_ERROR(FindOrBegin(request.mark, &sequence));
  sequence->waiting.push_back({request, ++orders_, request.mark.end});
  sequence->open = !request.mark.end;
  ++requests_;
  earliest_deadline_ = std::min(earliest_deadline_, request.deadline);
  return {};
}

// On the instance with the fewest sequences.
bool Sequencer::PlaceIt(Sequence& sequence) {
  auto freest = std::min_element(instances_.begin(), instances_.end(),
                                 [](const Instance& a, const Instance& b) { return a.used < b.used; });
  auto slot = std::find(freest->slots.begin(), freest->slots.end(), nullptr);
  if (slot == freest->slots.end()) return false;
  *slot = &sequence;
  ++freest->used;
  sequence.placed = true;
  sequence.place = {static_cast<size_t>(freest - instances_.begin()),
                    static_cast<size_t>(slot - freest->slots.begin())};
  return true;
}

void Sequencer::LeavePlace(Sequence& sequence) {
  if (!std::exchange(sequence.placed, false)) return;
  Instance& instance = instances_[sequence.place.instance];
  instance.slots[sequence.place.slot] = nullptr;
  --instance.used;
}

void Sequencer::PlaceBacklog() {
  while (!backlog_.empty() && PlaceIt(*backlog_.front())) {
    backlog_.pop_front();
    ++placed_later_;
  }
}

void Sequencer::EndNumber(Sequence& sequence) {
  if (sequence.number != 0) ended_.push_back(std::exchange(sequence.number, 0));
}

void Sequencer::Forget(Sequence& sequence) {
  EndNumber(sequence);
  if (!sequence.placed) std::erase(backlog_, &sequence);
  LeavePlace(sequence);
  by_id_.erase(CorrelationId(sequence.id));
  PlaceBacklog();
}

// Its id may have begun anew meanwhile: then it goes on where it is, unless others wait for a place.
void Sequencer::AfterClosing(Sequence& sequence) {
  EndNumber(sequence);
  if (sequence.waiting.empty()) return Forget(sequence);
  if (backlog_.empty()) return;
  LeavePlace(sequence);
  backlog_.push_back(&sequence);
  PlaceBacklog();
}

void Sequencer::ReapIdle(TimePoint now) {
  if (now < earliest_idle_end_) return;
  earliest_idle_end_ = TimePoint::max();
  std::vector<Sequence*> idle;
  for (auto& [id, sequence] : by_id_) {
    if (!IsIdle(*sequence)) continue;
    const TimePoint end = sequence->idle_since + idle_max_;
    if (end <= now) idle.push_back(sequence.get());
    if (end > now) earliest_idle_end_ = std::min(earliest_idle_end_, end);
  }
  for (Sequence* sequence : idle) Forget(*sequence);
}

SequenceRow Sequencer::TakeFrom(Sequence& sequence, Instance& instance) {
  const Waiting head = std::move(sequence.waiting.front());
  sequence.waiting.pop_front();
  --requests_;
  if (head.request.mark.start) {  // also one that breaks off what went before
    EndNumber(sequence);
    sequence.number = ++numbers_;
  }
  sequence.executing = true;
  sequence.closing = head.closes;
  instance.executing.push_back(&sequence);
  return {head.request.id, sequence.number, head.request.mark};
}

void Sequencer::TakeDirect(Instance& instance, uint64_t signature, SequenceWork& work) {
  for (size_t slot = 0; slot < instance.slots.size(); ++slot) {
    Sequence* sequence = instance.slots[slot];
    if (sequence == nullptr || sequence->waiting.empty()) continue;
    if (sequence->waiting.front().request.signature != signature) continue;
    work.rows.resize(slot + 1);
    work.rows[slot] = TakeFrom(*sequence, instance);
  }
}

void Sequencer::TakeOldest(Instance& instance, uint64_t signature, SequenceWork& work) {
  std::vector<Sequence*> ready;
  for (Sequence* sequence : instance.slots) {
    if (sequence == nullptr || sequence->waiting.empty()) continue;
    if (sequence->waiting.front().request.signature == signature) ready.push_back(sequence);
  }
  std::sort(ready.begin(), ready.end(), [](const Sequence* a, const Sequence* b) {
    return a->waiting.front().order < b->waiting.front().order;
  });
  if (ready.size() > policy_.rows_max) ready.resize(policy_.rows_max);
  for (Sequence* sequence : ready) work.rows.push_back(TakeFrom(*sequence, instance));
}

SequenceWork Sequencer::Take(size_t index, TimePoint now) {
  ReapIdle(now);
  SequenceWork work;
  Instance& instance = instances_[index];
  const Waiting* oldest = nullptr;
  for (const Sequence* sequence : instance.slots) {
    if (sequence == nullptr || sequence->waiting.empty()) continue;
    const Waiting& head = sequence->waiting.front();
    if (oldest == nullptr || head.order < oldest->order) oldest = &head;
  }
  if (oldest == nullptr) {
    work.wake = earliest_idle_end_;
    return work;
  }
  const uint64_t signature = oldest->request.signature;
  if (policy_.strategy == SequencePolicy::Strategy::kDirect) {
    TakeDirect(instance, signature, work);
  } else {
    TakeOldest(instance, signature, work);
  }
  return work;
}

void Sequencer::Done(size_t index, TimePoint now) {
  for (Sequence* sequence : std::exchange(instances_[index].executing, {})) {
    sequence->executing = false;
    sequence->idle_since = now;
    earliest_idle_end_ = std::min(earliest_idle_end_, now + idle_max_);
    if (std::exchange(sequence->closing, false)) AfterClosing(*sequence);
  }
}

bool Sequencer::DropFrom(Sequence& sequence, size_t index, std::vector<SequenceDrop>& drops) {
  auto begin = sequence.waiting.begin() + static_cast<ptrdiff_t>(index);
  auto end = std::find_if(begin + 1, sequence.waiting.end(),
                          [](const Waiting& waiting) { return waiting.request.mark.start; });
  const uint64_t cause = begin->request.id;
  for (auto one = begin; one != end; ++one) {
    drops.push_back({one->request.id, one == begin ? 0 : cause});
    --requests_;
  }
  const bool last = end == sequence.waiting.end();
  sequence.waiting.erase(begin, end);
  if (last) sequence.open = false;
  if (index > 0) {
    sequence.waiting[index - 1].closes = true;
  } else if (sequence.executing) {
    sequence.closing = true;
  } else if (sequence.waiting.empty()) {
    Forget(sequence);
    return false;
  }
  return true;
}

template <typename Unwanted>
std::vector<SequenceDrop> Sequencer::DropWhere(Unwanted unwanted) {
  std::vector<SequenceDrop> drops;
  for (auto next = by_id_.begin(); next != by_id_.end();) {
    Sequence& sequence = *(next++)->second;  // before it may be forgotten
    for (size_t i = 0; i < sequence.waiting.size();) {
      if (!unwanted(sequence.waiting[i].request)) {
        ++i;
      } else if (!DropFrom(sequence, i, drops)) {
        break;
      }
    }
  }
  return drops;
}

std::vector<SequenceDrop> Sequencer::Expire(TimePoint now) {
  if (now < earliest_deadline_) return {};
  earliest_deadline_ = TimePoint::max();
  return DropWhere([&](const SequenceRequest& request) {
    if (request.deadline <= now) return true;
    earliest_deadline_ = std::min(earliest_deadline_, request.deadline);
    return false;
  });
}

std::vector<SequenceDrop> Sequencer::Remove(uint64_t id) {
  return DropWhere([&](const SequenceRequest& request) { return request.id == id; });
}

std::vector<SequenceDrop> Sequencer::EndAll(size_t index) {
  std::vector<SequenceDrop> drops;
  const std::vector<Sequence*> slots = instances_[index].slots;
  for (Sequence* sequence : slots) {
    if (sequence == nullptr) continue;
    if (sequence->waiting.empty()) {
      Forget(*sequence);
    } else if (!sequence->waiting.front().request.mark.start) {
      DropFrom(*sequence, 0, drops);
    }
  }
  return drops;
}

void Sequencer::EndIdle() {
  idle_max_ = Duration::zero();
  earliest_idle_end_ = TimePoint::min();
}

std::vector<uint64_t> Sequencer::TakeEnded() {
  return std::exchange(ended_, {});
}

}  // namespace snug::serving
