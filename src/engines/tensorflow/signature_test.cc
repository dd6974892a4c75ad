#include "engines/tensorflow/signature.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "engines/kit/kit.h"

namespace snug::tensorflow {
namespace {

// The first meta graph of a saved_model.pb: field 2 of SavedModel, after the schema version (field 1).
std::string MetaGraph(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  size_t at = 3;  // 08 01 12
  while (static_cast<unsigned char>(bytes.at(at)) >= 0x80) ++at;
  return bytes.substr(at + 1);
}

std::string Linear() {
  return MetaGraph(SNUG_TEST_SOURCE_DIR "/../../engine/testdata/linear_savedmodel/saved_model.pb");
}

TEST(SignatureTest, ReadsARealModel) {
  auto signatures = ReadSignatures(Linear());
  ASSERT_TRUE(signatures.contains("serving_default"));
  const Signature& linear = signatures["serving_default"];
  ASSERT_EQ(linear.inputs.size(), 1u);
  EXPECT_EQ(linear.inputs.at("x").tensor, "serving_default_x:0");
  EXPECT_EQ(linear.inputs.at("x").dtype, 1);
  EXPECT_EQ(linear.method, "tensorflow/serving/predict");
  EXPECT_EQ(linear.inputs.at("x").dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(linear.outputs.at("y").dims, (std::vector<int64_t>{-1, 3}));
  EXPECT_EQ(signatures["upper"].inputs.at("text").dtype, 7);
}

TEST(SignatureTest, CutOffIsDataLoss) {
  std::string whole = Linear();
  try {
    ReadSignatures(std::string_view(whole).substr(0, whole.size() - 5));
    FAIL() << "accepted";
  } catch (const kit::Failure& e) {
    EXPECT_EQ(e.code(), SNUG_DATA_LOSS);
  }
  EXPECT_TRUE(ReadSignatures("").empty());
}

}  // namespace
}  // namespace snug::tensorflow
