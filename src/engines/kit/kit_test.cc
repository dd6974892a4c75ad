#include "engines/kit/kit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "engines/kit/content.h"

namespace snug::kit {
namespace {

std::string FailureOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Failure& e) {
    EXPECT_EQ(e.code(), SNUG_INVALID_ARGUMENT);
    return e.what();
  }
  return "no failure";
}

TEST(KitTest, OptionsSayWhatTheyExpected) {
  EXPECT_EQ(FailureOf([] {
              Options("{\"colour\":1}", {"threads", "precision"});
            }),
            "unknown engine option \"colour\"; known: threads, precision");
  EXPECT_EQ(FailureOf([] { Options("[]", {}); }), "options are not a JSON object");
  EXPECT_EQ(FailureOf([] { Options("{", {}); }), "options are not a JSON object");
  Options options(R"({"threads":0,"precision":"int3","onednn":1,"streams":2})",
                  {"threads", "precision", "onednn", "streams"});
  EXPECT_EQ(options.Integer("streams", 1, 1, 8), 2);
  EXPECT_EQ(options.Integer("absent", 7, 1, 8), 7);
  EXPECT_EQ(FailureOf([&] { options.Integer("threads", 1, 1, 8); }),
            "engine option \"threads\" must be a whole number from 1 to 8, got 0");
  EXPECT_EQ(FailureOf([&] {
              options.Choice("precision", "f32", {"f32", "bf16"});
            }),
            "engine option \"precision\" must be one of f32, bf16, got \"int3\"");
  EXPECT_EQ(FailureOf([&] { options.Boolean("onednn", true); }),
            "engine option \"onednn\" must be true or false, got 1");
}

TEST(KitTest, TensorsAreDeclared) {
  Options options(
      R"({"list":[{"name":"z","dtype":"FP32","shape":[-1,4]},{"name":"a","dtype":"BYTES","shape":[]}],
                      "map":{"z":{"dtype":"INT8","shape":[1]},"a":{"dtype":"BOOL","shape":[2]}},
                      "type":{"x":{"dtype":"FLOAT","shape":[1]}},"dim":{"x":{"dtype":"FP32","shape":[-2]}},
                      "bare":{"x":[1]},"text":"x","o":{"k":1}})",
      {"list", "map", "type", "dim", "bare", "text", "o"});
  auto list = options.Tensors("list");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "z");
  EXPECT_EQ(list[0].dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(list[1].dtype, SNUG_BYTES);
  EXPECT_EQ(options.Tensors("map")[0].name, "a");
  EXPECT_TRUE(options.Tensors("absent").empty());
  EXPECT_EQ(FailureOf([&] { options.Tensors("type"); }),
            "engine option \"type\": \"x\": dtype \"FLOAT\" is no element type; expected as in {dtype: FP32, "
            "shape: "
            "[-1, 4]}");
  EXPECT_NE(FailureOf([&] { options.Tensors("dim"); }).find("shape [-2]"), std::string::npos);
  EXPECT_NE(FailureOf([&] { options.Tensors("bare"); }).find("no dtype or no shape"), std::string::npos);
  EXPECT_EQ(FailureOf([&] { options.Tensors("text"); }),
            "engine option \"text\" must be a list or map of tensors");
  EXPECT_EQ(options.Object("o"), "{\"k\":1}");
  EXPECT_EQ(options.Object("absent"), "{}");
  EXPECT_EQ(FailureOf([&] { options.Object("text"); }), "engine option \"text\" must be a map, got \"x\"");
  for (snug_dtype dtype = SNUG_BOOL; dtype <= SNUG_BYTES; ++dtype)
    EXPECT_EQ(DTypeOfName(DTypeName(dtype)), dtype);
  EXPECT_EQ(DTypeName(99), "");
}

TEST(KitTest, EqualDigestsAreEqualFiles) {
  namespace fs = std::filesystem;
  const std::string root = testing::TempDir() + "/snug_kit_digest";
  fs::remove_all(root);
  auto write = [&](const std::string& path, const char* content) {
    fs::create_directories(fs::path(root + "/" + path).parent_path());
    std::ofstream(root + "/" + path) << content;
  };
  write("a/model.xml", "graph");
  write("a/sub/weights", "1");
  write("b/model.xml", "graph");
  write("b/sub/weights", "1");
  EXPECT_EQ(DirectoryDigest(root + "/a"), DirectoryDigest(root + "/b"));
  write("b/sub/weights", "2");
  EXPECT_NE(DirectoryDigest(root + "/a"), DirectoryDigest(root + "/b"));
  write("b/sub/weights", "1");
  write("b/more", "");
  EXPECT_NE(DirectoryDigest(root + "/a"), DirectoryDigest(root + "/b"));
  EXPECT_ANY_THROW(DirectoryDigest(root + "/none"));
  fs::remove_all(root);
}

TEST(KitTest, GuardTurnsExceptionsIntoCodes) {
  snug_error error{};
  EXPECT_EQ(Guard(&error, SNUG_INTERNAL, [] {}), SNUG_OK);
  EXPECT_EQ(Guard(&error, SNUG_INTERNAL, [] { throw Failure(SNUG_NOT_FOUND, "none"); }), SNUG_NOT_FOUND);
  EXPECT_STREQ(error.text, "none");
  EXPECT_EQ(Guard(&error, SNUG_INTERNAL, [] { throw std::runtime_error(std::string(5000, 'x')); }),
            SNUG_INTERNAL);
  EXPECT_EQ(std::string(error.text).size(), sizeof error.text - 1);
  EXPECT_EQ(Guard(&error, SNUG_INTERNAL, [] { throw 7; }), SNUG_INTERNAL);
  EXPECT_EQ(Guard(&error, SNUG_INTERNAL, [] { throw std::bad_alloc(); }), SNUG_RESOURCE_EXHAUSTED);
}

TEST(KitTest, SpecsKeepTheirMemory) {
  SpecList specs;
  for (int i = 0; i < 100; ++i) specs.Add("x" + std::to_string(i), SNUG_FP32, {-1, i});
  EXPECT_STREQ(specs.specs()[0].name, "x0");
  EXPECT_EQ(specs.specs()[99].dims[1], 99);
  EXPECT_TRUE(specs.FirstIsFree());
  specs.Add("scalar", SNUG_FP32, {});
  EXPECT_FALSE(specs.FirstIsFree());
}

}  // namespace
}  // namespace snug::kit
