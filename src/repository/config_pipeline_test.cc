#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/limits.h"
#include "repository/model_config.h"

namespace snug::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<ModelConfig> Parse(std::string_view yaml) {
  return ParseModelConfig(yaml, "m/model.yaml");
}

std::string WithStep(std::string_view step) {
  return fmt::format("pipeline:\n  inputs: [a]\n  outputs: [b]\n  steps:\n    - {{{}}}\n", step);
}

TEST(PipelineConfig, ReadsEveryKey) {
  auto config = Parse(R"(
parser: page
queue_limit: 9
pipeline:
  inputs: [image]
  outputs: [text, box]
  steps:
    - {name: find, model: detector, version: 3, inputs: {x: image}, outputs: {y: box}}
    - {name: read, for_each: [box], items_max: 100, inputs: {x: box, image: image}, outputs: {text: text}}
)");
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  ASSERT_TRUE(config->is_pipeline());
  EXPECT_EQ(config->instances, kPipelineInstancesDefault);
  EXPECT_THAT(config->pipeline.inputs, ElementsAre("image"));
  EXPECT_THAT(config->pipeline.outputs, ElementsAre("text", "box"));
  const StepConfig find{"find", "detector", "3", {{"x", "image"}}, {{"y", "box"}}, {}, 256};
  const StepConfig read{"read",  "read", "", {{"x", "box"}, {"image", "image"}}, {{"text", "text"}},
                        {"box"}, 100};
  EXPECT_THAT(config->pipeline.steps, ElementsAre(find, read));
}

TEST(PipelineConfig, InstancesAreAsGiven) {
  auto config = Parse("instances: 3\n" + WithStep("name: s, inputs: {x: a}, outputs: {y: b}"));
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->instances, 3);
}

TEST(PipelineConfig, SaysWhatIsWrongAndWhere) {
  struct Bad {
    std::string yaml;
    std::string_view text;
  };
  const std::string good = WithStep("name: s, inputs: {x: a}, outputs: {y: b}");
  const Bad rows[] = {
      {"pipeline: {}", "m/model.yaml:1: pipeline: expected inputs, outputs and steps, inputs is missing"},
      {"pipeline: on", "pipeline: expected a map, got on"},
      {"pipeline: {input: [a]}", "unknown key \"input\"; known keys: inputs, outputs, steps"},
      {"pipeline: {inputs: a}", "pipeline.inputs: expected a list of 1 to 64 names, got a"},
      {"pipeline: {inputs: [a, a]}", "pipeline.inputs: a is given twice"},
      {"pipeline: {inputs: [[a]]}", "pipeline.inputs: expected a name of 1 to 512 bytes, got a list"},
      {"pipeline: {steps: []}", "pipeline.steps: expected a list of 1 to 64 steps"},
      {WithStep("name: s"), "m/model.yaml:5: pipeline.steps: expected name, inputs and outputs, inputs is"},
      {WithStep("inputs: {x: a}, outputs: {y: b}"), "name is missing"},
      {WithStep("name: 'a b', inputs: {x: a}, outputs: {y: b}"), "a step without `model`: model name"},
      {WithStep("name: s, model: ../x, inputs: {x: a}, outputs: {y: b}"), "pipeline.steps.model: model name"},
      {WithStep("name: s, inputs: [x], outputs: {y: b}"), "as in {x: crops}, got a list"},
      {WithStep("name: s, inputs: {x: a}, outputs: {y: b}, items_max: 5000"), "from 1 to 4096, got 5000"},
      {WithStep("name: s, inputs: {x: a}, outputs: {y: b}, each: [a]"), "unknown key \"each\""},
      {good + "    - {name: s, inputs: {x: a}, outputs: {y: c}}\n",
       "m/model.yaml:6: pipeline.steps: two steps"},
      {good + "engine: echo\n", "m/model.yaml:6: engine: a pipeline has no engine of its own"},
      {good + "batching: on\n", "batching: a pipeline has no engine of its own"},
  };
  for (const Bad& row : rows) {
    auto config = Parse(row.yaml);
    ASSERT_FALSE(config.ok()) << row.yaml;
    EXPECT_EQ(config.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(config.status().text(), HasSubstr(row.text)) << row.yaml;
  }
}

}  // namespace
}  // namespace snug::repository
