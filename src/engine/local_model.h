// Models executed in this process: by snug-server for engines in process, by snug-engine for its one model.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "engine/outputs.h"
#include "engine/plugin.h"

namespace snug::engine {

struct LocalEngineOptions {
  int threads = 1;
  std::string cache_dir;  // empty: none
  uint64_t output_bytes_max = uint64_t{1} << 30;
};

// A plug-in's engine, created once. Thread-safe: calls that the contract wants one at a time are serialised
// here. Exceptions that a plug-in lets escape become INTERNAL.
class LocalEngine : public std::enable_shared_from_this<LocalEngine> {
 public:
  static Result<std::shared_ptr<LocalEngine>> Create(std::shared_ptr<const Plugin> plugin,
                                                     const LocalEngineOptions& options);
  ~LocalEngine();
  LocalEngine(const LocalEngine&) = delete;
  LocalEngine& operator=(const LocalEngine&) = delete;

  Result<std::unique_ptr<Model>> Load(const std::string& directory, const std::string& options_json);

  const Plugin& plugin() const { return *plugin_; }
  uint64_t output_bytes_max() const { return options_.output_bytes_max; }
  std::mutex& mutex() { return mutex_; }

 private:
  LocalEngine(std::shared_ptr<const Plugin> plugin, const LocalEngineOptions& options);

  const std::shared_ptr<const Plugin> plugin_;
  const LocalEngineOptions options_;
  std::mutex mutex_;
  snug_engine* engine_ = nullptr;
};

// An instance that can also write its outputs where the caller says.
class LocalInstance : public Instance {
 public:
  // Fills `collector`, and returns what its Finish says.
  virtual Status ExecuteInto(std::span<const TensorView> inputs, std::span<const uint8_t> wanted,
                             OutputCollector& collector) = 0;
};

// The instances that models of LocalEngine::Load create; `signature` empty: of the model's own.
Result<std::unique_ptr<LocalInstance>> CreateLocalInstance(Model& model, const std::string& signature = {});

}  // namespace snug::engine
