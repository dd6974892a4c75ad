// Graph and run: pure, so all of it is plain calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "repository/model_config.h"
#include "serving/pipeline/run.h"
#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TensorSpec Spec(const std::string& name, Shape shape, DType dtype = DType::kFp32) {
  return {name, dtype, std::move(shape)};
}

repository::PipelineConfig Config(const std::string& yaml) {
  auto config = repository::ParseModelConfig("pipeline:\n" + yaml, "test");
  EXPECT_TRUE(config.ok()) << config.status().ToString();
  return config->pipeline;
}

// find: image -> boxes, rows of two; read: a box -> a letter; join: letters and image -> text.
const char* kPage = R"(
  inputs: [image]
  outputs: [text]
  steps:
    - {name: join, inputs: {letters: letters, image: image}, outputs: {text: text}}
    - {name: find, inputs: {x: image}, outputs: {y: boxes}}
    - {name: read, for_each: [boxes], items_max: 40, inputs: {x: boxes}, outputs: {y: letters}}
)";

std::vector<StepTensors> PageModels() {
  return {{{Spec("letters", {-1, 1}), Spec("image", {-1, 4})}, {Spec("text", {1})}},
          {{Spec("x", {1, -1})}, {Spec("y", {-1, 2})}},
          {{Spec("x", {1, 2})}, {Spec("y", {1, 1}), Spec("z", {1})}}};
}

PipelineGraph Page() {
  auto graph = PlanPipeline(Config(kPage), PageModels());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *graph;
}

TEST(PipelineGraph, InputsAndOutputsAreThoseOfTheSteps) {
  const PipelineGraph graph = Page();
  EXPECT_THAT(graph.InputSpecs(), ElementsAre(Spec("image", {1, 4}))) << "what both takers accept";
  EXPECT_THAT(graph.OutputSpecs(), ElementsAre(Spec("text", {1})));
}

