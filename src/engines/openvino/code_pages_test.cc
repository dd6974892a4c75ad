#include "engines/openvino/code_pages.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <openvino/op/relu.hpp>
#include <openvino/openvino.hpp>
#include <string>

namespace snug::openvino {
namespace {

// What is in memory of the executable parts of OpenVINO's libraries, KiB.
long CodeInMemory() {
  std::ifstream maps("/proc/self/smaps");
  long total = 0, rss = 0;
  bool is_code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" r-xp ") != std::string::npos)
      is_code = line.find("/libopenvino") != std::string::npos;
    else if (line.find("VmFlags:") == 0)
      is_code = false;
    else if (is_code && std::sscanf(line.c_str(), "Rss: %ld", &rss) == 1)
      total += rss;
  }
  return total;
}

// Walks through much of the library, virtual calls and all, without a device.
std::string ShapeOfSmallModel() {
  auto x = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, ov::PartialShape{-1, 4});
  const ov::OutputVector outputs{std::make_shared<ov::op::v0::Relu>(x)};
  auto model = std::make_shared<ov::Model>(outputs, ov::ParameterVector{x});
  model->reshape(ov::PartialShape{3, 4});
  return model->output(0).get_partial_shape().to_string();
}

TEST(CodePages, AreForgottenAndComeBackAsTheyWere) {
  ASSERT_EQ(ShapeOfSmallModel(), "[3,4]");
  const long before = CodeInMemory();
  ASSERT_GT(before, 0);
  EXPECT_GT(ForgetCode(), uint64_t(before) * 1024);
  EXPECT_LT(CodeInMemory(), before / 2);
  EXPECT_EQ(ShapeOfSmallModel(), "[3,4]");
}

}  // namespace
}  // namespace snug::openvino
