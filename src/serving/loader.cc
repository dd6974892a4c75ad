#include "serving/loader.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/signatures.h"
#include "serving/checks.h"
#include "serving/pipeline/pipeline.h"

namespace snug::serving {
namespace {

engine::Isolation IsolationOf(const std::string& name) {
  if (name == "in-process") return engine::Isolation::kInProcess;
  if (name == "process") return engine::Isolation::kProcess;
  return engine::Isolation::kDefault;
}

Result<std::unique_ptr<engine::Model>> LoadModel(const LoadContext& context,
                                                 const repository::ModelConfig& config,
                                                 const std::string& directory) {
  engine::LoadRequest request;
  request.engine = config.engine;
  request.directory = directory;
  request.options_json = config.engine_options_json;
  request.threads = config.threads;
  request.instances = config.instances;
  request.isolation = IsolationOf(config.isolation);
  request.cache_dir = context.cache_dir;
  request.execution_seconds_max = config.execution_timeout_s;
  return context.engines.Load(request);
}

Result<std::unique_ptr<parsers::Parser>> CreateParser(const LoadContext& context, const std::string& model,
                                                      const repository::ModelConfig& config,
                                                      const std::string& directory,
                                                      const engine::ModelInfo& info) {
  if (config.parser.empty()) return std::unique_ptr<parsers::Parser>();
  parsers::ParserRequest request;
  request.parser = config.parser;
  request.model_name = model;
  request.directory = directory;
  request.options_json = config.parser_options_json;
  request.inputs = info.inputs;
  request.outputs = info.outputs;
  return context.parsers.CreateParser(request);
}

// A loaded model as one of its signatures shows it; all of them hold the same weights.
class SignatureModel : public engine::Model {
 public:
  SignatureModel(std::shared_ptr<engine::Model> model, std::string signature, engine::ModelInfo info)
      : model_(std::move(model)), signature_(std::move(signature)), info_(std::move(info)) {}
  const engine::ModelInfo& info() const override { return info_; }
  int64_t process_id() const override { return model_->process_id(); }
  void Trim(bool idle) override { model_->Trim(idle); }
  Result<std::unique_ptr<engine::Instance>> CreateInstance() override {
    return signature_.empty() ? model_->CreateInstance() : model_->CreateSignatureInstance(signature_);
  }

