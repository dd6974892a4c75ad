// A parser plug-in's library: opened, and its handshake checked.
#pragma once

#include <parser.h>  // api/

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "os/shared_library.h"

namespace snug::parsers {

// Immutable, thread-safe. The library is closed with the last owner.
class Plugin {
 public:
  // FAILED_PRECONDITION: it cannot be opened, or breaks the handshake; the text names the file and the rule.
  static Result<std::shared_ptr<const Plugin>> Open(const std::string& path);
  // The same from an entry function that somebody else keeps loaded. `origin` names it in errors.
  static Result<std::shared_ptr<const Plugin>> FromEntry(const std::string& origin,
                                                         snug_parser_get_api_fn entry);

  // The table as this host knows it: what an older plug-in does not have is null. All required functions are
  // set.
  const snug_parser_api& api() const { return api_; }

 private:
  explicit Plugin(std::shared_ptr<const os::SharedLibrary> library) : library_(std::move(library)) {}
  static Result<std::shared_ptr<const Plugin>> Make(const std::string& origin, snug_parser_get_api_fn entry,
                                                    std::shared_ptr<const os::SharedLibrary> library);

  std::shared_ptr<const os::SharedLibrary> library_;
  snug_parser_api api_{};
};

// Names of the parsers in these directories, sorted, each once: NAME_parser.so.
std::vector<std::string> ListParsers(const std::vector<std::string>& directories);
// The path of a parser: the first directory that has it. NOT_FOUND with the parsers there are.
Result<std::string> FindParser(const std::vector<std::string>& directories, const std::string& name);

}  // namespace snug::parsers
