#include "repository/config_sections.h"
#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::repository {
namespace {

Result<std::vector<int64_t>> ReadListed(const Origin& origin, const YAML::Node& node) {
  std::vector<int64_t> versions;
  for (const auto& item : node) {
    auto version = IsPlain(item) ? ParseVersion(item.Scalar()) : InvalidArgument("not a number");
    if (!version.ok()) {
      return origin.At(item.Mark(), "versions: expected a version (a positive integer), got {}",
                       Describe(item));
    }
    versions.push_back(*version);
    if (versions.size() > kVersionsMax) return origin.At(node.Mark(), "versions: more than {}", kVersionsMax);
  }
  return versions;
}

}  // namespace

Result<VersionPolicy> ReadVersionPolicy(const Origin& origin, const YAML::Node& node) {
  VersionPolicy policy;
  const std::string word = node.IsScalar() ? node.Scalar() : "";
  if (word == "all") return policy;
  policy.kind = VersionPolicy::Kind::kLatest;
  if (word == "latest") return policy;
  if (node.IsMap()) {
    SNUG_RETURN_IF_ERROR(
        ReadFields(origin, "versions", node,
                   {IntField(origin, "versions", "latest", static_cast<int>(kVersionsMax), policy.latest)}));
    return policy;
  }
  policy.kind = VersionPolicy::Kind::kListed;
  if (word == "labelled") return policy;
  if (node.IsSequence()) {
    SNUG_ASSIGN_OR_RETURN(policy.listed, ReadListed(origin, node));
    return policy;
  }
  return origin.At(node.Mark(),
                   "versions: expected all, latest, {{latest: 2}}, labelled or a list such as [3, 5], got {}",
                   Describe(node));
}

Result<Swap> ReadSwap(const Origin& origin, const YAML::Node& node) {
  if (node.IsScalar() && node.Scalar() == "available") return Swap::kAvailable;
  if (node.IsScalar() && node.Scalar() == "frugal") return Swap::kFrugal;
  return origin.At(node.Mark(), "swap: expected available or frugal, got {}", Describe(node));
}

Result<LoadTime> ReadLoadTime(const Origin& origin, const YAML::Node& node) {
  for (LoadTime time : {LoadTime::kAtStart, LoadTime::kBackground, LoadTime::kOnRequest}) {
    if (node.IsScalar() && node.Scalar() == LoadTimeName(time)) return time;
  }
  return origin.At(node.Mark(), "load: expected at-start, background or on-request, got {}", Describe(node));
}

Result<int> ReadStandbyAfter(const Origin& origin, const YAML::Node& node) {
  if (node.IsScalar() && node.Scalar() == "never") return 0;
  auto seconds = ReadInt(origin, "standby_after_s", node, kStandbyAfterSecondsMax);
  if (seconds.ok()) return seconds;
  return origin.At(node.Mark(), "standby_after_s: expected never or a whole number from 1 to {}, got {}",
                   kStandbyAfterSecondsMax, Describe(node));
}

}  // namespace snug::repository