TEST(PipelineGraph, SaysWhichStepIsWrong) {
  struct Bad {
    std::string from, to, text;
  };
  const Bad rows[] = {
      {"{x: image}", "{z: image}",
       "step \"find\" (model \"find\"): the model has no input \"z\"; it has: x FP32"},
      {"{x: image}", "{x: nothing}",
       "step \"find\" (model \"find\"): there is no value \"nothing\"; there are: image"},
      {"letters: letters, ", "",
       "step \"join\" (model \"join\"): nothing is given to the model's input \"letters\""},
      {"{y: boxes}", "{w: boxes}",
       "step \"find\" (model \"find\"): the model has no output \"w\"; it has: y"},
      {"{y: letters}", "{y: letters, z: more}",
       "step \"read\" (model \"read\"): nothing uses the value \"more\""},
      {"{text: text}", "{text: boxes}",
       "step \"find\" (model \"find\"): makes the value \"boxes\", which step \"join\" makes already"},
      {"{y: boxes}", "{y: image}", "makes the value \"image\", which the request brings already"},
      {"inputs: {x: boxes}", "inputs: {x: text}", "for_each names \"boxes\", which is none of its inputs"},
      {"outputs: [text]", "outputs: [image]", "pipeline output \"image\": no step makes such a value"},
      {"inputs: [image]", "inputs: [image, more]", "pipeline input \"more\": no step takes it"},
      {"{x: image}", "{x: letters}", "the steps need each other in a circle: read -> find -> read"},
  };
  for (const Bad& row : rows) {
    std::string yaml = kPage;
    yaml.replace(yaml.find(row.from), row.from.size(), row.to);
    auto graph = PlanPipeline(Config(yaml), PageModels());
    ASSERT_FALSE(graph.ok()) << yaml;
    EXPECT_EQ(graph.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(graph.status().text(), HasSubstr(row.text));
  }
}

TEST(PipelineGraph, TypesAndShapesHaveToFit) {
  auto models = PageModels();
  models[2].inputs[0].dtype = DType::kUint8;
  EXPECT_THAT(
      PlanPipeline(Config(kPage), models).status().text(),
      HasSubstr("step \"read\" (model \"read\"): the value \"boxes\" is FP32 [-1,2], rows of which do "
                "not fit: the input \"x\" is UINT8 [1,2]"));
  models = PageModels();
  models[2].inputs[0].shape = {4, 2};
  EXPECT_THAT(PlanPipeline(Config(kPage), models).status().text(), HasSubstr("gives one row at a time"));
  models = PageModels();
  models[2].outputs[0].shape = {2, 1};
  EXPECT_THAT(PlanPipeline(Config(kPage), models).status().text(), HasSubstr("needs a first dimension of 1"));
  models = PageModels();
  models[0].inputs[1].shape = {1, 3};
  models[1].inputs[0].shape = {1, 4};
  EXPECT_THAT(PlanPipeline(Config(kPage), models).status().text(), HasSubstr("the value \"image\" is FP32"));
}

std::string NameOf(const PipelineGraph& graph, const PipelineRun::Call& call) {
  return fmt::format("{}:{}", graph.steps[call.step].name, call.item);
}

float First(const Tensor& tensor) {
  float value = 0;
  std::memcpy(&value, tensor.buffer.data(), sizeof value);
  return value;
}

std::vector<Tensor> Image() {
  return {Floats("image", {1, 4}, {1, 2, 3, 4})};
}

TEST(PipelineRun, RowsAreExecutedByThemselvesAndJoinedInOrder) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  auto find = run.Next();
  ASSERT_TRUE(find);
  EXPECT_EQ(NameOf(graph, *find), "find:0");
  EXPECT_FALSE(run.Next());
  const Tensor boxes = Floats("y", {3, 2}, {10, 11, 20, 21, 30, 31});
  run.Finished(*find, std::vector<Tensor>{boxes});
  std::vector<PipelineRun::Call> reads;
  while (auto call = run.Next()) reads.push_back(*std::move(call));
  ASSERT_EQ(reads.size(), 3u);
  EXPECT_EQ(run.items(2), 3u);
  EXPECT_EQ(reads[1].inputs[0].shape, (Shape{1, 2}));
  EXPECT_EQ(reads[1].inputs[0].buffer.data(), static_cast<const float*>(boxes.buffer.data()) + 2)
      << "a view of the whole, no copy";
  for (const size_t i : {2, 0, 1}) {
    EXPECT_FALSE(run.Done());
    run.Finished(reads[i], std::vector<Tensor>{Floats("y", {1, 1}, {First(reads[i].inputs[0])})});
  }
  auto join = run.Next();
  ASSERT_TRUE(join);
  EXPECT_EQ(NameOf(graph, *join), "join:0");
  const Tensor& joined = join->inputs[0].name == "letters" ? join->inputs[0] : join->inputs[1];
  const auto* letters = static_cast<const float*>(joined.buffer.data());
  EXPECT_THAT(std::vector<float>(letters, letters + 3), ElementsAre(10, 20, 30));
  run.Finished(*join, std::vector<Tensor>{Floats("text", {1}, {7})});
  ASSERT_TRUE(run.Done());
  auto outputs = run.TakeOutputs();
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ((*outputs)[0].name, "text");
  EXPECT_EQ(First((*outputs)[0]), 7);
}

TEST(PipelineRun, NoRowsAreAnEmptyWhole) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  auto find = run.Next();
  run.Finished(*find, std::vector<Tensor>{Floats("y", {0, 2}, {})});
  auto join = run.Next();
  ASSERT_TRUE(join);
  const Tensor& letters = join->inputs[0].name == "letters" ? join->inputs[0] : join->inputs[1];
  EXPECT_EQ(letters.shape, (Shape{0, 1}));
}

TEST(PipelineRun, AFailureNamesTheStepAndEndsTheRun) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  run.Finished(*run.Next(), std::vector<Tensor>{Floats("y", {2, 2}, {1, 2, 3, 4})});
  auto first = run.Next(), second = run.Next();
  run.Finished(*second, InvalidArgument("bad letter"));
  EXPECT_FALSE(run.Next());
  EXPECT_FALSE(run.Done()) << "the other one is still under way";
  run.Finished(*first, std::vector<Tensor>{Floats("y", {1, 1}, {1})});
  ASSERT_TRUE(run.Done());
  EXPECT_EQ(run.TakeOutputs().status().ToString(),
            "INVALID_ARGUMENT: pipeline step \"read\", item 2 of 2: bad letter");
}

TEST(PipelineRun, TheItemsOfARequestAreBounded) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  run.Finished(*run.Next(), std::vector<Tensor>{Floats("y", {41, 2}, std::vector<float>(82))});
  ASSERT_TRUE(run.Done());
  EXPECT_THAT(run.TakeOutputs().status().ToString(),
              HasSubstr("step \"read\": 41 items, at most 40 are executed for one request (items_max)"));
}

