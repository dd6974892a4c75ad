// The life cycle of models and versions, and the one way to infer and predict.
//
// A version: LOADING (engine loads, warm-up on each instance) → READY → UNLOADING (drains) → gone, or
// UNAVAILABLE with a reason. Loading runs on background threads at low priority. A version that is loaded
// anew serves on with its old copy until the new one is warm, and keeps it when that fails. Requests in
// flight keep the copy they use alive.
//
// A version that need not be loaded at once (model.yaml's `load`) stands by: it takes requests, the first one
// begins its one load, and all wait for that, their deadlines running. Where something of the model is loaded
// already, its further versions are loaded at once, so that a new version never makes requests wait. One that
// was not asked for long enough (`standby_after_s`) goes back there.
//
// Thread-safe. Infer and Predict never block; Load and Unload answer through their callback, on a background
// thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "engine/engine.h"
#include "os/heap.h"
#include "parsers/parser_host.h"
#include "repository/inline_model.h"
#include "repository/repository.h"
#include "serving/measured_batches.h"
#include "serving/model_limits.h"
#include "serving/payload_sampler.h"
#include "serving/request.h"
#include "serving/servable.h"
#include "serving/slow_requests.h"
#include "serving/state.h"
#include "serving/stats.h"
#include "serving/sweeper.h"
#include "serving/task_pool.h"
#include "serving/timer.h"
#include "serving/version_plan.h"
#include "serving/warmup.h"

namespace snug::serving {

struct VersionStatus {
  std::string name;
  int64_t version = 0;
  State state = State::kUnavailable;
  std::string reason;           // why it is UNAVAILABLE or on standby, or what to know of a READY one
  bool takes_requests = false;  // is loaded, or is by the next request
  uint64_t memory_bytes = 0;    // that it holds, or held and will again when it is on standby
  std::string engine;
  std::string parser;
  std::string description;  // the engine's line
  std::string batching;     // how requests are batched, or why not; may be empty
  int threads = 0;          // that its instances may keep busy together
};

// A READY version, for metadata.
struct ModelDescription {
  std::string name;
  int64_t version = 0;
  std::vector<int64_t> versions;  // all that take requests
  repository::ModelConfig config;
  engine::ModelInfo info;
  int64_t batch_rows = 1;                                       // that are executed together at most
  std::shared_ptr<const repository::ClassLabels> class_labels;  // never null
};

// What a load brings with it, beside or instead of what lies in the repository.
struct LoadOverride {
  std::function<Status(repository::ModelConfig&)> configure;  // changes what model.yaml says; may be null
  repository::InlineFiles files;                              // not empty: instead of the model's directory
};

struct ManagerOptions {
  std::string root;                 // the repository
  std::string cache_dir;            // for engines; empty: none
  std::string inline_dir = "/tmp";  // where files that come with a load are kept while they are in use
  size_t load_threads = 1;
  int cpu_threads = 0;  // the process's budget; a load that takes the models past it is logged. 0: not known
  ComputeGate* gate = nullptr;  // see LoadContext; outlives the manager
  // When models are loaded whose model.yaml does not say; nothing: all at once, whatever model.yaml says.
  std::optional<repository::LoadTime> load_time;
  // Versions whose model.yaml does not say go on standby when they were not asked for so long. 0: never.
  // Without `load_time`: never, whatever model.yaml says.
  Duration standby_after{0};
  const Clock* clock = &SystemClock();
  bool measure_batching = true;     // see LoadContext
  bool trim_idle = false;           // see kTrimInterval
  PayloadSink* payloads = nullptr;  // what `payload_log` samples goes there; null: nowhere
  WarmupReader read_warmup;         // null: zeros alone warm up
  // Loads that failed for a reason that may pass are tried again.
  int load_retries_max = 2;
  BackoffBounds load_backoff{std::chrono::seconds(1), std::chrono::seconds(30), std::chrono::hours(24)};
};

// After a load, and after a copy that another one replaced: the heap's free pages are given back so much
// later, once for all that came meanwhile. Doing it holds up every thread that allocates.
constexpr std::chrono::seconds kHeapTrimDelay{1};

// Models that have not executed for one to two of these give back what only executions need; and where the
// process has grown since, so do what models leave between executions and requests leave.
constexpr std::chrono::seconds kTrimInterval{5};

// Slowest requests that are kept, and for how long.
constexpr size_t kSlowKeptMax = 64;
constexpr std::chrono::minutes kSlowWindow{20};

class ModelManager {
 public:
  using Done = std::function<void(Status)>;

  // The hosts must outlive the manager.
  ModelManager(ManagerOptions options, engine::EngineHost& engines, parsers::ParserHost& parsers);
  ~ModelManager();  // stops: answers what is in flight, frees all models

