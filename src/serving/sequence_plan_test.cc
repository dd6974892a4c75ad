#include "serving/sequence_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "serving/testing/fakes.h"

namespace snug::serving {
namespace {

using repository::SequenceConfig;
using testing::ElementsAre;
using testing::HasSubstr;

engine::ModelInfo Info() {
  engine::ModelInfo info;
  info.inputs = {{"state", DType::kFp32, {-1, 2}},  {"x", DType::kFp32, {-1, 1}},
                 {"START", DType::kInt32, {-1, 1}}, {"END", DType::kFp32, {-1}},
                 {"READY", DType::kBool, {-1, 1}},  {"ID", DType::kUint64, {-1, 1}}};
  info.outputs = {
      {"y", DType::kFp32, {-1, 1}}, {"next", DType::kFp32, {-1, 2}}, {"z", DType::kFp32, {-1, 1}}};
  info.batch_is_free = true;
  return info;
}

SequenceConfig Config() {
  SequenceConfig config;
  config.on = true;
  config.rows_max = 4;
  config.start = {"START", 0, 1};
  config.end = {"END", -1, 1};
  config.ready = {"READY", 0, 1};
  config.corrid = {"ID", 0, 1};
  config.states = {{"state", "next", {}}};
  return config;
}

SequencePlan Make(const SequenceConfig& config, const engine::ModelInfo& info = Info()) {
  auto plan = SequencePlan::Make(config, info, "m", 1);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return *plan;
}

std::string Refusal(const SequenceConfig& config, const engine::ModelInfo& info = Info()) {
  auto plan = SequencePlan::Make(config, info, "m", 1);
  EXPECT_EQ(plan.status().code(), Code::kInvalidArgument);
  return plan.status().text();
}

template <typename T>
std::vector<T> Values(const Tensor& tensor) {
  std::vector<T> values(tensor.buffer.size() / sizeof(T));
  std::memcpy(values.data(), tensor.buffer.data(), tensor.buffer.size());
  return values;
}

SequenceMark Mark(uint64_t id, bool start = false, bool end = false) {
  return {{id, ""}, start, end};
}

TEST(SequencePlan, ClientsSeeWhatIsTheirs) {
  const SequencePlan plan = Make(Config());
  EXPECT_THAT(plan.visible().inputs, ElementsAre(TensorSpec{"x", DType::kFp32, {-1, 1}}));
  ASSERT_EQ(plan.visible().outputs.size(), 2U);
  EXPECT_EQ(plan.visible().outputs[1].name, "z");
  EXPECT_TRUE(plan.keeps_states());
  EXPECT_EQ(plan.Note(), "4 sequences at a time, 4 rows an execution (direct)");
}

TEST(SequencePlan, RowsAreJoinedAndTheModelIsTold) {
  const SequencePlan plan = Make(Config());
  const std::vector<Tensor> first{Floats("x", {1, 1}, {5})}, third{Floats("x", {1, 1}, {7})};
  const std::vector<Tensor> kept{Floats("next", {1, 2}, {8, 9})};
  const SequencePlan::Row rows[] = {
      {Mark(11, true), &first, nullptr}, {}, {Mark(13, false, true), &third, &kept}};
  auto inputs = plan.Inputs(rows);
  ASSERT_TRUE(inputs.ok()) << inputs.status().ToString();
  ASSERT_EQ(inputs->size(), 6U);
  EXPECT_EQ((*inputs)[0].name, "state");
  EXPECT_THAT(Values<float>((*inputs)[0]), ElementsAre(0, 0, 0, 0, 8, 9));
  EXPECT_THAT(Values<float>((*inputs)[1]), ElementsAre(5, 5, 7)) << "a gap shows what another row has";
  EXPECT_THAT(Values<int32_t>((*inputs)[2]), ElementsAre(1, 0, 0));
  EXPECT_THAT(Values<float>((*inputs)[3]), ElementsAre(-1, -1, 1));
  EXPECT_EQ((*inputs)[3].shape, (Shape{3}));
  EXPECT_THAT(Values<uint8_t>((*inputs)[4]), ElementsAre(1, 0, 1));
  EXPECT_THAT(Values<uint64_t>((*inputs)[5]), ElementsAre(11, 0, 13));
  EXPECT_EQ((*inputs)[5].shape, (Shape{3, 1}));
}

TEST(SequencePlan, AStartForgetsTheState) {
  const SequencePlan plan = Make(Config());
  const std::vector<Tensor> x{Floats("x", {1, 1}, {5})}, kept{Floats("next", {1, 2}, {8, 9})};
  const SequencePlan::Row rows[] = {{Mark(1, true), &x, &kept}};
  EXPECT_THAT(Values<float>((*plan.Inputs(rows))[0]), ElementsAre(0, 0));
}

TEST(SequencePlan, OutputsAreTakenApart) {
  const SequencePlan plan = Make(Config());
  const std::vector<Tensor> all{Floats("y", {2, 1}, {1, 2}), Floats("next", {2, 2}, {3, 4, 5, 6}),
                                Floats("z", {2, 1}, {7, 8})};
  const auto computed = plan.Wanted({});
  EXPECT_THAT(computed, ElementsAre(1, 1, 1));
  auto second = plan.Outputs(all, computed, {}, 1, 2);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->outputs.size(), 2U);
  EXPECT_THAT(Values<float>(second->outputs[1]), ElementsAre(8));
  EXPECT_THAT(Values<float>(second->states[0]), ElementsAre(5, 6));

