#include "serving/pipeline/pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "os/files.h"
#include "serving/loader.h"
#include "serving/model_manager.h"
#include "serving/pipeline/run.h"

namespace snug::serving {
namespace {

std::string StepsOf(const std::string& version_directory) {
  return version_directory + "/" + std::string(repository::kStepsDirectory);
}

bool IsOwn(const std::string& version_directory, const std::string& model) {
  return os::IsDirectory(StepsOf(version_directory) + "/" + model);
}

// Holds the place of an execution: what a pipeline does is done by Pipeline::Execute.
class Place : public engine::Instance {
 public:
  Result<std::vector<Tensor>> Execute(std::span<const TensorView>, std::span<const uint8_t>) override {
    return Internal("a pipeline has no engine that executes it");
  }
};

}  // namespace

// The acting side of one PipelineRun: begins executions from the thread that waits for the whole, so that
// quick steps run on it, and hands it what others answer from theirs.
class Pipeline::Runner {
 public:
  Runner(Pipeline& pipeline, const std::vector<Tensor>& inputs, std::span<const uint8_t> wanted,
         const PipelineCall& call)
      : pipeline_(pipeline),
        call_(call),
        run_(pipeline.graph_, inputs, wanted),
        begun_(pipeline.graph_.steps.size()) {}

  Result<std::vector<Tensor>> Run() {
    while (!run_.Done()) {
      while (auto call = run_.Next()) Begin(*std::move(call));
      if (run_.Done()) break;
      for (Answer& answer : Await()) Finish(answer);
    }
    return run_.TakeOutputs();
  }

 private:
  struct Answer {
    PipelineRun::Call call;
    Result<std::vector<Tensor>> outputs;
  };
  // Outlives the runner for as long as a callback is leaving it.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<Answer> answers;
  };

  void Begin(PipelineRun::Call call) {
    const PipelineGraph::Step& step = pipeline_.graph_.steps[call.step];
    InferRequest request;
    request.model = step.model;
    request.version = step.version;
    request.arrival = pipeline_.clock_.Now();
    request.deadline = call_.deadline;
    request.cancelled = call_.cancelled;
    request.priority = call_.priority;
    request.inputs = std::move(call.inputs);
    request.outputs = call.outputs;
    if (!begun_[call.step]) begun_[call.step] = request.arrival;
    ModelManager& manager = *pipeline_.managers_[call.step];
    manager.Infer(std::move(request), [inbox = inbox_, call](Result<InferResponse> response) {
      auto outputs = response.ok() ? Result<std::vector<Tensor>>(std::move(response->outputs))
                                   : Result<std::vector<Tensor>>(response.status());
      std::lock_guard lock(inbox->mutex);
      inbox->answers.push_back({call, std::move(outputs)});
      inbox->arrived.notify_one();
    });
  }

  std::deque<Answer> Await() {
    std::unique_lock lock(inbox_->mutex);
    inbox_->arrived.wait(lock, [&] { return !inbox_->answers.empty(); });
    return std::exchange(inbox_->answers, {});
  }

  void Finish(Answer& answer) {
    const size_t step = answer.call.step;
    StepStats& stats = *pipeline_.stats_[step];
    if (answer.outputs.ok()) stats.items.Add();
    run_.Finished(answer.call, std::move(answer.outputs));
    if (run_.finished(step)) stats.latency.Observe(pipeline_.clock_.Now() - *begun_[step]);
  }

  Pipeline& pipeline_;
  const PipelineCall& call_;
  PipelineRun run_;
  std::vector<std::optional<TimePoint>> begun_;  // of each step
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
};

Pipeline::Pipeline(const Clock& clock) : clock_(clock) {}

Pipeline::~Pipeline() = default;

Result<std::unique_ptr<Pipeline>> Pipeline::Load(const LoadContext& context,
                                                 const repository::ModelEntry& entry, int64_t version) {
  std::unique_ptr<Pipeline> pipeline(new Pipeline(context.clock));
  SNUG_RETURN_IF_ERROR(pipeline->LoadOwn(context, entry, entry.versions.at(version).directory));
  SNUG_RETURN_IF_ERROR(pipeline->Plan(entry.config.pipeline));
  return pipeline;
}

