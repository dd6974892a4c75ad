#include "repository/class_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "repository/test_dir.h"

namespace snug::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ClassLabels, ALineEach) {
  EXPECT_THAT(SplitLabels("cat\nbig dog\r\n\nbird"), ElementsAre("cat", "big dog", "", "bird"));
  EXPECT_THAT(SplitLabels("cat\n"), ElementsAre("cat"));
  EXPECT_THAT(SplitLabels(""), IsEmpty());
}

TEST(ClassLabels, TheVersionsFileGoesBeforeTheModels) {
  TestDir dir;
  dir.Write("m/shared.txt", "a\nb\n");
  dir.Write("m/own.txt", "c\n");
  dir.Write("m/1/own.txt", "d\n");
  const std::string model = dir / "m";
  auto labels = LoadClassLabels({{"y", "shared.txt"}, {"z", "own.txt"}}, model + "/1", model);
  ASSERT_TRUE(labels.ok()) << labels.status().ToString();
  EXPECT_THAT(labels->at("y"), ElementsAre("a", "b"));
  EXPECT_THAT(labels->at("z"), ElementsAre("d"));
  auto missing = LoadClassLabels({{"y", "nonesuch.txt"}}, model + "/1", model);
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  EXPECT_THAT(missing.status().text(), HasSubstr("class_labels of output \"y\""));
}

TEST(ClassLabels, FilesAreNamesAlone) {
  EXPECT_TRUE(CheckClassFile("labels.txt").ok());
  for (const char* bad : {"", "../x", "/etc/passwd", ".hidden", "a/b"})
    EXPECT_FALSE(CheckClassFile(bad).ok()) << bad;
}

}  // namespace
}  // namespace snug::repository
