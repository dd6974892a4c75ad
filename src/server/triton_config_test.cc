#include "server/triton_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/limits.h"
#include "serving/testing/fakes.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

TEST(TritonConfig, BatchIsNoPartOfDims) {
  serving::ModelDescription model{"m", 1, {1}, {}, serving::FakeInfo()};
  TritonConfig config = TritonConfigOf(model);
  EXPECT_EQ(config.max_batch_size, repository::kBatchRowsMax);
  EXPECT_EQ(config.inputs, (std::vector<TensorSpec>{{"x", DType::kFp32, {2}}}));
  EXPECT_FALSE(config.dynamic_batching);
  model.config.batching.rows_max = 16;
  model.config.batching.sizes = {4, 16};
  model.batch_rows = 16;
  config = TritonConfigOf(model);
  EXPECT_EQ(config.max_batch_size, 16);
  EXPECT_TRUE(config.dynamic_batching);
  EXPECT_EQ(config.preferred_batch_sizes, (std::vector<int64_t>{4, 16}));
  model.info.batch_is_free = false;
  config = TritonConfigOf(model);
  EXPECT_EQ(config.max_batch_size, 0);
  EXPECT_EQ(config.inputs[0].shape, (Shape{-1, 2}));
}

TEST(TritonConfig, WhatALoadCallChanges) {
  repository::ModelConfig config;
  Status status = ApplyTritonConfig(
      R"({"name":"m","backend":"onnxruntime","max_batch_size":"16","instance_group":[{"count":2},{"kind":"KIND_CPU"}],)"
      R"("input":[{"name":"x"}],"parameters":{},"dynamic_batching":{"max_queue_delay_microseconds":500}})",
      "m", config);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(config.engine, "openvino");
  EXPECT_EQ(config.batching.rows_max, 16);
  EXPECT_EQ(config.batching.delay_us_max, 500);
  EXPECT_EQ(config.batching.mode, repository::BatchingConfig::Mode::kOn);
  EXPECT_EQ(config.instances, 3);
  EXPECT_EQ(config.versions, repository::VersionPolicy());
  EXPECT_TRUE(ApplyTritonConfig(R"({"response_cache":{"enable":true}})", "m", config).ok());
  EXPECT_TRUE(config.cache.on);
  EXPECT_TRUE(ApplyTritonConfig(R"({"version_policy":{"latest":{"num_versions":2}}})", "m", config).ok());
  EXPECT_EQ(config.versions, (repository::VersionPolicy{repository::VersionPolicy::Kind::kLatest, 2, {}}));
  EXPECT_TRUE(ApplyTritonConfig(R"({"version_policy":{"specific":{"versions":["3",5]}}})", "m", config).ok());
  EXPECT_EQ(config.versions,
            (repository::VersionPolicy{repository::VersionPolicy::Kind::kListed, 1, {3, 5}}));
  const std::map<std::string, std::string> files{{"y", "names.txt"}};
  EXPECT_TRUE(
      ApplyTritonConfig(R"({"output":[{"name":"y","dims":[3],"label_filename":"names.txt"}]})", "m", config)
          .ok());
  EXPECT_EQ(config.class_labels, files);
  EXPECT_TRUE(ApplyTritonConfig(R"({"output":[{"name":"y","dims":[3]}]})", "m", config).ok());
  EXPECT_EQ(config.class_labels, files) << "nothing was said of them";
  EXPECT_TRUE(ApplyTritonConfig(R"({"platform":"snug_echo","max_batch_size":4096})", "m", config).ok());
  EXPECT_EQ(config.engine, "echo");
  EXPECT_EQ(config.batching.rows_max, 0);
}

TEST(TritonConfig, WhatItRefusesChangesNothing) {
  struct {
    const char* json;
    const char* text;
  } cases[] = {{R"({"output":[{"name":"y","label_filename":"../names.txt"}]})", "label_filename"},
               {R"("parameters": {})", "expected a JSON object"},
               {R"({"name":"n"})", "the call loads \"m\""},
               {R"({"max_batch_size":"x"})", "whole number"},
               {R"({"max_batch_size":-1})", "whole number"},
               {R"({"instance_group":[{"kind":"KIND_GPU"}]})", "CPUs"},
               {R"({"instance_group":[{"count":40},{"count":40}]})", "at most 64"},
               {R"({"instance_group":[{"count":1000}]})", "whole number"},
               {R"({"ensemble_scheduling":{}})", "model.yaml"},
               {R"({"sequence_batching":{}})", "model.yaml"},
               {R"({"max_batchsize":1})", "unknown field"}};
  for (const auto& c : cases) {
    repository::ModelConfig config;
    config.engine = "before";
    Status status = ApplyTritonConfig(c.json, "m", config);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << c.json;
    EXPECT_THAT(status.text(), HasSubstr(c.text));
    EXPECT_EQ(config.engine, "before");
    EXPECT_EQ(config.instances, 1);
  }
}

}  // namespace
}  // namespace snug::server