  // Loads what every model's version policy wants of the repository. `done` comes when each is READY,
  // UNAVAILABLE or on standby; the error is the repository's own (it cannot be read), never one model's.
  void LoadAll(Done done);
  // Reads the model's directory anew and loads `version`, or with "" all that the policy wants (the others
  // are unloaded then). wait: `done` when loaded, with the first failure; else as soon as loading has begun.
  void Load(std::string model, std::string version, bool wait, Done done);
  // Brings what is here of a model in line with `entry`: PlanVersions, step by step. `changed` are loaded
  // anew. `done` when all is loaded, with the first failure; what is not wanted any more may still drain
  // then.
  void Align(repository::ModelEntry entry, std::set<int64_t> changed, Done done);
  // The changes hold until the model's next load.
  void LoadChanged(LoadOverride changes, std::string model, std::string version, bool wait, Done done);
  // NOT_FOUND when it is not here. wait: `done` when its memory is free; else as soon as draining has begun.
  void Unload(std::string model, std::string version, bool wait, Done done);

  // The model's default version: label "default" if it is READY, else the highest READY one.
  // NOT_FOUND: no such model or version; UNAVAILABLE: loading, unloading or failed, with the reason;
  // RESOURCE_EXHAUSTED: queue_limit; DEADLINE_EXCEEDED; INVALID_ARGUMENT: the request does not fit the model.
  void Infer(InferRequest request, InferCallback done);
  void Predict(PredictRequest request, PredictCallback done);

  // For what has to be known of a model before a request can be made of it: brings a version that stands by
  // into memory, then calls `then`, on any thread; at once where there is nothing to wait for, also when
  // there is no such version. An error: the wait was ended (deadline, cancelled, too many wait).
  void WhenLoaded(const std::string& model, const std::string& version, TimePoint deadline,
                  CancelFlag cancelled, Done then);
  // Whether a request would have to wait for a load.
  bool ComesLate(std::string_view model, std::string_view version) const;

  // UNAVAILABLE for one that is on standby: see WhenLoaded.
  Result<ModelDescription> Describe(std::string_view model, std::string_view version) const;
  // OK: it takes requests, so it is loaded or on standby. Else why it does not.
  Status Ready(std::string_view model, std::string_view version) const;
  std::vector<VersionStatus> Index() const;  // sorted by name, version
  // Names of models in the repository that have no version here, sorted. Lists its directory.
  std::vector<std::string> NotLoaded() const;
  struct VersionNumbers {
    std::string name;
    int64_t version;
    std::shared_ptr<VersionStats> stats;
    bool ready;   // takes requests
    bool loaded;  // is in memory
    size_t queue_depth;
    ResponseCache::Size cache;
    int64_t engine_process;  // 0: none of its own
    size_t instances;
    std::shared_ptr<const Pipeline> pipeline;  // null: it is none
  };
  // Of all models (`model` empty), all versions of one, or one. Errors as Describe. With all come the models
  // that pipelines hold, as "pipeline/version/model".
  Result<std::vector<VersionNumbers>> Statistics(std::string_view model, std::string_view version) const;
  void WriteMetrics(MetricsText& text) const;
  // Of the last kSlowWindow, the slowest first.
  std::vector<SlowRequest> Slowest() { return slow_.Slowest(options_.clock->Now()); }
  // Nothing is LOADING.
  bool Settled() const;
  // Trims the models that have not executed since the last call, and puts those on standby that have not for
  // long; called every kTrimInterval where the options say so.
  void TrimIdle();

 private:
  // A request, or what else needs a version, while that is loaded for it.
  struct Waiting {
    TimePoint since;
    TimePoint deadline;
    CancelFlag cancelled;
    Done go_on;  // OK: look the version up again

    Status StillWanted(TimePoint now) const;
  };
  struct Version {
    State state = State::kLoading;
    std::string reason;
    std::string engine, parser;  // as configured
    uint64_t generation = 0;     // of the newest load or unload; older ones' outcomes are dropped
    std::shared_ptr<Servable> servable;
    std::shared_ptr<VersionStats> stats = std::make_shared<VersionStats>();
    // Of a pipeline with models beside it; else empty.
    std::vector<std::string> beside;
    std::shared_ptr<const repository::ModelEntry> entry;  // what it was last loaded, or is to be loaded, by
    // Of the copy that went on standby: its next one will be like it.
    uint64_t memory_bytes = 0;
    std::string description;
    bool is_last = false;  // loading it anew failed: what serves would not come back
    // On standby, or being loaded since: requests wait.
    bool comes_late = false;
    std::vector<Waiting> waiting;

    bool takes_requests() const { return servable != nullptr || comes_late; }
  };
  struct Model {
    std::map<std::string, int64_t> labels;
    std::map<int64_t, Version> versions;
    std::shared_ptr<ModelLimits> limits;      // null: none
    std::shared_ptr<PayloadSampler> sampler;  // null: none
    int64_t standard_version = 0;             // what a request without a version gets; 0: none takes any
    std::shared_ptr<Servable> standard;       // its copy; null: it comes late
  };
  struct LoadTask {
    repository::ModelEntry entry;
    int64_t version = 0;
    uint64_t generation = 0;
    Done done;
    int attempts = 0;
    Backoff backoff;
    // Of a pipeline, because a model beside it has changed: what it was before is of no use when this fails.
    bool is_check = false;
    bool in_haste = false;  // at the usual priority: a request waits, or nothing is served yet that feels it
  };
  using Models = std::map<std::string, Model, std::less<>>;
  using LoadTime = repository::LoadTime;

