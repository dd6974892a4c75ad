#include "server/tfs_config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <tensorflow_serving/config/model_server_config.pb.h>
#include <tfs_flags.pb.h>

#include <algorithm>
#include <climits>
#include <set>

#include "repository/limits.h"
#include "repository/repository.h"

namespace snug::server {
namespace {

namespace tfs = tensorflow::serving;
using tfs::FileSystemStoragePathSourceConfig;

constexpr const char* kDefaultMetricsPath = "/monitoring/prometheus/metrics";

// Keeps the first error, with its place.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view origin) : origin_(origin) {}
  void AddError(int line, int column, const std::string& text) override {
    if (status_.ok()) status_ = InvalidArgument("{}:{}:{}: {}", origin_, line + 1, column + 1, text);
  }
  const Status& status() const { return status_; }

 private:
  const std::string origin_;
  Status status_;
};

template <typename Message>
Status ParseText(std::string_view text, std::string_view origin, Message* message) {
  if (text.size() > kTfsConfigBytesMax)
    return InvalidArgument("{}: {} bytes, at most {} are read", origin, text.size(), kTfsConfigBytesMax);
  FirstError errors(origin);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&stream, message)) return {};
  if (!errors.status().ok()) return errors.status();
  return InvalidArgument("{}: not a {} in text format", origin, Message::descriptor()->name());
}

repository::VersionPolicy PolicyOf(const FileSystemStoragePathSourceConfig::ServableVersionPolicy& from) {
  using Kind = repository::VersionPolicy::Kind;
  repository::VersionPolicy policy{Kind::kLatest, 1, {}};
  if (from.has_all()) policy.kind = Kind::kAll;
  if (from.has_latest()) {
    policy.latest = static_cast<int>(std::clamp<uint32_t>(from.latest().num_versions(), 1,
                                                          static_cast<uint32_t>(repository::kVersionsMax)));
  }
  if (from.has_specific()) {
    policy.kind = Kind::kListed;
    policy.listed.assign(from.specific().versions().begin(), from.specific().versions().end());
  }
  return policy;
}

Result<TfsModelConfig> ModelOf(const tfs::ModelConfig& from) {
  TfsModelConfig model{from.name(), from.base_path(), PolicyOf(from.model_version_policy()), {}};
  if (!from.model_platform().empty() && from.model_platform() != "tensorflow")
    return InvalidArgument("model \"{}\": model_platform \"{}\" is not served; expected tensorflow",
                           model.name, from.model_platform());
  for (const auto& [label, version] : from.version_labels()) model.labels.emplace(label, version);
  SNUG_RETURN_IF_ERROR(CheckTfsModel(model));
  return model;
}

Result<std::vector<TfsModelConfig>> ModelsOf(const tfs::ModelServerConfig& config) {
  if (config.has_custom_model_config()) return InvalidArgument("custom_model_config is not served");
  std::vector<TfsModelConfig> models;
  std::set<std::string> names;
  for (const auto& from : config.model_config_list().config()) {
    SNUG_ASSIGN_OR_RETURN(models.emplace_back(), ModelOf(from));
    if (!names.insert(models.back().name).second)
      return InvalidArgument("Illegal to list model {} multiple times in config list", models.back().name);
  }
  return models;
}

bool IsLabel(std::string_view text) {
  auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
  constexpr size_t kLabelCharsMax = 64;
  return !text.empty() && text.size() <= kLabelCharsMax && std::all_of(text.begin(), text.end(), allowed) &&
         text.find_first_not_of("0123456789") != std::string_view::npos;
}

}  // namespace

Status CheckTfsModel(const TfsModelConfig& model) {
  SNUG_RETURN_IF_ERROR(repository::CheckModelName(model.name));
  if (!model.base_path.starts_with('/'))
    return InvalidArgument("Expected model {} to have an absolute path; got base_path()={}", model.name,
                           model.base_path);
  for (const auto& [label, version] : model.labels) {
    if (!IsLabel(label) || version < 1)
      return InvalidArgument(
          "model {}: expected labels of 1-64 letters, digits, '.', '_' and '-' with a positive "
          "version, got \"{}\" = {}",
          model.name, label, version);
  }
  return {};
}

Result<std::vector<TfsModelConfig>> ParseTfsConfig(std::string_view text, std::string_view origin) {
  tfs::ModelServerConfig config;
  SNUG_RETURN_IF_ERROR(ParseText(text, origin, &config));
  auto models = ModelsOf(config);
  if (!models.ok()) return models.status().Annotate(origin);
  return models;
}

Result<std::vector<TfsModelConfig>> DecodeTfsConfig(std::string_view bytes) {
  tfs::ModelServerConfig config;
  if (bytes.size() > kTfsConfigBytesMax ||
      !config.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return InvalidArgument("the config is not a valid ModelServerConfig of at most {} bytes",
                           kTfsConfigBytesMax);
  return ModelsOf(config);
}

Result<std::string> ParseMonitoringPath(std::string_view text, std::string_view origin) {
  tfs_flags::MonitoringConfig config;
  SNUG_RETURN_IF_ERROR(ParseText(text, origin, &config));
  if (!config.prometheus_config().enable()) return std::string();
  const std::string& path = config.prometheus_config().path();
  if (path.empty()) return std::string(kDefaultMetricsPath);
  if (path.starts_with('/')) return path;
  return InvalidArgument("{}: prometheus_config.path must begin with '/', got {}", origin, path);
}

Status CheckBatchingParameters(std::string_view text, std::string_view origin) {
  tfs_flags::BatchingParameters parameters;
  return ParseText(text, origin, &parameters);
}

}  // namespace snug::server
