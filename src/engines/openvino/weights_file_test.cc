#include "engines/openvino/weights_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <openvino/op/constant.hpp>
#include <openvino/op/matmul.hpp>
#include <openvino/op/parameter.hpp>
#include <vector>

namespace snug::openvino {
namespace {

using ov::op::v0::Constant;

std::vector<float> Numbers(size_t count) {
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = static_cast<float>(i % 1000) - 500;
  return numbers;
}

// x [1, side] times weights [side, side].
std::shared_ptr<ov::Model> Product(size_t side) {
  auto x = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, ov::Shape{1, side});
  auto weights = Constant::create(ov::element::f32, {side, side}, Numbers(side * side));
  weights->set_friendly_name("w");
  auto product = std::make_shared<ov::op::v0::MatMul>(x, weights);
  return std::make_shared<ov::Model>(ov::OutputVector{product}, ov::ParameterVector{x});
}

std::shared_ptr<Constant> WeightsOf(const ov::Model& model) {
  for (const auto& node : model.get_ops()) {
    if (auto constant = std::dynamic_pointer_cast<Constant>(node)) return constant;
  }
  return nullptr;
}

TEST(WeightsFile, ConstantsAreTheSameInAFileAndAfterTheyWereForgotten) {
  constexpr size_t kSide = 600;
  auto model = Product(kSide);
  const auto before = WeightsOf(*model);
  auto file = MoveWeightsToFile(*model);
  if (!file) GTEST_SKIP() << "no directory for temporary files is on a disk";
  const auto after = WeightsOf(*model);
  ASSERT_NE(after, before);
  EXPECT_EQ(after->get_friendly_name(), "w");
  EXPECT_EQ(after->get_shape(), before->get_shape());
  EXPECT_NE(after->get_data_ptr(), before->get_data_ptr());
  const auto expected = Numbers(kSide * kSide);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), after->get_data_ptr<float>()));
    file->Forget();
  }
  file.reset();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), after->get_data_ptr<float>()))
      << "the constant keeps the file";
}

TEST(WeightsFile, SmallModelsAreLeftAlone) {
  auto model = Product(100);
  const auto before = WeightsOf(*model);
  EXPECT_EQ(MoveWeightsToFile(*model), nullptr);
  EXPECT_EQ(WeightsOf(*model), before);
}

}  // namespace
}  // namespace snug::openvino
