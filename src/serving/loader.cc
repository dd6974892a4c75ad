#include "serving/loader.h"

#include <utility>

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
  return context.engines.Load(request);
}
  request.execution_seconds_max = config.execution_timeout_s;

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

Result<std::vector<std::unique_ptr<engine::Instance>>> CreateInstances(engine::Model& model, int count) {
  std::vector<std::unique_ptr<engine::Instance>> instances;
  for (int i = 0; i < count; ++i) {
    SNUG_ASSIGN_OR_RETURN(instances.emplace_back(), model.CreateInstance());
  }
  return instances;
}

}  // namespace

Result<std::shared_ptr<Servable>> LoadServable(const LoadContext& context,
                                               const repository::ModelEntry& entry, int64_t version,
                                               std::shared_ptr<VersionStats> stats, std::string& note) {
  const std::string& directory = entry.versions.at(version).directory;
  Servable::Parts parts;
  parts.name = entry.name;
  parts.version = version;
  parts.config = entry.config;
  parts.stats = std::move(stats);
  parts.clock = &context.clock;
  parts.on_wait = context.on_wait;
  if (parts.config.engine == "auto") {
    SNUG_ASSIGN_OR_RETURN(parts.config.engine, context.engines.Recognise(directory));
  }
  SNUG_ASSIGN_OR_RETURN(parts.model, LoadModel(context, parts.config, directory));
  auto parser = CreateParser(context, entry.name, parts.config, directory, parts.model->info());
  if (!parser.ok()) return parser.status().Annotate(fmt::format("parser \"{}\"", parts.config.parser));
  parts.parser = *std::move(parser);
  SNUG_ASSIGN_OR_RETURN(parts.instances, CreateInstances(*parts.model, parts.config.instances));
  auto servable = std::make_shared<Servable>(std::move(parts));
  Status warm = servable->Warm(note);
  if (!warm.ok()) return warm.Annotate("the warm-up failed");
  return servable;
}

}  // namespace snug::serving
