#include "controller/deploy_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/repository.h"
#include "repository/test_dir.h"

namespace snug::controller {
namespace {

using ::testing::HasSubstr;

TEST(DeployRequest, ReadsTheModelsOwnSettings) {
  auto wish = ParseDeployQuery({{"share", "0.25"},
                                {"copies", "3"},
                                {"version", "007"},
                                {"label", "stable"},
                                {"department", "maps"},
                                {"engine", "echo"}});
  ASSERT_TRUE(wish.ok()) << wish.status().ToString();
  EXPECT_EQ(wish->share, 0.25);
  EXPECT_EQ(wish->copies, 3);
  EXPECT_EQ(wish->version, 7);
  EXPECT_EQ(wish->label, "stable");
  EXPECT_EQ(wish->department, "maps");
}

TEST(DeployRequest, SaysWhatIsWrong) {
  for (const Query& query : std::vector<Query>{{{"share", "2"}},
                                               {{"share", "x"}},
                                               {{"share", "nan"}},
                                               {{"copies", "-1"}},
                                               {{"copies", "33"}},
                                               {{"copies", ""}},
                                               {{"version", "0"}},
                                               {{"label", "a b"}},
                                               {{"department", ""}}}) {
    auto wish = ParseDeployQuery(query);
    ASSERT_FALSE(wish.ok()) << query[0].first << "=" << query[0].second;
    EXPECT_EQ(wish.status().code(), Code::kInvalidArgument);
  }
  EXPECT_THAT(ParseDeployQuery({{"engin", "x"}}).status().text(), HasSubstr("engine, parser"));
}

TEST(MergeConfig, ParametersWinOverTheFile) {
  auto merged =
      MergeConfig("engine: tensorflow\nthreads: 2\nengine_options: {onednn: true}\n",
                  {{"threads", "4"}, {"parser", "ocr"}, {"parser_options", R"({"x":"1"})"}}, "stable", 3);
  ASSERT_TRUE(merged.ok()) << merged.status().ToString();
  auto config = repository::ParseModelConfig(merged->yaml, "t");
  ASSERT_TRUE(config.ok()) << config.status().ToString() << merged->yaml;
  EXPECT_EQ(config->engine, "tensorflow");
  EXPECT_EQ(config->threads, 4);
  EXPECT_EQ(config->parser, "ocr");
  EXPECT_EQ(config->engine_options_json, R"({"onednn":true})");
  EXPECT_EQ(config->labels.at("stable"), 3);
  EXPECT_EQ(merged->parser, "ocr");
}

TEST(MergeConfig, KeepsWhatTheFileSaysBeside) {
  auto merged = MergeConfig("execution_timeout_s: 7\nbatching: {sizes: [1, 4]}\nlabels: {old: 1}\n",
                            {{"threads", "2"}}, "", 1);
  ASSERT_TRUE(merged.ok()) << merged.status().ToString();
  auto config = repository::ParseModelConfig(merged->yaml, "t");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->execution_timeout_s, 7);
  EXPECT_EQ(config->batching.sizes, (std::vector<int64_t>{1, 4}));
  EXPECT_TRUE(config->labels.empty()) << "labels are the registry's";
}

constexpr char kPipeline[] =
    "pipeline: {inputs: [x], outputs: [y], steps: [{name: s, model: half, inputs: {x: x}, outputs: {y: "
    "y}}]}\n";

TEST(MergeConfig, KeepsAPipeline) {
  auto merged = MergeConfig(kPipeline, {{"instances", "3"}}, "", 1);
  ASSERT_TRUE(merged.ok()) << merged.status().ToString();
  EXPECT_EQ(merged->engine, "pipeline");
  auto config = repository::ParseModelConfig(merged->yaml, "t");
  auto before = repository::ParseModelConfig(kPipeline, "t");
  ASSERT_TRUE(config.ok() && before.ok());
  EXPECT_EQ(config->pipeline, before->pipeline);
  EXPECT_EQ(config->instances, 3);
  EXPECT_THAT(MergeConfig(kPipeline, {{"engine", "echo"}}, "", 1).status().text(),
              HasSubstr("a pipeline has no engine of its own"));
}

TEST(CheckRunnable, APipelineHasToBringItsModels) {
  auto merged = MergeConfig(kPipeline, {}, "", 1);
  ASSERT_TRUE(merged.ok());
  const repository::TestDir dir;
  EXPECT_THAT(CheckRunnable(*merged, dir.path(), "").text(),
              HasSubstr("the pipeline's model \"half\" is not in the upload"));
  dir.Write("steps/half/model.yaml", "engine: echo\n");
  EXPECT_THAT(CheckRunnable(*merged, dir.path(), "").text(), HasSubstr("holds no version"));
  dir.Write("steps/half/1/echo.txt", "11 -1");
  EXPECT_TRUE(CheckRunnable(*merged, dir.path(), "").ok());
  dir.Write("plugins/openvino.so");
  EXPECT_THAT(CheckRunnable(*merged, dir.path(), dir / "plugins").text(), HasSubstr("no engine \"echo\""));
}

TEST(MergeConfig, RefusesWhatAServerWouldRefuse) {
  EXPECT_FALSE(MergeConfig("nonsense: 1\n", {}, "", 1).ok());
  EXPECT_FALSE(MergeConfig("", {{"isolation", "moon"}}, "", 1).ok());
  EXPECT_FALSE(MergeConfig("", {{"engine_options", "[1]"}}, "", 1).ok());
  EXPECT_FALSE(MergeConfig("", {{"threads", "0"}}, "", 1).ok());
}

}  // namespace
}  // namespace snug::controller
