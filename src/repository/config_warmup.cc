#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {
namespace {

Field TruthField(const Origin& origin, std::string_view name, bool& to) {
  return {name, [&origin, name, &to](const YAML::Node& node) -> Status {
            if (IsPlain(node) && YAML::convert<bool>::decode(node, to)) return {};
            return origin.At(node.Mark(), "warmup.{}: expected true or false, got {}", name, Describe(node));
          }};
}

}  // namespace

Result<WarmupConfig> ReadWarmup(const Origin& origin, const YAML::Node& node) {
  WarmupConfig warmup;
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, "warmup", node,
                 {TruthField(origin, "zeros", warmup.zeros), TruthField(origin, "files", warmup.files),
                  IntField(origin, "warmup", "rounds", kWarmupRoundsMax, warmup.rounds)}));
  if (warmup.zeros || warmup.files) return warmup;
  return origin.At(node.Mark(), "warmup: a version is READY only after a warm-up: leave zeros or files on");
}

}  // namespace snug::repository