  template <typename Request, typename Response, typename Call>
  void Dispatch(Request request, Callback<Response> done, Call call, bool is_counted = false);
  // Once the version is loaded that the request waits for.
  template <typename Request, typename Response, typename Call>
  void DispatchLate(Request request, Callback<Response> done, Call call, bool is_counted);
  struct Found {
    std::shared_ptr<Servable> servable;  // null: it comes late
    std::shared_ptr<ModelLimits> limits;
    std::shared_ptr<PayloadSampler> sampler;
  };
  Result<Found> Find(std::string_view model, std::string_view version) const;
  Result<int64_t> FindVersion(const Model& model, std::string_view name, std::string_view version) const;
  Status NotReady(std::string_view name, int64_t version, const Version& entry) const;

  Result<repository::ModelEntry> ReadEntry(const std::string& model, const LoadOverride& changes) const;
  VersionPlan Plan(const repository::ModelEntry& entry, const std::set<int64_t>& changed) const;
  // When its versions are loaded: as model.yaml says, or by a call.
  enum class When { kAtStart, kAsConfigured, kNow };
  void BeginAlign(const repository::ModelEntry& entry, std::set<int64_t> changed, When when, bool wait,
                  const Done& done);
  // `unload_first` goes before anything is loaded.
  void BeginLoad(const repository::ModelEntry& entry, const std::vector<int64_t>& versions,
                 const std::vector<int64_t>& unload_first, bool wait, const Done& done,
                 bool at_start = false);
  // Null when a later change has overtaken the load; else the version is LOADING, unless an older copy
  // serves.
  std::shared_ptr<VersionStats> Begun(const LoadTask& task);
  void RunLoad(LoadTask task);
  void LoadLater(LoadTask task, const Status& failure);
  void WarnOfThreads(const std::string& loaded) const;
  Status Publish(const LoadTask& task, Result<std::shared_ptr<Servable>> loaded, const std::string& note);
  // What holds for a model that is here whatever its versions; no effect for others.
  void SetModelWide(std::string_view model, const repository::ModelConfig& config);
  // What every load or wait of a version begins with. `mutex_` is held.
  Version& NewGeneration(const repository::ModelEntry& entry, int64_t number, Model& model);
  void SetModelWide(std::string_view name, const repository::ModelConfig& config, Model& model);
  void UnloadSuperseded(const repository::ModelEntry& entry);
  void BeginUnload(const std::string& model, const std::vector<int64_t>& versions, bool wait,
                   const Done& done);
  // `trim`: its memory is the system's again when it is done; else a little later.
  void Retire(std::shared_ptr<Servable> servable, bool trim, Done done);
  // Gives what malloc keeps free back to the system.
  void TrimHeap();
  void TrimHeapLater();
  void FinishUnload(const std::string& model, int64_t version, uint64_t generation);
  static void ChooseStandard(Model& model);
  TimePoint Sweep();
  void TrimLater();

  LoadTime LoadTimeOf(const repository::ModelEntry& entry) const;
  // Those of the versions that are not loaded at once.
  std::vector<int64_t> PutOnStandby(const repository::ModelEntry& entry,
                                    const std::vector<int64_t>& versions);
  // How long a version of this must not have been asked for to go on standby; 0: it never does.
  Duration StandbyAfter(const repository::ModelConfig& config) const;
  void PutIdleOnStandby();
  // The load that a version on standby is waiting for. Under mutex_, as what follows.
  LoadTask LateLoad(int64_t number, Version& version);
  static std::vector<Waiting> EndWaiting(Version& version);
  // Takes those out whose deadline has passed or who gave up. True while others may.
  bool TakeUnwanted(TimePoint now, std::vector<Waiting>& unwanted);
  void WaitForLoad(const std::string& model, const std::string& version, Waiting waiting);

  // Begins to load the models beside a pipeline that are not here.
  void LoadBeside(const repository::ModelEntry& pipeline);
  // Puts the load of a pipeline off while a model beside it is LOADING.
  bool WaitsForModel(LoadTask& task);
  // A model has come, changed or gone: what waits for it goes on, pipelines that use it are checked.
  void CheckPipelinesOf(const std::string& model);

  const ManagerOptions options_;
  engine::EngineHost& engines_;
  parsers::ParserHost& parsers_;
  mutable std::mutex mutex_;
  Models models_;
  uint64_t generations_ = 0;
  SlowRequests slow_{kSlowKeptMax, kSlowWindow};
  MeasuredBatches measured_;
  std::vector<std::shared_ptr<Servable>> retiring_;
  std::vector<LoadTask> waiting_;     // pipelines, for models beside them
  std::array<Counter, 17> rejected_;  // by code: requests that found no READY version
  std::atomic<bool> heap_trim_due_{false};
  os::HeapGrowth heap_growth_;
  Sweeper sweeper_;
  Timer timer_;
  TaskPool control_{1};  // reads model directories and plans, in the order of the calls
  TaskPool loaders_;
  TaskPool retirers_;
};

}  // namespace snug::serving
