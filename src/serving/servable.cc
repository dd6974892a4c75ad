#include "serving/servable.h"

#include <algorithm>
#include <future>
#include <latch>
#include <utility>

#include "base/log.h"
#include "os/cpu_seconds.h"
#include "serving/checks.h"
#include "serving/pipeline/pipeline.h"
#include "serving/sweeper.h"

namespace snug::serving {
namespace {

// Twice as many as instances: of each instance's two, one waits for the execution while the other parses or
// formats.
constexpr size_t kParseThreadsPerInstance = 2;

// How often a waiting request looks whether the engine's process is back.
constexpr std::chrono::milliseconds kRestartPoll{20};

std::vector<TensorView> Views(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  views.reserve(tensors.size());
  for (const Tensor& tensor : tensors) views.push_back(tensor.View());
  return views;
}

// A step towards what nine of ten executions stay under; how far a sample lies off does not matter, since one
// that the system held up says little about the model.
int64_t StepTowards(int64_t typical_ns, Duration sample) {
  const int64_t step = sample.count() > typical_ns ? typical_ns * 9 / 64 : -typical_ns / 64;
  return std::clamp<int64_t>(typical_ns + step, 1000, kTypicalComputeAtFirst.count());
}

void RunOrFail(Job& job, engine::Instance* instance, TimePoint now) {
  Status wanted = StillWanted(job, now);
  if (wanted.ok()) {
    job.Run(instance);
  } else {
    job.Fail(wanted);
  }
}

uint64_t Nanoseconds(Duration d) {
  return d.count() > 0 ? static_cast<uint64_t>(d.count()) : 0;
}

}  // namespace

// A client's request, from the queue to its one answer.
template <typename Request, typename Response>
class Servable::RequestJob : public Job {
 public:
  explicit RequestJob(Servable& servable) : servable_(servable) {}

  void Take(Request& request, Callback<Response>& done) {
    deadline = request.deadline;
    cancelled = request.cancelled;
    times = request.times;
    request_ = std::move(request);
    done_ = std::move(done);
  }
  void GiveBack(Request& request, Callback<Response>& done) {
    request = std::move(request_);
    done = std::move(done_);
  }
  void Fail(const Status& status) override { Answer(status); }

 protected:
  void Answer(Result<Response> answer) {
    if (times) times->executed = servable_.clock_.Now();
    servable_.Finished(answer.status().code(), request_, *this, stages_);
    done_(std::move(answer));
  }

  Servable& servable_;
  Request request_;
  Stages stages_;

 private:
  Callback<Response> done_;
};

class Servable::InferJob : public RequestJob<InferRequest, InferResponse>, public Batchable {
 public:
  InferJob(Servable& servable, std::vector<uint8_t> wanted)
      : RequestJob(servable), wanted_(std::move(wanted)) {}

  void Run(engine::Instance* instance) override {
    servable_.Started(*this);
    if (servable_.info_.decoupled) return AnswerSeveral(*instance);
    Answer(servable_.Execute(*instance, request_.inputs, wanted_, *this));
  }

  Batchable* batchable() override { return this; }
  const std::vector<Tensor>& inputs() const override { return request_.inputs; }
  const std::vector<uint8_t>& wanted() const override { return wanted_; }
  int priority() const override { return request_.priority; }
  SequenceMark sequence() const override { return request_.sequence; }
  void Answer(Result<std::vector<Tensor>> outputs) override {
    if (!outputs.ok()) return Fail(outputs.status());
    ArrangeOutputs(request_.outputs, *outputs);
    RequestJob::Answer(InferResponse{servable_.name_, servable_.version_, *std::move(outputs)});
  }

 private:
  void AnswerSeveral(engine::Instance& instance) {
    Status status = servable_.ExecuteStream(instance, request_, wanted_);
    if (!status.ok()) return Fail(status);
    RequestJob::Answer(InferResponse{servable_.name_, servable_.version_, {}, true});
  }

  const std::vector<uint8_t> wanted_;
};

// On a parse thread.
class Servable::PredictJob : public RequestJob<PredictRequest, PredictResponse> {
 public:
  using RequestJob::RequestJob;
  void Run(engine::Instance*) override { Answer(servable_.ParseAndExecute(request_, *this, stages_)); }
};

// The execution within a payload request; a parse thread waits for it.
class Servable::ExecuteJob : public Job, public Batchable {
 public:
  ExecuteJob(Servable& servable, const std::vector<Tensor>& inputs, Job& parent)
      : servable_(servable), inputs_(inputs), parent_(parent) {}

