#include <fmt/ranges.h>

#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "engine/engine.h"
#include "engine/local_model.h"
#include "engine/options.h"
#include "engine/plugin.h"

namespace snug::engine {
namespace {

class Host : public EngineHost {
 public:
  explicit Host(HostOptions options) : options_(std::move(options)) {}

  std::vector<std::string> Engines() const override { return ListPlugins(options_.plugin_dirs); }

  Result<std::string> Recognise(const std::string& directory) const override {
    std::string best;
    int best_degree = 0;
    for (const std::string& name : Engines()) {
      int degree = Degree(name, directory);
      if (degree > best_degree) {
        best = name;
        best_degree = degree;
      }
    }
    if (best_degree > 0) return best;
    return NotFound("no engine recognises the files in {}; asked: {}", directory, fmt::join(Engines(), ", "));
  }

  Result<std::unique_ptr<Model>> Load(const LoadRequest& request) override {
    std::error_code ignored;
    if (!std::filesystem::is_directory(request.directory, ignored)) {
      return NotFound("there is no model directory {}", request.directory);
    }
    std::string engine = request.engine;
    if (engine == "auto") {
      SNUG_ASSIGN_OR_RETURN(engine, Recognise(request.directory));
    }
    SNUG_ASSIGN_OR_RETURN(std::string path, FindPlugin(options_.plugin_dirs, engine));
    SNUG_ASSIGN_OR_RETURN(std::string options,
                          MergeOptions(request.options_json, request.threads, request.instances));
    return LoadHere(request, path, options);
  }

 private:
  Result<std::unique_ptr<Model>> LoadHere(const LoadRequest& request, const std::string& path,
                                          const std::string& options_json) {
    SNUG_ASSIGN_OR_RETURN(std::shared_ptr<LocalEngine> engine, EngineAt(path, request.cache_dir));
    return engine->Load(request.directory, options_json);
  }

  // How well the engine knows the files, 0 when it cannot say. A plug-in that cannot be opened recognises nothing.
  int Degree(const std::string& name, const std::string& directory) const {
    auto path = FindPlugin(options_.plugin_dirs, name);
    if (!path.ok()) return 0;
    auto plugin = PluginAt(*path);
    if (!plugin.ok()) {
      log::Warning("engine left out", {{"engine", name}, {"reason", plugin.status().text()}});
      return 0;
    }
    if ((*plugin)->api().recognises == nullptr) return 0;
    try {
      return (*plugin)->api().recognises(directory.c_str());
    } catch (...) {
      log::Error("engine threw while looking at a model", {{"engine", name}});
      return 0;
    }
  }

  Result<std::shared_ptr<const Plugin>> PluginAt(const std::string& path) const {
    std::lock_guard lock(mutex_);
    auto found = plugins_.find(path);
    if (found != plugins_.end()) return found->second;
    SNUG_ASSIGN_OR_RETURN(auto plugin, Plugin::Open(path));
    plugins_.emplace(path, plugin);
    return plugin;
  }

  Result<std::shared_ptr<LocalEngine>> EngineAt(const std::string& path, const std::string& cache_dir) {
    SNUG_ASSIGN_OR_RETURN(auto plugin, PluginAt(path));
    std::lock_guard lock(mutex_);
    auto& engine = engines_[{path, cache_dir}];
    if (engine == nullptr) {
      LocalEngineOptions options{options_.threads, cache_dir, options_.output_bytes_max};
      SNUG_ASSIGN_OR_RETURN(engine, LocalEngine::Create(plugin, options));
    }
    return engine;
  }

  const HostOptions options_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<const Plugin>> plugins_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<LocalEngine>> engines_;
};

}  // namespace

std::unique_ptr<EngineHost> EngineHost::Create(HostOptions options) { return std::make_unique<Host>(std::move(options)); }

}  // namespace snug::engine
