// One loaded version of a model: its instances, their threads, the queue before them, and its numbers.
//
// Each instance has a thread of its own for life (engines tie streams to threads), which takes requests from
// one shared queue, so no instance idles while a request waits. Payloads of a model with a parser pass
// through parse threads first: while an instance executes one request, the next is being parsed and the last
// one formatted, and the engine never waits for either. A parse thread that finds an instance free executes
// on it itself, with what it has just parsed in its core's caches.
//
// A tensor request of a quick model (kQuickComputeMax) is executed on the caller's thread when an instance is
// free and nothing waits: two changes of thread would cost more than the model.
//
// Requests are checked on the caller's thread, which never blocks. A request whose engine process dies waits
// for the new one and is executed once more, if its deadline allows; so a crash costs time, not answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "parsers/parser_host.h"
#include "repository/class_labels.h"
#include "repository/repository.h"
#include "serving/batch_plan.h"
#include "serving/compute_gate.h"
#include "serving/request.h"
#include "serving/response_cache.h"
#include "serving/sequence_plan.h"
#include "serving/single_flight.h"
#include "serving/slow_requests.h"
#include "serving/stats.h"
#include "serving/turn.h"
#include "serving/warmup.h"
#include "serving/work_queue.h"

namespace snug::serving {

// What an execution may typically take to be done on the thread that brought the request. Such a thread reads
// other clients' requests too, so this bounds what they wait for it.
constexpr std::chrono::microseconds kQuickComputeMax{100};
// A model is quick only after it has shown it.
constexpr Duration kTypicalComputeAtFirst = 10 * kQuickComputeMax;
constexpr int kExecuteRetriesMax = 1;
// From the moment an engine's process is found dead: requests wait so long for its successor, later ones fail
// at once.
constexpr std::chrono::seconds kRestartWaitMax{30};

class Pipeline;

class Servable {
 public:
  struct Parts {
    std::string name;
    int64_t version = 0;
    repository::ModelConfig config;
    std::shared_ptr<const void> files;  // keeps the model's directory where it has one of its own
    std::unique_ptr<engine::Model> model;
    std::vector<std::unique_ptr<engine::Instance>> instances;
    std::unique_ptr<parsers::Parser> parser;                      // null: tensor requests only
    std::map<std::string, std::shared_ptr<Servable>> signatures;  // the model's further ones, by name
    std::shared_ptr<VersionStats> stats;
    repository::ClassLabels class_labels;
    BatchPlan batching;
    std::optional<SequencePlan> sequences;  // its requests are parts of sequences
    std::shared_ptr<Pipeline> pipeline;  // what executes requests instead of `instances`; null: no pipeline
    const Clock* clock = nullptr;
    SlowRequests* slow = nullptr;  // null: the slowest are not kept
    // Called when a request has to wait, with its deadline: Sweep then, and again when it says.
    std::function<void(TimePoint)> on_wait;
  };

  // Starts the threads. Requests may come at once; those of Warm run before them.
  explicit Servable(Parts parts);
  ~Servable();  // Stop()

  // Executes zeros once on each instance, on its thread; with padding, once of each bucket. Call before the
  // first request. The error says what failed; `note` gets a text when no guess of the free dimensions was
  // right, which is no error.
  Status Warm(std::string& note);

  // Executes the requests on each instance, as often as model.yaml says. Call before the first client's
  // request. The error names the first that failed.
  Status WarmWith(const std::vector<WarmupRequest>& requests);

  // From now on its executions wait for their turn among all models'. Call once it is warm: a warm-up keeps
  // all instances busy at a time. No effect on a model whose executions may wait for something else than the
  // CPU. The gate outlives this.
  void ShareCompute(ComputeGate& gate);

  // False when it is closed: request and callback are untouched, another version may take them. True: the
  // callback has been or will be called.
  bool Infer(InferRequest& request, InferCallback& done);
  bool Predict(PredictRequest& request, PredictCallback& done);

  // Answers the waiting requests that are expired or cancelled. When the next one that waits expires, at most
  // kCancelInterval from now; TimePoint::max(): none waits.
  TimePoint Sweep(TimePoint now);

  // As engine::Model's.
  void Trim(bool idle);
  // To be called from time to time: trims it when it has not executed since the last call, and has before
  // that. True: it was trimmed.
  bool TrimIfIdle();
  // As the calls of TrimIfIdle saw it. On the thread of those.
  Duration unused_for() const { return clock_.Now() - used_at_; }