Status Pipeline::LoadOwn(const LoadContext& context, const repository::ModelEntry& entry,
                         const std::string& directory) {
  ManagerOptions options;
  options.root = StepsOf(directory);
  options.cache_dir = context.cache_dir;
  options.load_threads = context.load_threads;
  options.gate = context.gate;
  options.clock = &context.clock;
  options.read_warmup = context.read_warmup;
  options.measure_batching = context.measure_batching;
  options.trim_idle = true;
  options.load_retries_max = 0;                      // the pipeline is tried again as a whole
  std::map<std::string, std::future<Status>> loads;  // by model
  for (const auto& step : entry.config.pipeline.steps) {
    const bool is_own = IsOwn(directory, step.model);
    if (is_own && !own_) own_ = std::make_unique<ModelManager>(options, context.engines, context.parsers);
    managers_.push_back(is_own ? own_.get() : context.models);
    if (!is_own || loads.contains(step.model)) continue;
    auto loaded = std::make_shared<std::promise<Status>>();
    loads[step.model] = loaded->get_future();
    own_->Load(step.model, "", true, [loaded](Status status) { loaded->set_value(std::move(status)); });
  }
  Status first;
  for (auto& [model, load] : loads) {
    const Status status = load.get();
    if (first.ok() && !status.ok()) {
      first = status.Annotate(fmt::format("the step's model {}/{}", repository::kStepsDirectory, model));
    }
  }
  return first;
}

Status Pipeline::Plan(const repository::PipelineConfig& config) {
  std::vector<StepTensors> tensors;
  for (size_t i = 0; i < config.steps.size(); ++i) {
    const auto& step = config.steps[i];
    const std::string place = fmt::format("pipeline step \"{}\" (model \"{}\")", step.name, step.model);
    if (managers_[i] == nullptr) return NotFound("{}: there are no models beside this one", place);
    auto model = managers_[i]->Describe(step.model, step.version);
    if (!model.ok()) return model.status().Annotate(place);
    if (model->config.is_pipeline()) {
      return InvalidArgument("{}: is a pipeline itself; put its steps in here", place);
    }
    tensors.push_back({model->info.inputs, model->info.outputs});
    stats_.push_back(std::make_unique<StepStats>());
    stats_.back()->step = step.name;
  }
  SNUG_ASSIGN_OR_RETURN(graph_, PlanPipeline(config, tensors));
  return {};
}

Result<std::vector<Tensor>> Pipeline::Execute(const std::vector<Tensor>& inputs,
                                              std::span<const uint8_t> wanted, const PipelineCall& call) {
  return Runner(*this, inputs, wanted, call).Run();
}

engine::ModelInfo Pipeline::Info() const {
  engine::ModelInfo info;
  info.inputs = graph_.InputSpecs();
  info.outputs = graph_.OutputSpecs();
  info.threads_per_instance = 0;  // it waits; its steps' models have theirs
  info.description = "pipeline of";
  for (const auto& step : graph_.steps)
    info.description += (&step == &graph_.steps[0] ? " " : ", ") + step.name;
  if (own_) {
    for (const VersionStatus& status : own_->Index()) info.memory_bytes += status.memory_bytes;
  }
  return info;
}

std::vector<std::unique_ptr<engine::Instance>> Pipeline::MakeInstances(int count) const {
  std::vector<std::unique_ptr<engine::Instance>> places;
  places.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) places.push_back(std::make_unique<Place>());
  return places;
}

int Pipeline::threads() const {
  int threads = 0;
  if (own_) {
    for (const VersionStatus& status : own_->Index()) threads += status.threads;
  }
  return threads;
}

std::vector<std::string> ModelsBeside(const repository::PipelineConfig& pipeline,
                                      const std::string& version_directory) {
  std::set<std::string> models;
  for (const auto& step : pipeline.steps) {
    if (!IsOwn(version_directory, step.model)) models.insert(step.model);
  }
  return {models.begin(), models.end()};
}

}  // namespace snug::serving
