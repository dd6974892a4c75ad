#include "repository/inline_model.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "os/files.h"
#include "repository/limits.h"
#include "repository/test_dir.h"

namespace snug::repository {
namespace {

using testing::HasSubstr;

TEST(InlineModel, FilesAreReadAsAModelAndGoWithIt) {
  TestDir dir;
  auto entry = ReadInlineModel(dir.path(), "m",
                               {{"model.yaml", "instances: 2\n"}, {"3/model.onnx", "abc"}, {"3/a/b", "d"}});
  ASSERT_TRUE(entry.ok()) << entry.status().ToString();
  EXPECT_EQ(entry->config.instances, 2);
  ASSERT_EQ(entry->versions.count(3), 1u);
  EXPECT_EQ(*os::ReadFile(entry->versions.at(3).directory + "/model.onnx"), "abc");
  EXPECT_EQ(*os::ReadFile(entry->versions.at(3).directory + "/a/b"), "d");
  ModelEntry copy = *entry;
  *entry = ModelEntry();
  EXPECT_TRUE(os::Exists(copy.versions.at(3).directory));
  copy = ModelEntry();
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(InlineModel, BadPathsAreRefusedAndLeaveNothing) {
  TestDir dir;
  struct {
    std::string path;
    Code code;
    const char* text;
  } cases[] = {{"model.onnx", Code::kInvalidArgument, "expected file:VERSION/NAME"},
               {"x/model.onnx", Code::kInvalidArgument, "expected file:VERSION/NAME"},
               {"1/../../x", Code::kInvalidArgument, "\"..\""},
               {"1//x", Code::kInvalidArgument, "empty parts"},
               {"/1/x", Code::kInvalidArgument, "empty parts"},
               {"1/", Code::kInvalidArgument, "empty parts"},
               {"", Code::kInvalidArgument, "empty parts"},
               {"1/1/1/1/1/1/1/1/1/1", Code::kInvalidArgument, "at most"},
               {std::string("1/a\0b", 5), Code::kInvalidArgument, "must not"},
               {std::string(300, 'A'), Code::kInvalidArgument, "too long"}};
  for (const auto& c : cases) {
    auto entry = ReadInlineModel(dir.path(), "m", {{c.path, "x"}});
    EXPECT_EQ(entry.status().code(), c.code) << c.path;
    EXPECT_THAT(entry.status().text(), HasSubstr(c.text));
  }
  EXPECT_THAT(ReadInlineModel(dir.path(), "m", {{"model.yaml", "instances: 1"}}).status().text(),
              HasSubstr("holds no version"));
  EXPECT_FALSE(ReadInlineModel(dir.path(), "../m", {{"1/x", "x"}}).ok());
  EXPECT_FALSE(ReadInlineModel(dir / "nowhere", "m", {{"1/x", "x"}}).ok());
  InlineFiles many;
  for (size_t i = 0; i <= kInlineFilesMax; ++i) many["1/" + std::to_string(i)] = "";
  EXPECT_THAT(ReadInlineModel(dir.path(), "m", many).status().text(), HasSubstr("at most"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace snug::repository
