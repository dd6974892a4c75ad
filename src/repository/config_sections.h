// The sections of model.yaml, each read by a file of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "repository/model_config.h"
#include "repository/yaml_values.h"

namespace snug::repository {

Result<std::map<std::string, int64_t>> ReadLabels(const Origin& origin, const YAML::Node& node);
Result<std::map<std::string, std::string>> ReadClassFiles(const Origin& origin, const YAML::Node& node);
Result<VersionPolicy> ReadVersionPolicy(const Origin& origin, const YAML::Node& node);
Result<Swap> ReadSwap(const Origin& origin, const YAML::Node& node);
Result<LoadTime> ReadLoadTime(const Origin& origin, const YAML::Node& node);
// Seconds from 1 to kStandbyAfterSecondsMax, or `never`, which is 0.
Result<int> ReadStandbyAfter(const Origin& origin, const YAML::Node& node);
Result<BatchingConfig> ReadBatching(const Origin& origin, const YAML::Node& node);
Result<std::vector<PaddingConfig>> ReadPadding(const Origin& origin, const YAML::Node& node);
Result<LimitsConfig> ReadLimits(const Origin& origin, const YAML::Node& node);
Result<CacheConfig> ReadCache(const Origin& origin, const YAML::Node& node);
Result<SequenceConfig> ReadSequence(const Origin& origin, const YAML::Node& node);
Result<WarmupConfig> ReadWarmup(const Origin& origin, const YAML::Node& node);
Result<PayloadLogConfig> ReadPayloadLog(const Origin& origin, const YAML::Node& node);
Result<PipelineConfig> ReadPipeline(const Origin& origin, const YAML::Node& node);
// A plug-in's options as JSON; `key` names them in errors.
Result<std::string> ReadOptions(const Origin& origin, std::string_view key, const YAML::Node& node);

}  // namespace snug::repository
