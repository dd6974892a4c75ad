// What both protocols translate to and from: requests and answers without a protocol.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/tensor.h"
#include "serving/sequence_mark.h"

namespace snug::serving {

// Set by the client's side when nobody waits for the answer any more.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

// When a request went on its way, for one that is traced; default where it did not get there.
struct RequestTimes {
  TimePoint queued, started, executed;
};

// What every request carries.
struct RequestHead {
  std::string model;
  std::string version;    // a number, a label, or empty: the model's default
  std::string signature;  // of the model's signatures; empty: the default one
  TimePoint arrival;      // of the request at the server; latencies count from here
  TimePoint deadline = TimePoint::max();
  CancelFlag cancelled;                 // may be null
  std::string trace;                    // W3C traceparent, as the client sent it; empty: none
  std::shared_ptr<RequestTimes> times;  // filled in before the answer; null: nobody asks
};

struct InferResponse {
  std::string model;
  int64_t version = 0;
  std::vector<Tensor> outputs;
  bool is_end = false;  // of a decoupled model's answers: AnswerTaker had them, here are none
};

// Takes the answers of a decoupled model, which gives any number of them.
class AnswerTaker {
 public:
  virtual ~AnswerTaker() = default;
  // The request is one of such a model. On the caller's thread, before Infer returns.
  virtual void Begin() = 0;
  // In their order, on one thread, before the callback. May block while the client reads slower; the model's
  // instance waits then. False: nobody wants more.
  virtual bool Take(InferResponse answer) = 0;
};

struct InferRequest : RequestHead {
  std::vector<Tensor> inputs;        // any order; buffers own their bytes or borrow the protocol message's
  std::vector<std::string> outputs;  // wanted ones, in the order of the answer; empty: all
  int priority = 0;                  // 1 is the highest; 0: the model's default
  SequenceMark sequence;             // heeded by models of sequences
  // Whether the calling thread may execute it: not one whose work is another, or whose priority is low.
  bool may_run_here = true;
  std::shared_ptr<AnswerTaker> answers;  // null: exactly one is expected, a decoupled model is an error
};

struct PredictRequest : RequestHead {
  std::string content_type;
  std::string_view payload;
  std::shared_ptr<void> payload_owner;  // keeps payload's bytes
  std::map<std::string, std::string> parameters;
};

struct PredictResponse {
  std::string model;
  int64_t version = 0;
  std::string content_type;
  std::string payload;
};

// Called exactly once, on any thread: a worker's, the sweeper's, or the caller's own before the call returns.
template <typename T>
using Callback = std::function<void(Result<T>)>;
using InferCallback = Callback<InferResponse>;
using PredictCallback = Callback<PredictResponse>;

}  // namespace snug::serving
