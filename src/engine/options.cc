#include "engine/options.h"

#include <nlohmann/json.hpp>

namespace snug::engine {

Result<std::string> MergeOptions(const std::string& options_json, int threads, int instances) {
  if (threads < 1 || instances < 1) {
    return InvalidArgument("threads and instances must be at least 1, got {} and {}", threads, instances);
  }
  auto options = nlohmann::json::parse(options_json.empty() ? "{}" : options_json, nullptr, false);
  if (!options.is_object()) {
    return InvalidArgument("engine options must be a JSON object such as {{\"precision\":\"f32\"}}");
  }
  for (const char* grant : {"threads", "instances"}) {
    if (options.contains(grant)) {
      return InvalidArgument("\"{}\" is set for the model itself, not among its engine options", grant);
    }
  }
  options["threads"] = threads;
  options["instances"] = instances;
  return options.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace snug::engine