 private:
  const std::shared_ptr<engine::Model> model_;
  const std::string signature_;  // empty: the model's own
  const engine::ModelInfo info_;
};

Result<std::vector<std::unique_ptr<engine::Instance>>> CreateInstances(engine::Model& model, int count) {
  std::vector<std::unique_ptr<engine::Instance>> instances;
  for (int i = 0; i < count; ++i) {
    SNUG_ASSIGN_OR_RETURN(instances.emplace_back(), model.CreateInstance());
  }
  return instances;
}

// A servable for each further signature. Makes parts.model one of several views of the model.
Result<std::map<std::string, std::shared_ptr<Servable>>> LoadSignatures(Servable::Parts& parts) {
  std::map<std::string, std::shared_ptr<Servable>> servables;
  const engine::ModelInfo info = parts.model->info();
  if (info.signatures.empty()) return servables;
  std::shared_ptr<engine::Model> shared = std::move(parts.model);
  for (const engine::Signature& signature : info.signatures) {
    SNUG_ASSIGN_OR_RETURN(engine::ModelInfo view, engine::InfoOfSignature(info, signature.name));
    Servable::Parts own;
    own.name = parts.name;
    own.version = parts.version;
    own.config = parts.config;
    own.stats = parts.stats;
    own.clock = parts.clock;
    own.slow = parts.slow;
    own.on_wait = parts.on_wait;
    own.model = std::make_unique<SignatureModel>(shared, signature.name, std::move(view));
    SNUG_ASSIGN_OR_RETURN(own.instances, CreateInstances(*own.model, own.config.instances));
    servables[signature.name] = std::make_shared<Servable>(std::move(own));
  }
  parts.model = std::make_unique<SignatureModel>(std::move(shared), "", info);
  return servables;
}

// Zeros need not suit every signature (serialised examples, say), and none but the default one has to be
// warm.
void WarmSignatures(const Servable& servable) {
  for (const auto& [name, signature] : servable.signatures()) {
    std::string note;
    Status warm = signature->Warm(note);
    if (!warm.ok()) note = warm.ToString();
    if (!note.empty())
      log::Info("a signature is not warm", {{"model", servable.name()}, {"signature", name}, {"note", note}});
  }
}

// Measured on the first instance, before its own thread has it; with padding, in the middle one of its
// buckets.
Result<BatchPlan> MeasuredPlan(const LoadContext& context, const repository::ModelConfig& config,
                               const std::string& directory, engine::Model& model,
                               engine::Instance& instance) {
  engine::ModelInfo info = model.info();
  SNUG_ASSIGN_OR_RETURN(Padding padding, Padding::Make(config.batching.padding, info));
  const std::vector<int64_t> rows = RowsToTry(config.batching, info);
  if (rows.empty() || !context.measure_batching)
    return PlanBatching(config.batching, info, nullptr, std::move(padding));
  if (!padding.empty()) info.inputs = padding.SpecsAt(padding.buckets() / 2);
  const auto likeness = LikenessOf(config, info, directory);
  const bool remembers = context.measured != nullptr && likeness.ok();
  std::optional<BatchMeasure> measure;
  if (remembers) measure = context.measured->Find(*likeness);
  if (measure) {
    *measure = CheckMeasure(instance, info, config.batching, *measure, context.clock);
  } else {
    measure = MeasureBatching(instance, info, rows, context.clock);
    if (remembers) context.measured->Keep(*likeness, *measure);
  }
  model.Trim(/*idle=*/true);  // of its large batches
  return PlanBatching(config.batching, info, &*measure, std::move(padding));
}

// Batches of sequences are formed otherwise; one that waits in a parse thread could hold up the rest of its
// own sequence; and equal inputs get other answers.
Result<SequencePlan> PlanSequences(const Servable::Parts& parts) {
  if (!parts.config.batching.priorities.empty() || !parts.config.batching.padding.empty()) {
    return InvalidArgument("model.yaml: `sequence` and batching.{} cannot be used together",
                           parts.config.batching.padding.empty() ? "priorities" : "padding");
  }
  if (parts.parser != nullptr)
    return InvalidArgument("model.yaml: `sequence` and a parser cannot be used together");
  if (parts.config.cache.on)
    return InvalidArgument("model.yaml: `sequence` and `cache` cannot be used together");
  return SequencePlan::Make(parts.config.sequence, parts.model->info(), parts.name, parts.config.instances);
}

Status WarmWithZeros(Servable& servable, std::string& note) {
  Status status = servable.Warm(note);
  // Where the model itself refused them, it may be well. Sequences have no other warm-up.
  const bool refused = status.code() == Code::kInternal || status.code() == Code::kInvalidArgument;
  if (!refused || servable.config().sequence.on) return status;
  return Status(status.code(), status.text() +
                                   "; if the model cannot take zeros: `warmup: {zeros: false}` in model.yaml "
                                   "and a request as warmup/NAME.json "
                                   "in the version's directory");
}

// Zeros first: they need nothing but the declaration, and make a recorded request's failure the request's.
Status WarmUp(const LoadContext& context, const std::string& directory, Servable& servable,
              std::string& note) {
  const repository::WarmupConfig& config = servable.config().warmup;
  std::vector<WarmupRequest> requests;
  // A part of a sequence says nothing without the rest of it.
  if (config.files && context.read_warmup && !servable.config().sequence.on) {
    SNUG_ASSIGN_OR_RETURN(requests, context.read_warmup(directory));
  }
  if (requests.empty() && !config.zeros)
    return InvalidArgument("model.yaml says warmup.zeros: false, and {} holds no requests for it", directory);
  if (config.zeros) SNUG_RETURN_IF_ERROR(WarmWithZeros(servable, note));
  SNUG_RETURN_IF_ERROR(servable.WarmWith(requests));
  if (!requests.empty()) note.clear();  // whether the zeros fitted does not matter any more
  return {};
}

// What counts on one answer for each request.
Status CheckDecoupled(const Servable::Parts& parts) {
  const auto& config = parts.config;
  const bool batches = config.batching.mode == repository::BatchingConfig::Mode::kOn ||
                       !config.batching.priorities.empty() || !config.batching.padding.empty();
  const char* key = config.sequence.on ? "sequence"
                    : batches          ? "batching"
                    : config.cache.on  ? "cache"
                    : parts.parser     ? "parser"
                                       : nullptr;
  if (key == nullptr) return {};
  return InvalidArgument("model.yaml: `{}` cannot be used with a model that gives any number of answers",
                         key);
}

// What a pipeline shows of itself as a model.
class PipelineModel : public engine::Model {
 public:
  explicit PipelineModel(engine::ModelInfo info) : info_(std::move(info)) {}
  const engine::ModelInfo& info() const override { return info_; }
  Result<std::unique_ptr<engine::Instance>> CreateInstance() override {
    return Internal("a pipeline's instances are made with it");
  }