  // Refuses further requests, answers all it has taken, then frees the model. Blocks; any thread but its own.
  void Stop();

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }
  const repository::ModelConfig& config() const { return config_; }
  const engine::ModelInfo& info() const { return info_; }
  const std::map<std::string, std::shared_ptr<Servable>>& signatures() const { return signatures_; }
  bool has_parser() const { return parser_ != nullptr; }
  const std::shared_ptr<const repository::ClassLabels>& class_labels() const { return class_labels_; }
  int64_t engine_process() const { return engine_process_; }
  // Requests that wait for an instance or a parse thread.
  size_t queue_depth() const { return payloads_.size() + executions_->size(); }
  ResponseCache::Size cache_size() const;
  // A request that the model's limits refused.
  void CountLimited(TimePoint arrival);
  // Rows that are executed together at most; 1: requests are not joined.
  int64_t batch_rows() const { return batch_rows_; }
  // How its requests are batched, or why not; empty: nothing to tell.
  const std::string& batching_note() const { return batching_note_; }
  // Null: it is no pipeline.
  std::shared_ptr<const Pipeline> pipeline() const { return pipeline_; }

 private:
  template <typename Request, typename Response>
  class RequestJob;
  class InferJob;
  class PredictJob;
  class ExecuteJob;
  class WarmJob;
  class BatchJob;
  class SequenceJob;

  // Where the time of a request went that is being answered.
  struct Stages {
    Duration parse{0}, format{0}, compute{0};
  };

  template <typename ConcreteJob, typename Request, typename Done>
  bool Admit(JobQueue& queue, std::unique_ptr<ConcreteJob> job, Request& request, Done& done);
  // Of a model with padding.
  Status CheckLengths(std::span<const Tensor> inputs) const;
  // Executes the job here and now when the model is quick and an instance is free; else touches nothing.
  bool RunHere(InferJob& job, InferRequest& request, InferCallback& done);
  // False, having done nothing, when no instance is free now.
  template <typename Run>
  bool OnIdleInstance(Run run);
  using InferFlights = SingleFlight<InferRequest, InferResponse>;
  using PredictFlights = SingleFlight<PredictRequest, PredictResponse>;

