// Which requests of sequences to execute, where and when, as a pure machine: no threads, no clock, no
// tensors. The caller says what arrived, when an instance is free and what was executed, and gets told what
// to execute next.
//
// A sequence is a row of requests with one correlation id, from a request that says `start` to one that says
// `end`; its requests are executed one after the other, in the order of arrival, by one instance. It holds a
// place (a slot of that instance) from its start until its end was executed or it has idled for idle_max.
// Sequences that find no free place wait for one, first come first served, up to backlog_max.
//
// kDirect: the instance has one slot for each row of its batches, and a sequence is always the same row; rows
// between that have nothing to do are there but not ready. For models that keep a state for each row.
// kOldest: the oldest waiting requests of the instance's sequences are executed together, one of each
// sequence, as rows without gaps. For models that are given the state, or told the correlation id.
//
// A request that leaves without having been executed (its time was up, or its client gave up) ends its
// sequence: later answers would silently be those of another sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "serving/sequence_mark.h"

namespace snug::serving {

struct SequencePolicy {
  enum class Strategy { kDirect, kOldest };
  Strategy strategy = Strategy::kDirect;
  std::string model;  // for texts
  size_t instances = 1;
  size_t rows_max = 1;       // executed together by one instance; kDirect: its slots
  size_t sequences_max = 1;  // kOldest: slots of all instances together, at least one each
  size_t backlog_max = 0;    // sequences that wait for a slot
  Duration idle_max = std::chrono::seconds(1);

  size_t SlotsPerInstance() const;
};

struct SequenceRequest {
  uint64_t id = 0;  // the caller's, unique among those inside
  SequenceMark mark;
  TimePoint arrival;
  TimePoint deadline = TimePoint::max();
  uint64_t signature = 0;  // only requests of one signature are executed together
};

// A row to execute. `request` 0: nothing to do in this slot.
struct SequenceRow {
  uint64_t request = 0;
  uint64_t sequence = 0;  // unique for each sequence ever begun: what its state is kept under
  SequenceMark mark;
};

struct SequenceWork {
  std::vector<SequenceRow> rows;      // empty: nothing to execute now
  TimePoint wake = TimePoint::max();  // ask again then, though nothing arrived
};

// A request taken out unexecuted. `cause` 0: for its own sake; else because that earlier one was.
struct SequenceDrop {
  uint64_t request = 0;
  uint64_t cause = 0;
};

// Not thread-safe.
class Sequencer {
 public:
  explicit Sequencer(SequencePolicy policy);

  // INVALID_ARGUMENT: no correlation id, or an unknown one without `start`. RESOURCE_EXHAUSTED: too many
  // sequences wait for a place. It is not inside then.
  Status Add(const SequenceRequest& request, TimePoint now);
  // Instance `instance` is free: what it executes next, until Done.
  SequenceWork Take(size_t instance, TimePoint now);
  // What Take gave last to this instance was executed.
  void Done(size_t instance, TimePoint now);
  // Requests whose deadline has passed, and those that were behind them.
  std::vector<SequenceDrop> Expire(TimePoint now);
  // The client gave up: takes out the request and those behind it in its sequence. Nothing when it is not
  // inside any more.
  std::vector<SequenceDrop> Remove(uint64_t request);
  // The instance has lost its sequences' states: all end, and what waits in them is taken out. Not between
  // Take and Done.
  std::vector<SequenceDrop> EndAll(size_t instance);
  // Numbers of the sequences that ended since the last call: their states can go.
  std::vector<uint64_t> TakeEnded();

  // From now on sequences that idle end at once: nothing further of them comes.
  void EndIdle();

  size_t size() const { return requests_; }  // requests that wait
  bool empty() const { return requests_ == 0; }
  size_t sequences() const { return by_id_.size(); }  // that have a place or wait for one
  // How many sequences have got a place after waiting for it: their instances have something to do then.
  uint64_t placed_later() const { return placed_later_; }
  const SequencePolicy& policy() const { return policy_; }

 private:
  struct Place {
    size_t instance = 0;
    size_t slot = 0;
  };
  struct Waiting {
    SequenceRequest request;
    uint64_t order = 0;   // of arrival; smaller is older
    bool closes = false;  // the sequence ends with it: it says so, or what followed was taken out
  };
  struct Sequence {
    CorrelationId id;
    uint64_t number = 0;  // 0: its first request was not executed yet
    bool placed = false;
    Place place;
    std::deque<Waiting> waiting;
    bool open = true;        // goes on with further requests that say no `start`
    bool executing = false;  // a request of it
    bool closing = false;    // that request closes it
    TimePoint idle_since;
  };
  using Sequences = std::map<CorrelationId, std::unique_ptr<Sequence>>;
  struct Instance {
    std::vector<Sequence*> slots;  // null: free
    size_t used = 0;
    std::vector<Sequence*> executing;
  };

  Status FindOrBegin(const SequenceMark& mark, Sequence** found);
  bool PlaceIt(Sequence& sequence);
  void LeavePlace(Sequence& sequence);
  void PlaceBacklog();
  void EndNumber(Sequence& sequence);
  // Leaves its place and is unknown from now on. Invalidates it.
  void Forget(Sequence& sequence);
  void AfterClosing(Sequence& sequence);
  void ReapIdle(TimePoint now);
  bool IsIdle(const Sequence& sequence) const { return sequence.waiting.empty() && !sequence.executing; }
  SequenceRow TakeFrom(Sequence& sequence, Instance& instance);
  void TakeDirect(Instance& instance, uint64_t signature, SequenceWork& work);
  void TakeOldest(Instance& instance, uint64_t signature, SequenceWork& work);
  // Takes out the request and those behind it, up to the next that says `start`. False: the sequence was
  // forgotten with it.
  bool DropFrom(Sequence& sequence, size_t index, std::vector<SequenceDrop>& drops);
  template <typename Unwanted>
  std::vector<SequenceDrop> DropWhere(Unwanted unwanted);

  const SequencePolicy policy_;
  std::vector<Instance> instances_;
  Sequences by_id_;
  std::deque<Sequence*> backlog_;
  std::vector<uint64_t> ended_;
  uint64_t numbers_ = 0;
  uint64_t orders_ = 0;
  uint64_t placed_later_ = 0;
  Duration idle_max_;
  size_t requests_ = 0;
  TimePoint earliest_deadline_ = TimePoint::max();  // nothing expires before
  TimePoint earliest_idle_end_ = TimePoint::max();  // nor idles for too long
};

}  // namespace snug::serving
