#include <cmath>
#include <nlohmann/json.hpp>

#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

using nlohmann::json;

// Options go to a plug-in as JSON. Aliases may make a small file a huge (or endless) tree: hence the counts.
class OptionReader {
 public:
  OptionReader(const Origin& origin, std::string_view key) : origin_(origin), key_(key) {}

  Result<std::string> Read(const YAML::Node& node) {
    if (node.IsNull()) return std::string("{}");
    if (!node.IsMap()) {
      return origin_.At(node.Mark(), "{}: expected a map of options, got {}", key_, Describe(node));
    }
    SNUG_ASSIGN_OR_RETURN(json options, Value(node, 0));
    return options.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  Result<json> Value(const YAML::Node& node, int depth) {
    if (depth > kOptionDepthMax || ++nodes_ > kOptionNodesMax) {
      return origin_.At(node.Mark(), "{}: more than {} levels or {} values", key_, kOptionDepthMax,
                        kOptionNodesMax);
    }
    if (node.IsMap()) return Map(node, depth);
    if (node.IsSequence()) return List(node, depth);
    if (!node.IsScalar()) return json(nullptr);
    if (IsPlain(node)) return Plain(node);
    return json(node.Scalar());
  }

  Result<json> Map(const YAML::Node& node, int depth) {
    json map = json::object();
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        return origin_.At(pair.first.Mark(), "{}: expected a text as key, got {}", key_,
                          Describe(pair.first));
      }
      const std::string& name = pair.first.Scalar();
      if (map.contains(name)) return origin_.At(pair.first.Mark(), "{}: {} is given twice", key_, name);
      SNUG_ASSIGN_OR_RETURN(map[name], Value(pair.second, depth + 1));
    }
    return map;
  }

  Result<json> List(const YAML::Node& node, int depth) {
    json list = json::array();
    for (const auto& item : node) {
      SNUG_ASSIGN_OR_RETURN(json value, Value(item, depth + 1));
      list.push_back(std::move(value));
    }
    return list;
  }

  // The words of YAML 1.1 (`on`, `off`, `yes`, `no`) count too: `onednn: on` is what people write.
  Result<json> Plain(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    bool truth = false;
    if (YAML::convert<bool>::decode(node, truth) && text.size() > 1) return json(truth);
    if (auto whole = ParseWhole<int64_t>(text)) return json(*whole);
    if (auto number = ParseWhole<double>(text)) {
      if (std::isfinite(*number)) return json(*number);
      return origin_.At(node.Mark(), "{}: {} cannot be said in JSON", key_, text);
    }
    return json(text);
  }

  const Origin& origin_;
  std::string_view key_;
  int nodes_ = 0;
};

}  // namespace

Result<std::string> ReadOptions(const Origin& origin, std::string_view key, const YAML::Node& node) {
  return OptionReader(origin, key).Read(node);
}

}  // namespace snug::repository