  bool Go(InferRequest& request, std::vector<uint8_t> wanted, InferCallback& done);
  bool Go(PredictRequest& request, PredictCallback& done);
  bool Again(InferRequest& request, InferCallback& done) { return Infer(request, done); }
  bool Again(PredictRequest& request, PredictCallback& done) { return Predict(request, done); }
  // Answers from the cache, joins an equal request that is under way, or lets `go` have it executed and keeps
  // the answer. As Infer's and Predict's result.
  template <typename Request, typename Response>
  bool ThroughCache(SingleFlight<Request, Response>& flights, const CacheKey& key, Request& request,
                    Callback<Response>& done, const std::function<bool()>& go);
  template <typename Response>
  bool AnswerFromCache(const CacheKey& key, TimePoint arrival, Callback<Response>& done);
  template <typename Request, typename Response>
  void EndFlight(SingleFlight<Request, Response>& flights, const CacheKey& key,
                 const Result<Response>& answer);
  template <typename Request, typename Response>
  void FailUnwanted(SingleFlight<Request, Response>& flights, TimePoint now);
  bool SweepCache(TimePoint now);
  void Work(JobQueue& queue, size_t worker, engine::Instance* instance, Turn* turn);
  // Blocks for a worker's next job and, where it executes, for its turn; null when the queue is closed and
  // empty.
  std::unique_ptr<Job> TakeJob(JobQueue& queue, size_t worker, bool executes, ComputeGate::Pass& pass);
  // When this is not in a gate, free at once.
  ComputeGate::Pass AwaitTurn();
  ComputeGate::Pass TryTurn();
  // The servable of the request's signature: this one, one of signatures_, or FAILED_PRECONDITION.
  Result<Servable*> ForSignature(const std::string& signature);
  void Started(Job& job);
  Result<std::vector<Tensor>> Execute(engine::Instance& instance, const std::vector<Tensor>& inputs,
                                      const std::vector<uint8_t>& wanted, const Job& job);
  // Of a decoupled model: its answers go to request.answers.
  Status ExecuteStream(engine::Instance& instance, const InferRequest& request,
                       std::span<const uint8_t> wanted);
  // Once more when the engine's process dies meanwhile.
  Result<std::vector<Tensor>> ExecuteWithRetry(engine::Instance& instance, const std::vector<Tensor>& inputs,
                                               const std::vector<uint8_t>& wanted, const Job& job);
  std::unique_ptr<JobQueue> MakeQueue(const BatchPlan& plan);
  std::unique_ptr<JobQueue> MakeSequenceQueue();
  Result<std::vector<Tensor>> ExecuteOnce(engine::Instance& instance, std::span<const TensorView> inputs,
                                          std::span<const uint8_t> wanted);
  Result<std::vector<Tensor>> ExecutePipeline(engine::Instance& instance, const std::vector<Tensor>& inputs,
                                              const std::vector<uint8_t>& wanted, const Job& job);
  // After an execution that was UNAVAILABLE in `process`: true when another process is there.
  bool AwaitRestart(int64_t process, const Job& job);
  Result<PredictResponse> ParseAndExecute(const PredictRequest& request, Job& job, Stages& stages);
  Result<std::vector<Tensor>> ExecuteOnInstance(const std::vector<Tensor>& inputs, Job& parent,
                                                TimePoint parse_begun);
  Status WarmSpecs(std::span<const TensorSpec> specs, std::string& note);
  Status WarmGuessedBytes(std::span<const TensorSpec> specs, std::string& note);
  Status WarmOnce(std::span<const TensorSpec> specs, int64_t free_dim);
  Status WarmWith(const WarmupRequest& request);
  Status ExecutePadded(const std::vector<Tensor>& inputs);
  // Once on each instance, on its thread.
  Status ExecuteOnEach(const std::vector<Tensor>& inputs);
  uint64_t Items(const std::vector<Tensor>& inputs) const;
  void Finished(Code code, const RequestHead& head, const Job& job, const Stages& stages);
  void NoteUse() {
    if (!was_used_.load(std::memory_order_relaxed)) was_used_.store(true, std::memory_order_relaxed);
  }
  void CountExecution(const engine::Instance& instance, Duration took, Duration cpu);

  const std::string name_;
  const int64_t version_;
  const repository::ModelConfig config_;
  const std::shared_ptr<const void> files_;  // an engine's process that starts anew reads them again
  std::unique_ptr<engine::Model> model_;
  const std::optional<SequencePlan> sequences_;
  const engine::ModelInfo info_;  // as clients see it
  const int64_t engine_process_;
  std::vector<std::unique_ptr<engine::Instance>> instances_;  // each used by who holds its turn
  std::vector<Turn> turns_;
  std::unique_ptr<parsers::Parser> parser_;
  std::shared_ptr<Pipeline> pipeline_;
  const std::map<std::string, std::shared_ptr<Servable>> signatures_;
  const std::shared_ptr<const repository::ClassLabels> class_labels_;
  const std::shared_ptr<VersionStats> stats_;
  const std::unique_ptr<ResponseCache> cache_;  // null: off
  InferFlights infer_flights_;                  // only with the cache, as what follows
  PredictFlights predict_flights_;
  const Clock& clock_;
  SlowRequests* const slow_;                      // may be null
  const std::function<void(TimePoint)> on_wait_;  // see Parts
  WorkQueue payloads_;                            // to be parsed
  const Padding padding_;
  const std::unique_ptr<JobQueue> executions_;  // for the instances
  const bool counts_batches_;
  const int64_t batch_rows_;
  const std::string batching_note_;
  std::unique_ptr<ComputeGate::Member> own_share_;
  std::atomic<ComputeGate::Member*> share_{nullptr};  // own_share_, once it is there
  std::vector<std::thread> parse_threads_;
  std::vector<std::thread> instance_threads_;
  std::mutex stopping_;
  std::atomic<int64_t> typical_compute_ns_{kTypicalComputeAtFirst.count()};  // nine of ten stay under it
  std::atomic<int64_t> down_since_ns_{0};  // of clock_; 0: the engine's process is up
  std::atomic<bool> was_used_{true};       // since the last TrimIfIdle
  bool is_trimmed_ = false;                // of TrimIfIdle, as what follows
  TimePoint used_at_ = clock_.Now();
};

}  // namespace snug::serving