 private:
  const engine::ModelInfo info_;
};

Servable::Parts CommonParts(const LoadContext& context, const repository::ModelEntry& entry, int64_t version,
                            std::shared_ptr<VersionStats> stats) {
  Servable::Parts parts;
  parts.name = entry.name;
  parts.version = version;
  parts.config = entry.config;
  parts.files = entry.keeper;
  parts.stats = std::move(stats);
  parts.clock = &context.clock;
  parts.slow = context.slow;
  parts.on_wait = context.on_wait;
  return parts;
}

Status AddParser(const LoadContext& context, const std::string& directory, Servable::Parts& parts) {
  auto parser = CreateParser(context, parts.name, parts.config, directory, parts.model->info());
  if (!parser.ok()) return parser.status().Annotate(fmt::format("parser \"{}\"", parts.config.parser));
  parts.parser = *std::move(parser);
  return {};
}

Status AddClassLabels(const repository::ModelEntry& entry, const std::string& directory,
                      Servable::Parts& parts) {
  const auto& outputs = parts.model->info().outputs;
  for (const auto& [output, file] : entry.config.class_labels) {
    const bool is_there = std::any_of(outputs.begin(), outputs.end(),
                                      [&name = output](const TensorSpec& spec) { return spec.name == name; });
    if (!is_there)
      return InvalidArgument("model.yaml: class_labels: the model has no output \"{}\"; it has {}", output,
                             SpecsText(outputs));
  }
  SNUG_ASSIGN_OR_RETURN(parts.class_labels,
                        repository::LoadClassLabels(entry.config.class_labels, directory, entry.directory));
  return {};
}

// Its steps' models are warm already, and are measured for batching by themselves.
Result<std::shared_ptr<Servable>> LoadPipelineServable(const LoadContext& context,
                                                       const repository::ModelEntry& entry, int64_t version,
                                                       std::shared_ptr<VersionStats> stats) {
  Servable::Parts parts = CommonParts(context, entry, version, std::move(stats));
  SNUG_ASSIGN_OR_RETURN(std::shared_ptr<Pipeline> pipeline, Pipeline::Load(context, entry, version));
  parts.config.engine = kPipelineEngine;
  parts.model = std::make_unique<PipelineModel>(pipeline->Info());
  parts.instances = pipeline->MakeInstances(parts.config.instances);
  parts.batching = PlanBatching(parts.config.batching, parts.model->info(), nullptr);
  parts.pipeline = std::move(pipeline);
  SNUG_RETURN_IF_ERROR(AddParser(context, entry.versions.at(version).directory, parts));
  SNUG_RETURN_IF_ERROR(AddClassLabels(entry, entry.versions.at(version).directory, parts));
  return std::make_shared<Servable>(std::move(parts));
}

}  // namespace

Result<std::shared_ptr<Servable>> LoadServable(const LoadContext& context,
                                               const repository::ModelEntry& entry, int64_t version,
                                               std::shared_ptr<VersionStats> stats, std::string& note) {
  if (entry.config.is_pipeline()) return LoadPipelineServable(context, entry, version, std::move(stats));
  const std::string& directory = entry.versions.at(version).directory;
  Servable::Parts parts = CommonParts(context, entry, version, std::move(stats));
  if (parts.config.engine == "auto") {
    SNUG_ASSIGN_OR_RETURN(parts.config.engine, context.engines.Recognise(directory));
  }
  SNUG_ASSIGN_OR_RETURN(parts.model, LoadModel(context, parts.config, directory));
  SNUG_ASSIGN_OR_RETURN(parts.signatures, LoadSignatures(parts));
  SNUG_RETURN_IF_ERROR(AddParser(context, directory, parts));
  SNUG_RETURN_IF_ERROR(AddClassLabels(entry, directory, parts));
  SNUG_ASSIGN_OR_RETURN(parts.instances, CreateInstances(*parts.model, parts.config.instances));
  if (parts.model->info().decoupled) {
    SNUG_RETURN_IF_ERROR(CheckDecoupled(parts));
  } else if (parts.config.sequence.on) {
    SNUG_ASSIGN_OR_RETURN(parts.sequences, PlanSequences(parts));
  } else {
    SNUG_ASSIGN_OR_RETURN(parts.batching,
                          MeasuredPlan(context, parts.config, directory, *parts.model, *parts.instances[0]));
  }
  auto servable = std::make_shared<Servable>(std::move(parts));
  Status warm = WarmUp(context, directory, *servable, note);
  if (!warm.ok()) return warm.Annotate("the warm-up failed");
  WarmSignatures(*servable);
  servable->Trim(/*idle=*/false);
  if (context.gate != nullptr) servable->ShareCompute(*context.gate);
  return servable;
}

}  // namespace snug::serving
