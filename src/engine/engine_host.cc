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
#include "engine/process_model.h"

namespace snug::engine {
namespace {

// "ocr/3" of "/srv/models/ocr/3": enough for people to know it by.
std::string ModelLabel(const std::string& directory) {
  std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return (path.parent_path().filename() / path.filename()).string();
}

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
    SNUG_ASSIGN_OR_RETURN(bool own_process, WantsProcess(request, path));
    return own_process ? LoadApart(request, path, options) : LoadHere(request, path, options);
  }

 private:
  // A plug-in that is wanted in a process is not even opened here.
  Result<bool> WantsProcess(const LoadRequest& request, const std::string& path) const {
    if (request.isolation != Isolation::kDefault) return request.isolation == Isolation::kProcess;
    SNUG_ASSIGN_OR_RETURN(auto plugin, PluginAt(path));
    return plugin->api().prefers_process != 0;
  }

  Result<std::unique_ptr<Model>> LoadApart(const LoadRequest& request, const std::string& path,
                                           const std::string& options_json) {
    ProcessOptions options;
    options.program = options_.engine_program;
    options.label = ModelLabel(request.directory);
    options.execution_seconds_max = request.execution_seconds_max;
    options.load = {path,
                    request.directory,
                    options_json,
                    request.cache_dir,
                    request.threads * request.instances,
                    options_.output_bytes_max};
    return LoadInOwnProcess(std::move(options));
  }

  Result<std::unique_ptr<Model>> LoadHere(const LoadRequest& request, const std::string& path,
                                          const std::string& options_json) {
    SNUG_ASSIGN_OR_RETURN(std::shared_ptr<LocalEngine> engine, EngineAt(path, request.cache_dir));
    return engine->Load(request.directory, options_json);
  }

  // How well the engine knows the files, 0 when it cannot say. A plug-in that cannot be opened recognises
  // nothing.
  int Degree(const std::string& name, const std::string& directory) const {
    auto path = FindPlugin(options_.plugin_dirs, name);
    if (!path.ok()) return 0;
    auto plugin = PluginAt(*path);
    if (!plugin.ok() || (*plugin)->api().recognises == nullptr) return 0;
    try {
      return (*plugin)->api().recognises(directory.c_str());
    } catch (...) {
      log::Error("engine threw while looking at a model", {{"engine", name}});
      return 0;
    }
  }

  // Opened once: a library that failed is not tried again for the life of this host, nor complained about
  // twice.
  Result<std::shared_ptr<const Plugin>> PluginAt(const std::string& path) const {
    std::lock_guard lock(mutex_);
    auto found = plugins_.find(path);
    if (found != plugins_.end()) return found->second;
    auto opened = Plugin::Open(path);
    if (!opened.ok())
      log::Warning("engine plug-in is unusable", {{"path", path}, {"reason", opened.status().text()}});
    return plugins_.emplace(path, std::move(opened)).first->second;
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
  mutable std::map<std::string, Result<std::shared_ptr<const Plugin>>> plugins_;  // failures too
  std::map<std::pair<std::string, std::string>, std::shared_ptr<LocalEngine>> engines_;
};

}  // namespace

std::unique_ptr<EngineHost> EngineHost::Create(HostOptions options) {
  return std::make_unique<Host>(std::move(options));
}

}  // namespace snug::engine
