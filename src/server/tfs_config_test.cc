#include "server/tfs_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "server/tfs_options.h"

namespace snug::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Policy = repository::VersionPolicy;

TEST(TfsConfig, ReadsTheTextFormat) {
  auto models = ParseTfsConfig(R"(model_config_list {
    config { name: "a" base_path: "/m/a" model_platform: "tensorflow" }
    config: { name: 'b', base_path: '/m/b',
      model_version_policy { specific { versions: 1 versions: 5 } }
      version_labels { key: "stable" value: 1 }  # a comment
      version_labels { key: "canary" value: 5 } }
    config { name: "c" base_path: "/m/c" model_version_policy { latest { num_versions: 2 } } }
    config { name: "d" base_path: "/m/d" model_version_policy { all {} } } })",
                               "models.config");
  ASSERT_TRUE(models.ok()) << models.status().ToString();
  ASSERT_EQ(models->size(), 4u);
  EXPECT_EQ((*models)[0].policy, (Policy{Policy::Kind::kLatest, 1, {}}));
  EXPECT_THAT((*models)[1].policy.listed, ElementsAre(1, 5));
  EXPECT_EQ((*models)[1].labels.at("canary"), 5);
  EXPECT_EQ((*models)[2].policy.latest, 2);
  EXPECT_EQ((*models)[3].policy.kind, Policy::Kind::kAll);
}

TEST(TfsConfig, ErrorsSayWhere) {
  auto text = [](const char* config) { return ParseTfsConfig(config, "f").status().text(); };
  EXPECT_THAT(text("model_config_list {\n  confg {} }"), HasSubstr("f:2:9: "));
  EXPECT_THAT(text("model_config_list { config { name: 'a' base_path: 'm' } }"), HasSubstr("absolute path"));
  EXPECT_THAT(text("model_config_list { config { name: '../a' base_path: '/m' } }"), HasSubstr("model name"));
  EXPECT_THAT(text("model_config_list { config { name: 'a' base_path: '/m' model_platform: 'x' } }"),
              HasSubstr("model_platform \"x\" is not served"));
  EXPECT_THAT(
      text("model_config_list { config { name: 'a' base_path: '/m' version_labels { key: '7' value: 1 } } }"),
      HasSubstr("expected labels of"));
  EXPECT_THAT(
      text("model_config_list { config { name: 'a' base_path: '/m' } config { name: 'a' base_path: '/m' } }"),
      HasSubstr("Illegal to list model a multiple times"));
  EXPECT_EQ(DecodeTfsConfig("\xff").status().code(), Code::kInvalidArgument);
}

TEST(TfsConfig, OtherFiles) {
  EXPECT_EQ(*ParseMonitoringPath("prometheus_config { enable: true, path: '/m' }", "f"), "/m");
  EXPECT_EQ(*ParseMonitoringPath("prometheus_config { enable: true }", "f"),
            "/monitoring/prometheus/metrics");
  EXPECT_EQ(*ParseMonitoringPath("", "f"), "");
  EXPECT_FALSE(ParseMonitoringPath("prometheus_config { enable: true, path: 'm' }", "f").ok());
  EXPECT_TRUE(CheckBatchingParameters("max_batch_size { value: 128 } allowed_batch_sizes: 1", "f").ok());
  EXPECT_FALSE(CheckBatchingParameters("max_batch_size: 128", "f").ok());
}

int Parse(std::vector<std::string> arguments, TfsOptions& options) {
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), "tensorflow_model_server");
  argv.reserve(arguments.size());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return ParseTfsCommandLine(static_cast<int>(argv.size()), argv.data(), options);
}

TEST(TfsOptions, TakesTheFlagsOfTensorFlowServing) {
  TfsOptions options;
  EXPECT_EQ(
      Parse({"--port=0", "--rest_api_port=8501", "--model_name=hpt", "--model_base_path=/m/hpt",
             "--file_system_poll_wait_seconds=0", "--enable_batching=true", "--rest_api_timeout_in_ms=100",
             "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,a=b", "--enable_model_warmup",
             "--tensorflow_session_parallelism=4", "--grpc_socket_path=/tmp/s"},
            options),
      -1);
  EXPECT_EQ(options.server.grpc_port, 0);
  EXPECT_TRUE(options.server.rest_enabled);
  EXPECT_EQ(options.server.rest_timeout_seconds, 0.1);
  EXPECT_EQ(options.models[0].name, "hpt");
  EXPECT_EQ(options.poll_seconds, 0);
  EXPECT_EQ(options.server.grpc_channel_arguments[0].second, "2000");
  EXPECT_EQ(options.notes.size(), 3u);
  TfsOptions defaults;
  EXPECT_EQ(Parse({"--model_base_path=/m"}, defaults), -1);
  EXPECT_EQ(defaults.server.grpc_port, 8500);
  EXPECT_FALSE(defaults.server.rest_enabled);
  EXPECT_EQ(defaults.models[0].name, "default");
}

TEST(TfsOptions, UnknownFlagsNameTheKnownOnes) {
  TfsOptions options;
  testing::internal::CaptureStderr();
  EXPECT_EQ(Parse({"--model_base_path=/m", "--modle_name=x"}, options), 2);
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      testing::AllOf(HasSubstr("--modle_name"), HasSubstr("--model_name"), HasSubstr("--rest_api_port")));
  EXPECT_EQ(Parse({}, options), 2);
  EXPECT_EQ(Parse({"--model_config_file=/nowhere/x"}, options), 2);
  EXPECT_EQ(Parse({"--model_base_path=relative"}, options), 2);
  EXPECT_TRUE(IsTfsProgram("/usr/bin/tensorflow_model_server"));
  EXPECT_FALSE(IsTfsProgram("snug-server"));
}

}  // namespace
}  // namespace snug::server