  Batchable* batchable() override { return this; }
  const std::vector<Tensor>& inputs() const override { return inputs_; }
  const std::vector<uint8_t>& wanted() const override { return wanted_; }
  void Answer(Result<std::vector<Tensor>> outputs) override {
    parent_.started = started;  // before its thread goes on
    outputs_.set_value(std::move(outputs));
  }

  std::future<Result<std::vector<Tensor>>> outputs() { return outputs_.get_future(); }
  void Run(engine::Instance* instance) override {
    servable_.Started(*this);
    Answer(servable_.Execute(*instance, inputs_, {}, *this));
  }
  void Fail(const Status& status) override { outputs_.set_value(status); }

 private:
  Servable& servable_;
  const std::vector<Tensor>& inputs_;
  Job& parent_;
  const std::vector<uint8_t> wanted_;  // empty: all
  std::promise<Result<std::vector<Tensor>>> outputs_;
};

// Zeros on one instance. All jobs of a round wait for each other, so that no thread takes two.
class Servable::WarmJob : public Job {
 public:
  WarmJob(const std::vector<Tensor>& inputs, bool decoupled, std::shared_ptr<std::latch> round)
      : inputs_(inputs), decoupled_(decoupled), round_(std::move(round)) {}

  std::future<Status> outcome() { return outcome_.get_future(); }
  void Run(engine::Instance* instance) override {
    round_->arrive_and_wait();
    outcome_.set_value(decoupled_ ? instance->ExecuteStream(Views(inputs_), {}, [](auto) { return true; })
                                  : instance->Execute(Views(inputs_), {}).status());
  }
  void Fail(const Status& status) override { outcome_.set_value(status); }

