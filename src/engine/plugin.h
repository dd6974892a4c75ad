// An engine plug-in's library: opened, and its handshake checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <engine.h>  // of api/; quotes would find this folder's own
#include "base/status.h"

namespace snug::engine {

// Immutable, thread-safe. The library stays loaded for the life of the process, also when this is destroyed.
class Plugin {
 public:
  // FAILED_PRECONDITION: it cannot be opened, or breaks the handshake; the text names the file and the rule.
  static Result<std::shared_ptr<const Plugin>> Open(const std::string& path);

  // The table as this host knows it: what an older plug-in does not have is null. All required functions are
  // set.
  const snug_engine_api& api() const { return api_; }
  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }

 private:
  Plugin() = default;
  Status Check(const std::string& path, const snug_engine_api& table);

  snug_engine_api api_{};
  std::string name_;
  std::string version_;
};

// Names of the engine plug-ins in these directories, sorted, each once: NAME.so, but neither lib*.so
// (libraries) nor
// *_parser.so (parsers), which lie beside them.
std::vector<std::string> ListPlugins(const std::vector<std::string>& directories);
// The path of a plug-in: the first directory that has it. NOT_FOUND with the engines there are.
Result<std::string> FindPlugin(const std::vector<std::string>& directories, const std::string& name);

}  // namespace snug::engine