TEST(PipelineRun, OnlySoManyItemsAreUnderWayAndAFullQueueMakesThemFewer) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  run.Finished(*run.Next(), std::vector<Tensor>{Floats("y", {40, 2}, std::vector<float>(80))});
  std::deque<PipelineRun::Call> calls;
  auto take = [&] {
    while (auto call = run.Next()) calls.push_back(*std::move(call));
  };
  auto end = [&](Result<std::vector<Tensor>> outputs) {
    run.Finished(calls.front(), std::move(outputs));
    calls.pop_front();
    take();
  };
  take();
  EXPECT_EQ(calls.size(), kItemsAtOnceMax);
  while (calls.size() > 1) end(Error(Code::kResourceExhausted, "full"));
  EXPECT_EQ(calls.size(), 1u);
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(calls.size(), 1u);
    if (graph.steps[calls.front().step].name == "join") break;
    end(std::vector<Tensor>{Floats("y", {1, 1}, {1})});
  }
  ASSERT_EQ(graph.steps[calls.front().step].name, "join") << "each item was executed once in the end";
  end(std::vector<Tensor>{Floats("text", {1}, {1})});
  EXPECT_TRUE(run.Done());
}

TEST(PipelineRun, AFullQueueWithNothingUnderWayIsAFailure) {
  const PipelineGraph graph = Page();
  PipelineRun run(graph, Image(), {});
  run.Finished(*run.Next(), Error(Code::kResourceExhausted, "full"));
  EXPECT_EQ(run.TakeOutputs().status().ToString(), "RESOURCE_EXHAUSTED: pipeline step \"find\": full");
}

// a and b side by side, c for each pair of their rows.
const char* kPairs = R"(
  inputs: [x]
  outputs: [sum, left]
  steps:
    - {name: a, inputs: {x: x}, outputs: {y: left}}
    - {name: b, inputs: {x: x}, outputs: {y: right}}
    - {name: c, for_each: [left, right], inputs: {x: left, z: right}, outputs: {y: sum}}
)";

PipelineGraph Pairs() {
  const StepTensors one{{Spec("x", {-1, 1})}, {Spec("y", {-1, 1})}};
  const StepTensors two{{Spec("x", {-1, 1}), Spec("z", {-1, 1})}, {Spec("y", {-1, 1})}};
  auto graph = PlanPipeline(Config(kPairs), {one, one, two});
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *graph;
}

TEST(PipelineRun, StepsThatNeedNothingOfEachOtherRunAtTheSameTime) {
  const PipelineGraph graph = Pairs();
  PipelineRun run(graph, {Floats("x", {1, 1}, {1})}, {});
  auto b = run.Next(), a = run.Next();
  ASSERT_TRUE(a && b);
  run.Finished(*a, std::vector<Tensor>{Floats("y", {2, 1}, {1, 2})});
  EXPECT_FALSE(run.Next());
  run.Finished(*b, std::vector<Tensor>{Floats("y", {2, 1}, {3, 4})});
  EXPECT_EQ(run.Next()->inputs.size(), 2u);
}

TEST(PipelineRun, RowsThatAreTakenTogetherHaveToBeAsMany) {
  const PipelineGraph graph = Pairs();
  PipelineRun run(graph, {Floats("x", {1, 1}, {1})}, {});
  auto b = run.Next(), a = run.Next();
  run.Finished(*a, std::vector<Tensor>{Floats("y", {2, 1}, {1, 2})});
  run.Finished(*b, std::vector<Tensor>{Floats("y", {3, 1}, {3, 4, 5})});
  ASSERT_TRUE(run.Done());
  EXPECT_THAT(run.TakeOutputs().status().ToString(), HasSubstr("step \"c\": for_each: \"right\" has 3 rows"));
}

TEST(PipelineRun, WhatNobodyWantsIsNotExecuted) {
  const PipelineGraph graph = Pairs();
  const uint8_t only_left[] = {0, 1};
  PipelineRun run(graph, {Floats("x", {1, 1}, {1})}, only_left);
  auto a = run.Next();
  EXPECT_EQ(NameOf(graph, *a), "a:0");
  EXPECT_FALSE(run.Next());
  run.Finished(*a, std::vector<Tensor>{Floats("y", {2, 1}, {1, 2})});
  ASSERT_TRUE(run.Done());
  auto outputs = run.TakeOutputs();
  ASSERT_EQ(outputs->size(), 1u);
  EXPECT_EQ((*outputs)[0].name, "left");
}

}  // namespace
}  // namespace snug::serving
