#include "controller/deploy_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/repository.h"
#include "repository/test_dir.h"

namespace snug::controller {
namespace {

using ::testing::ElementsAre;
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

TEST(DeployRequest, ReadsWhatIsAskedOfPlacement) {
  auto wish = ParseDeployQuery({{"sharing", "alone"}, {"keep_apart", "a,b.c"}, {"pinned_groups", ""}});
  ASSERT_TRUE(wish.ok()) << wish.status().ToString();
  EXPECT_EQ(wish->sharing, registry::Sharing::kAlone);
  EXPECT_THAT(*wish->keep_apart, ElementsAre("a", "b.c"));
  EXPECT_TRUE(wish->pinned_groups->empty()) << "given, and none any more";
  EXPECT_THAT(ParseDeployQuery({{"sharing", "none"}}).status().text(),
              HasSubstr("expected one of shared, guaranteed, alone"));
  EXPECT_THAT(ParseDeployQuery({{"keep_apart", "a,,b"}}).status().text(), HasSubstr("\"\" is no name"));
  EXPECT_THAT(ParseDeployQuery({{"keep_apart", "a,"}}).status().text(), HasSubstr("\"\" is no name"));
  EXPECT_THAT(ParseDeployQuery({{"keep_apart", "../x"}}).status().text(), HasSubstr("../x"));
  EXPECT_THAT(ParseDeployQuery({{"pinned_groups", "g1,g1"}}).status().text(), HasSubstr("g1 is named twice"));
  std::string many = "g0";
  for (size_t n = 1; n <= kPinnedGroupsMax; ++n) many += fmt::format(",g{}", n);
  EXPECT_THAT(ParseDeployQuery({{"pinned_groups", many}}).status().text(), HasSubstr("33 names; at most 32"));
}

TEST(MergeModel, KeepsWhatIsNotGivenAndRefusesWhatCannotBe) {
  std::vector<registry::GroupRow> groups = {{"g1", "maps", 1, 0}, {"g3", "maps", 1, 0}};
  DeployRequest request;
  request.keep_apart = {"rival"};
  request.pinned_groups = {"g3"};
  auto row = MergeModel(nullptr, request, "ocr", 7, groups);
  ASSERT_TRUE(row.ok()) << row.status().ToString();
  EXPECT_EQ(row->department, kDepartmentDefault);
  EXPECT_EQ(row->sharing, registry::Sharing::kShared);

  DeployRequest next;
  next.sharing = registry::Sharing::kGuaranteed;
  auto kept = MergeModel(&*row, next, "ocr", 8, {});
  ASSERT_TRUE(kept.ok()) << "the group went since: " << kept.status().ToString();
  EXPECT_THAT(kept->keep_apart, ElementsAre("rival"));
  EXPECT_THAT(kept->pinned_groups, ElementsAre("g3"));
  EXPECT_EQ(kept->sharing, registry::Sharing::kGuaranteed);
  EXPECT_EQ(kept->created, 7);

  request.pinned_groups = {"g2"};
  EXPECT_THAT(MergeModel(nullptr, request, "ocr", 7, groups).status().text(),
              HasSubstr("there is no group g2; there are: g1, g3"));
  request.keep_apart = {"ocr"};
  EXPECT_THAT(MergeModel(nullptr, request, "ocr", 7, groups).status().text(), HasSubstr("ocr itself"));
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

TEST(MergeConfig, RefusesWhatTheModelsFileWouldNotTake) {
  EXPECT_TRUE(
      MergeConfig("", {{"threads", "256"}, {"instances", "64"}, {"queue_limit", "65536"}}, "", 1).ok());
  for (auto [key, value, expected] : {std::tuple{"threads", "257", "from 1 to 256"},
                                      {"instances", "65", "from 1 to 64"},
                                      {"queue_limit", "65537", "from 1 to 65536"},
                                      {"standby_after_s", "0", "from 1 to 604800"},
                                      {"threads", "0", "from 1 to 256"}}) {
    EXPECT_THAT(MergeConfig("", {{key, value}}, "", 1).status().text(), HasSubstr(expected));
  }
}

TEST(MergeConfig, TakesATimeOrNever) {
  for (auto [value, seconds] : {std::pair{"30", 30}, {"never", 0}}) {
    auto merged = MergeConfig("standby_after_s: 5", {{"standby_after_s", value}}, "", 1);
    ASSERT_TRUE(merged.ok()) << merged.status().ToString();
    EXPECT_EQ(repository::ParseModelConfig(merged->yaml, "t")->standby_after_s, seconds);
  }
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
  EXPECT_TRUE(merged->labels_left_out);
  merged = MergeConfig("class_labels: {y: labels.txt}\n", {}, "new", 1);
  ASSERT_TRUE(merged.ok()) << merged.status().ToString();
  EXPECT_FALSE(merged->labels_left_out);
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