  const std::vector<uint8_t> only_z{0, 1};
  EXPECT_THAT(plan.Wanted(only_z), ElementsAre(0, 1, 1)) << "the state is always wanted";
  const std::vector<Tensor> some{all[1], all[2]};
  auto first = plan.Outputs(some, plan.Wanted(only_z), only_z, 0, 2);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->outputs.size(), 1U);
  EXPECT_THAT(Values<float>(first->outputs[0]), ElementsAre(7));

  EXPECT_THAT(plan.Outputs(all, computed, {}, 0, 3).status().text(), HasSubstr("of 3 rows has the shape"));
}

TEST(SequencePlan, AModelWithoutAFreeBatchTakesOneRequestAtATime) {
  engine::ModelInfo info;
  info.inputs = {{"input", DType::kFp32, {1, 576}}, {"state", DType::kFp32, {2, 1, 2}}};
  info.outputs = {{"output", DType::kFp32, {1, 1}}, {"stateN", DType::kFp32, {2, -1, 2}}};
  SequenceConfig config;
  config.on = config.oldest = true;
  config.states = {{"state", "stateN", {}}};
  const SequencePlan plan = Make(config, info);
  const std::vector<Tensor> x{Floats("input", {1, 576}, std::vector<float>(576))};
  const SequencePlan::Row rows[] = {{Mark(1, true), &x, nullptr}};
  auto inputs = plan.Inputs(rows);
  ASSERT_TRUE(inputs.ok());
  EXPECT_EQ((*inputs)[1].shape, (Shape{2, 1, 2}));
  const std::vector<Tensor> outputs{Floats("output", {1, 1}, {0.5}),
                                    Floats("stateN", {2, 1, 2}, {1, 2, 3, 4})};
  auto own = plan.Outputs(outputs, plan.Wanted({}), {}, 0, 1);
  ASSERT_TRUE(own.ok());
  EXPECT_THAT(Values<float>(own->states[0]), ElementsAre(1, 2, 3, 4));
  config.rows_max = 2;
  EXPECT_THAT(Refusal(config, info), HasSubstr("first dimensions are not all free"));
}

TEST(SequencePlan, IdsFitTheirInput) {
  const Tensor x = Floats("x", {1, 1}, {1});
  const SequencePlan numbers = Make(Config());
  EXPECT_TRUE(numbers.CheckInputs({&x, 1}, {0, "1002"}).ok()) << "a text that is a number";
  EXPECT_THAT(numbers.CheckInputs({&x, 1}, {0, "call"}).text(), HasSubstr("whose input \"ID\" is UINT64"));
  const Tensor two = Floats("x", {2, 1}, {1, 2});
  EXPECT_THAT(numbers.CheckInputs({&two, 1}, {1, ""}).text(), HasSubstr("must specify batch-size 1"));

  engine::ModelInfo info = Info();
  info.inputs[5].dtype = DType::kInt32;
  EXPECT_FALSE(Make(Config(), info).CheckInputs({&x, 1}, {uint64_t{1} << 31, ""}).ok());
  info.inputs[5].dtype = DType::kBytes;
  const SequencePlan texts = Make(Config(), info);
  EXPECT_TRUE(texts.CheckInputs({&x, 1}, {0, "call"}).ok());
  const std::vector<Tensor> inputs{x};
  const SequencePlan::Row rows[] = {{{{0, "ab"}, true, false}, &inputs, nullptr}, {}};
  EXPECT_THAT(Values<char>((*texts.Inputs(rows))[5]), ElementsAre(2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0));
}

TEST(SequencePlan, WhatDoesNotSuitIsToldAtLoad) {
  SequenceConfig config = Config();
  config.start.input = "BEGIN";
  EXPECT_THAT(Refusal(config), HasSubstr("the model has no input \"BEGIN\"; it has: state FP32 [-1,2], x"));
  config = Config();
  config.start.input = "END";
  EXPECT_THAT(Refusal(config), HasSubstr("input \"END\" is named twice"));
  config = Config();
  config.start.input = "ID";
  config.corrid.input = "";
  EXPECT_THAT(Refusal(config), HasSubstr("\"ID\" is UINT64; expected one of INT32, FP32, BOOL"));
  config = Config();
  config.states[0].output = "nowhere";
  EXPECT_THAT(Refusal(config), HasSubstr("the model has no output \"nowhere\""));
  config = Config();
  config.states[0].output = "y";
  EXPECT_THAT(Refusal(config), HasSubstr("cannot hold a state of the shape [1,2]"));
  engine::ModelInfo info = Info();
  info.inputs[0].shape = {-1, -1};
  EXPECT_THAT(Refusal(Config(), info), HasSubstr("say `shape`, of one row"));
  config = Config();
  config.states[0].shape = {1, 2};
  EXPECT_TRUE(SequencePlan::Make(config, info, "m", 1).ok());
  info.inputs[2].shape = {-1, 3};
  EXPECT_THAT(Refusal(config, info), HasSubstr("expected one element a row"));
}

}  // namespace
}  // namespace snug::serving
