// Which model executes next where models together want more CPU threads than there are, as a pure machine: no
// threads, no clock. The caller says who wants to execute and how long an execution took.
//
// Weighted fair queueing over compute time: each execution is charged to its model, thread-seconds divided by
// the model's weight, and of those that wait the one goes first whose model has been charged least. So while
// several models want to execute, each gets compute time by its weight, however many requests, instances and
// rows it has. A model that wanted nothing saves no more up than kCreditExecutions of the longest executions:
// that puts it before a model that floods, but not for long.
//
// Executions are not interrupted. A model that runs nothing and is behind those that run need not wait for
// their end where `lend_max` lets it run beside them: the kernel shares the cores out then, and the others
// wait afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/clock.h"

namespace snug::serving {

// What a model may be behind of the others when it comes back. Less than one execution of another model, and
// one that ends an execution and has the next one ready would lose what it was owed.
constexpr double kCreditExecutions = 2;

class ComputeShares {
 public:
  using Member = uint64_t;  // a model's version
  using Ticket = uint64_t;  // of an execution that waits

  // `threads` may be busy at a time, and with lending up to `lend_max` more.
  ComputeShares(int threads, int lend_max) : threads_(threads), lend_max_(lend_max) {}

  Member Add(double weight);  // more than 0
  // Nothing of it runs or waits.
  void Remove(Member member);

  // An execution wants to begin. True: it does. False: its ticket waits until Leave names it.
  bool Enter(Member member, int threads, Ticket ticket);
  // The same, but nothing waits with false.
  bool TryEnter(Member member, int threads);
  // An execution has ended. Those that begin now.
  std::vector<Ticket> Leave(Member member, int threads, Duration took);
  // The same when its worker has the next one ready, which may be among those that begin. Were it to leave
  // and enter, somebody else would begin between: short executions would each wait for a long one.
  std::vector<Ticket> Again(Member member, int threads, Duration took, Ticket ticket);

  int busy() const { return busy_; }  // threads

 private:
  struct Waiting {
    Ticket ticket;
    int threads;
  };
  struct Model {
    double weight = 1;
    double charged = 0;  // thread-seconds / weight, of executions that have ended
    double typical = 0;  // seconds of one
    double step = 0;     // charge of one
    int running = 0;     // threads
    std::deque<Waiting> waiting;
    bool idle() const { return running == 0 && waiting.empty(); }
    // With what runs, as far as can be told.
    double Charge() const { return charged + typical * running / weight; }
  };

  void ComeBack(Model& model) const;
  bool MayBegin(const Model& model, int threads) const;
  void Begin(Model& model, int threads);
  Model* Next();

  const int threads_;
  const int lend_max_;
  std::map<Member, Model> models_;
  Member members_ = 0;
  int busy_ = 0;
  double served_ = 0;  // the charge at which the last execution began
};

}  // namespace snug::serving