 private:
  const std::vector<Tensor>& inputs_;
  const bool decoupled_;
  const std::shared_ptr<std::latch> round_;
  std::promise<Status> outcome_;
};

Servable::Servable(Parts parts)
    : name_(std::move(parts.name)),
      version_(parts.version),
      config_(std::move(parts.config)),
      files_(std::move(parts.files)),
      model_(std::move(parts.model)),
      sequences_(std::move(parts.sequences)),
      info_(sequences_ ? sequences_->visible() : model_->info()),
      engine_process_(model_->process_id()),
      instances_(std::move(parts.instances)),
      turns_(instances_.size()),
      parser_(std::move(parts.parser)),
      pipeline_(std::move(parts.pipeline)),
      signatures_(std::move(parts.signatures)),
      class_labels_(std::make_shared<const repository::ClassLabels>(std::move(parts.class_labels))),
      stats_(std::move(parts.stats)),
      cache_(config_.cache.on ? std::make_unique<ResponseCache>(config_.cache) : nullptr),
      infer_flights_(static_cast<size_t>(config_.queue_limit)),
      predict_flights_(static_cast<size_t>(config_.queue_limit)),
      clock_(*parts.clock),
      slow_(parts.slow),
      on_wait_(std::move(parts.on_wait)),
      payloads_(static_cast<size_t>(config_.queue_limit)),
      padding_(std::move(parts.batching.padding)),
      executions_(MakeQueue(parts.batching)),
      counts_batches_(parts.batching.queue),
      batch_rows_(parts.batching.policy.rows_max),
      batching_note_(sequences_ ? sequences_->Note() : std::move(parts.batching.note)) {
  stats_->memory_bytes = info_.memory_bytes;
  stats_->Hold(info_.memory_bytes);
  stats_->threads =
      pipeline_ ? pipeline_->threads() : info_.threads_per_instance * static_cast<int>(instances_.size());
  for (size_t i = 0; i < instances_.size(); ++i) {
    instance_threads_.emplace_back([this, i] { Work(*executions_, i, instances_[i].get(), &turns_[i]); });
  }
  for (size_t i = parser_ ? kParseThreadsPerInstance * instances_.size() : 0; i > 0; --i) {
    parse_threads_.emplace_back([this, i] { Work(payloads_, i, nullptr, nullptr); });
  }
}

Servable::~Servable() {
  Stop();
}

void Servable::Work(JobQueue& queue, size_t worker, engine::Instance* instance, Turn* turn) {
  ComputeGate::Pass pass;
  while (std::unique_ptr<Job> job = TakeJob(queue, worker, instance != nullptr, pass)) {
    if (turn != nullptr) turn->Take();
    RunOrFail(*job, instance, clock_.Now());
    if (turn != nullptr) turn->Give();
  }
}

template <typename Run>
bool Servable::OnIdleInstance(Run run) {
  for (size_t i = 0; i < turns_.size(); ++i) {
    if (!turns_[i].TryTake()) continue;
    const ComputeGate::Pass pass = TryTurn();
    const bool runs = instances_[i] != nullptr && pass;  // null: stopped
    if (runs) run(*instances_[i]);
    turns_[i].Give();
    return runs;
  }
  return false;
}

bool Servable::RunHere(InferJob& job, InferRequest& request, InferCallback& done) {
  const bool quick = info_.only_computes && !info_.decoupled && engine_process_ == 0 &&
                     typical_compute_ns_.load(std::memory_order_relaxed) < Duration(kQuickComputeMax).count();
  if (!quick || !request.may_run_here || !executions_->IsFreeFor(request.inputs)) return false;
  return OnIdleInstance([&](engine::Instance& instance) {
    job.queued = clock_.Now();
    job.Take(request, done);
    stats_->in_flight.fetch_add(1, std::memory_order_relaxed);
    RunOrFail(job, &instance, job.queued);
  });
}

Status Servable::ExecuteOnEach(const std::vector<Tensor>& inputs) {
  auto round = std::make_shared<std::latch>(static_cast<ptrdiff_t>(instances_.size()));
  std::vector<std::future<Status>> outcomes;
  for (size_t i = 0; i < instances_.size(); ++i) {
    auto job = std::make_unique<WarmJob>(inputs, info_.decoupled, round);
    outcomes.push_back(job->outcome());
    std::unique_ptr<Job> queued = std::move(job);
    bool waits = false;
    executions_->PushUnbounded(queued, &waits);
  }
  Status status;
  for (auto& outcome : outcomes) {
    Status one = outcome.get();
    if (status.ok()) status = std::move(one);
  }
  return status;
}

template <typename ConcreteJob, typename Request, typename Done>
bool Servable::Admit(JobQueue& queue, std::unique_ptr<ConcreteJob> job, Request& request, Done& done) {
  ConcreteJob* concrete = job.get();
  const TimePoint deadline = request.deadline;
  const bool has_timeouts = !config_.batching.priorities.empty();  // perhaps; the queue knows when they end
  const bool may_end = deadline != TimePoint::max() || request.cancelled || has_timeouts;
  concrete->queued = clock_.Now();
  concrete->Take(request, done);
  stats_->in_flight.fetch_add(1, std::memory_order_relaxed);
  bool waits = false;
  std::unique_ptr<Job> queued = std::move(job);
  auto pushed = queue.Push(queued, &waits);
  if (pushed == JobQueue::Pushed::kYes) {
    if (waits && may_end) on_wait_(has_timeouts ? TimePoint::min() : deadline);
    return true;
  }
  if (pushed == JobQueue::Pushed::kLevelFull) {
    concrete->Fail(
        Error(Code::kResourceExhausted,
              "model \"{}\" version {}: as many requests of this priority wait as may; send fewer at "
              "a time, or raise queue_limit of the priority (batching.priorities in model.yaml)",
              name_, version_));
    return true;
  }
  if (pushed == JobQueue::Pushed::kFull) {
    concrete->Fail(
        Error(Code::kResourceExhausted,
              "model \"{}\" version {}: {} requests wait already (queue_limit {}); send fewer at a time, or "
              "raise queue_limit or instances in model.yaml",
              name_, version_, queue.limit(), config_.queue_limit));
    return true;
  }
  concrete->GiveBack(request, done);
  stats_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

Result<Servable*> Servable::ForSignature(const std::string& signature) {
  // A model of one way to call it has no name for that; TensorFlow Serving's clients call it so.
  static constexpr std::string_view kNameless = "serving_default";
  if (signature.empty() || signature == info_.signature) return this;
  if (info_.signature.empty() && signature == kNameless) return this;
  if (auto found = signatures_.find(signature); found != signatures_.end()) return found->second.get();
  std::string known = info_.signature.empty() ? std::string(kNameless) : info_.signature;
  for (const auto& [name, unused] : signatures_) known += ", " + name;
  return FailedPrecondition("Serving signature key \"{}\" not found. (model \"{}\" version {} has: {})",
                            signature, name_, version_, known);
}

Status Servable::CheckLengths(std::span<const Tensor> inputs) const {
  return padding_.empty() ? Status() : padding_.LengthsOf(inputs).status();
}

bool Servable::Infer(InferRequest& request, InferCallback& done) {
  auto callee = ForSignature(request.signature);
  if (callee.ok() && *callee != this) return (*callee)->Infer(request, done);
  if (!callee.ok()) {
    stats_->Finished(callee.status().code(), clock_.Now() - request.arrival);
    done(callee.status());
    return true;
  }
  Status status = ArrangeInputs(info_.inputs, request.inputs);
  if (status.ok()) status = CheckLengths(request.inputs);
  auto wanted =
      status.ok() ? WantedOutputs(info_.outputs, request.outputs) : Result<std::vector<uint8_t>>(status);
  if (wanted.ok() && info_.decoupled) {
    if (request.answers != nullptr) {
      request.answers->Begin();
    } else {
      wanted = Error(Code::kUnimplemented,
                     "it gives any number of answers (decoupled transaction policy); ask it over gRPC with "
                     "ModelStreamInfer");
    }
  }
  if (wanted.ok()) {
    if (!cache_) return Go(request, *std::move(wanted), done);
    NoteUse();
    const CacheKey key = KeyOfTensors(request.inputs, *wanted, request.outputs);
    return ThroughCache(infer_flights_, key, request, done,
                        [&] { return Go(request, *std::move(wanted), done); });
  }
  stats_->Finished(wanted.status().code(), clock_.Now() - request.arrival);
  done(wanted.status().Annotate(fmt::format("model \"{}\" version {}", name_, version_)));
  return true;
}

bool Servable::Go(InferRequest& request, std::vector<uint8_t> wanted, InferCallback& done) {
  auto job = std::make_unique<InferJob>(*this, std::move(wanted));
  return RunHere(*job, request, done) || Admit(*executions_, std::move(job), request, done);
}

bool Servable::Go(PredictRequest& request, PredictCallback& done) {
  return Admit(payloads_, std::make_unique<PredictJob>(*this), request, done);
}

bool Servable::Predict(PredictRequest& request, PredictCallback& done) {
  if (parser_) {
    if (!cache_) return Go(request, done);
    NoteUse();
    const CacheKey key = KeyOfPayload(request.content_type, request.payload, request.parameters);
    return ThroughCache(predict_flights_, key, request, done, [&] { return Go(request, done); });
  }
  stats_->Finished(Code::kFailedPrecondition, clock_.Now() - request.arrival);
  done(FailedPrecondition(
      "model \"{}\" version {} has no parser, so it takes tensors only (KServe v2 infer); name a "
      "parser in its model.yaml to send it payloads",
      name_, version_));
  return true;
}

void Servable::Started(Job& job) {
  job.started = clock_.Now();
  const Duration waited = job.started - job.queued;
  if (job.times) *job.times = {job.queued, job.started, {}};
  stats_->queue_latency.Observe(waited);
  stats_->queue_ns.Add(Nanoseconds(waited));
}

Result<std::vector<Tensor>> Servable::ExecuteOnce(engine::Instance& instance,
                                                  std::span<const TensorView> inputs,
                                                  std::span<const uint8_t> wanted) {
  const TimePoint begun = clock_.Now();
  const Duration cpu_before = os::ThreadCpuTime();
  auto outputs = instance.Execute(inputs, wanted);
  const Duration took = clock_.Now() - begun;
  NoteUse();
  CountExecution(instance, took, os::ThreadCpuTime() - cpu_before);
  const bool has_rows = info_.batch_is_free && !inputs.empty() && !inputs[0].shape.empty();
  for (const TensorView& input : inputs) stats_->input_bytes.Add(input.bytes);
  stats_->batch_times.Observe(has_rows ? static_cast<uint64_t>(inputs[0].shape[0]) : 1, Nanoseconds(took));
  typical_compute_ns_.store(StepTowards(typical_compute_ns_.load(std::memory_order_relaxed), took),
                            std::memory_order_relaxed);
  return outputs;
}

// Its steps' models count the CPU time of what they execute.
Result<std::vector<Tensor>> Servable::ExecutePipeline(engine::Instance& instance,
                                                      const std::vector<Tensor>& inputs,
                                                      const std::vector<uint8_t>& wanted, const Job& job) {
  const TimePoint begun = clock_.Now();
  auto outputs = pipeline_->Execute(inputs, wanted, {job.deadline, job.cancelled, job.priority()});
  CountExecution(instance, clock_.Now() - begun, Duration{0});
  return outputs;
}

void Servable::CountExecution(const engine::Instance& instance, Duration took, Duration cpu) {
  stats_->compute_ns.Add(Nanoseconds(took));
  stats_->compute_cpu_ns.Add(Nanoseconds(cpu));
  stats_->executions.Add();
  for (size_t i = 0; i < instances_.size() && i < VersionStats::kInstancesMax; ++i) {
    if (instances_[i].get() != &instance) continue;
    stats_->instances[i].executions.Add();
    stats_->instances[i].compute_ns.Add(Nanoseconds(took));
  }
}

Result<std::vector<Tensor>> Servable::Execute(engine::Instance& instance, const std::vector<Tensor>& inputs,
                                              const std::vector<uint8_t>& wanted, const Job& job) {
  stats_->inferences.Add(Items(inputs));
  if (counts_batches_) stats_->batch_rows.Observe(Items(inputs));
  return ExecuteWithRetry(instance, inputs, wanted, job);
}

Status Servable::ExecuteStream(engine::Instance& instance, const InferRequest& request,
                               std::span<const uint8_t> wanted) {
  stats_->inferences.Add(Items(request.inputs));
  const TimePoint begun = clock_.Now();
  const Duration cpu_before = os::ThreadCpuTime();
  Status status = instance.ExecuteStream(Views(request.inputs), wanted, [&](std::vector<Tensor> outputs) {
    ArrangeOutputs(request.outputs, outputs);
    return request.answers->Take({name_, version_, std::move(outputs)});
  });
  CountExecution(instance, clock_.Now() - begun, os::ThreadCpuTime() - cpu_before);
  return status;
}

Result<std::vector<Tensor>> Servable::ExecuteWithRetry(engine::Instance& instance,
                                                       const std::vector<Tensor>& inputs,
                                                       const std::vector<uint8_t>& wanted, const Job& job) {
  if (pipeline_) return ExecutePipeline(instance, inputs, wanted, job);
  const std::vector<TensorView> views = Views(inputs);
  if (engine_process_ == 0) return ExecuteOnce(instance, views, wanted);
  for (int attempt = 0;; ++attempt) {
    const int64_t process = model_->process_id();
    auto outputs = ExecuteOnce(instance, views, wanted);
    if (outputs.status().code() != Code::kUnavailable) {
      down_since_ns_ = 0;
      return outputs;
    }
    if (attempt == kExecuteRetriesMax || !AwaitRestart(process, job)) return outputs;
    stats_->retries.Add();
    log::Warning(
        "the engine's process died and is back, trying the request again",
        {{"model", name_}, {"version", std::to_string(version_)}, {"reason", outputs.status().text()}});
  }
}

bool Servable::AwaitRestart(int64_t process, const Job& job) {
  // It lives: the engine itself is out of service (a Python worker that died, a remote server that is gone).
  if (process != 0 && model_->process_id() == process) return false;
  int64_t up = 0;
  down_since_ns_.compare_exchange_strong(up, clock_.Now().time_since_epoch().count());
  for (;;) {
    const int64_t next = model_->process_id();
    if (next != 0 && next != process) return true;
    const TimePoint now = clock_.Now();
    const TimePoint since{Duration(down_since_ns_.load())};
    if (now - since > kRestartWaitMax || !StillWanted(job, now).ok()) return false;
    std::this_thread::sleep_for(kRestartPoll);
  }
}

Result<PredictResponse> Servable::ParseAndExecute(const PredictRequest& request, Job& job, Stages& stages) {
  const TimePoint begun = clock_.Now();
  auto parsed = parser_->Parse({request.content_type, request.payload, &request.parameters});
  stages.parse = clock_.Now() - begun;
  stats_->parse_ns.Add(Nanoseconds(stages.parse));
  if (!parsed.ok()) return parsed.status();
  SNUG_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs,
                        ExecuteOnInstance((*parsed)->inputs(), job, begun));
  const TimePoint executed = clock_.Now();
  stages.compute = executed - job.started;
  auto answer = (*parsed)->Format(Views(outputs));
  stages.format = clock_.Now() - executed;
  stats_->format_ns.Add(Nanoseconds(stages.format));
  if (!answer.ok()) return answer.status();
  return PredictResponse{name_, version_, std::move(answer->content_type), std::move(answer->data)};
}

Result<std::vector<Tensor>> Servable::ExecuteOnInstance(const std::vector<Tensor>& inputs, Job& parent,
                                                        TimePoint parse_begun) {
  SNUG_RETURN_IF_ERROR(CheckLengths(inputs));
  auto job = std::make_unique<ExecuteJob>(*this, inputs, parent);
  // So that its waiting counts from the first queue, less the parsing between.
  job->queued = clock_.Now() - (parse_begun - parent.queued);
  job->deadline = parent.deadline;
  job->cancelled = parent.cancelled;
  job->times = parent.times;
  auto outputs = job->outputs();
  // An engine in a process of its own is reached from any thread.
  const bool from_any_thread = info_.only_computes || engine_process_ != 0;
  const bool ran =
      from_any_thread && executions_->IsFreeFor(inputs) &&
      OnIdleInstance([&](engine::Instance& instance) { RunOrFail(*job, &instance, clock_.Now()); });
  if (ran) return outputs.get();
  std::unique_ptr<Job> queued = std::move(job);
  bool waits = false;
  executions_->PushUnbounded(queued, &waits);  // open as long as parse threads run; at most one each
  if (waits) on_wait_(parent.deadline);
  return outputs.get();
}

TimePoint Servable::Sweep(TimePoint now) {
  TimePoint due = TimePoint::max();
  for (const auto& [name, signature] : signatures_) due = std::min(due, signature->Sweep(now));
  payloads_.FailUnwanted(now);
  executions_->FailUnwanted(now);
  if (cache_ && SweepCache(now)) due = now;
  if (queue_depth() == 0) return due;
  return std::min({due, payloads_.EarliestEnd(), executions_->EarliestEnd(), now + kCancelInterval});
}

void Servable::Stop() {
  std::lock_guard lock(stopping_);
  for (const auto& [name, signature] : signatures_) signature->Stop();
  payloads_.Close();
  for (auto& thread : parse_threads_) thread.join();
  parse_threads_.clear();
  executions_->Close();
  for (auto& thread : instance_threads_) thread.join();
  instance_threads_.clear();
  parser_.reset();
  for (size_t i = 0; i < instances_.size(); ++i) {
    turns_[i].Take();  // whoever executes on its own thread has answered then
    instances_[i].reset();
    turns_[i].Give();
  }
  share_ = nullptr;
  own_share_.reset();
  if (model_) stats_->held_bytes.fetch_sub(info_.memory_bytes);
  model_.reset();
  pipeline_.reset();
}

uint64_t Servable::Items(const std::vector<Tensor>& inputs) const {
  const bool batched = info_.batch_is_free && !inputs.empty() && !inputs[0].shape.empty();
  return batched ? static_cast<uint64_t>(inputs[0].shape[0]) : 1;
}

void Servable::Finished(Code code, const RequestHead& head, const Job& job, const Stages& stages) {
  const TimePoint now = clock_.Now();
  const Duration total = now - head.arrival;
  stats_->Finished(code, total);
  stats_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  stats_->last_inference_ms.store(static_cast<int64_t>(clock_.WallSeconds() * 1e3),
                                  std::memory_order_relaxed);
  if (slow_ == nullptr || !slow_->Wants(total, now)) return;
  SlowRequest request{name_, version_, code, head.trace, clock_.WallSeconds() - Seconds(total), total};
  const bool ran = job.started != TimePoint::min();
  request.before = std::max(Duration{0}, job.queued - head.arrival);
  request.parse = stages.parse;
  request.format = stages.format;
  // An infer's job knows when it was started only; what came after is the engine's.
  request.compute = stages.compute > Duration{0} || !ran ? stages.compute : now - job.started;
  request.queue =
      std::max(Duration{0}, total - request.before - request.parse - request.compute - request.format);
  slow_->Offer(std::move(request), now);
}

}  // namespace snug::serving
