#include "os/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace snug::os {
namespace {

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/files_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { EXPECT_TRUE(RemoveTree(dir_).ok()); }
  void Put(const std::string& path, std::string_view content) {
    ASSERT_TRUE(MakeDirs((dir_ + "/" + path).substr(0, (dir_ + "/" + path).rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomic(dir_ + "/" + path, content).ok());
  }
  std::string dir_;
};

TEST_F(FilesTest, WritesReplaceWhole) {
  std::string path = dir_ + "/a";
  ASSERT_TRUE(WriteFileAtomic(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomic(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  EXPECT_EQ(ListDir(dir_)->size(), 1u);
  EXPECT_EQ(ReadFile(path, 2).status().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadFile(dir_ + "/none").status().code(), Code::kNotFound);
}

TEST_F(FilesTest, TailsTheLastLines) {
  std::string path = dir_ + "/log";
  ASSERT_TRUE(WriteFileAtomic(path, "a\nb\nc\n").ok());
  EXPECT_EQ(*TailFile(path, 2), "b\nc\n");
  EXPECT_EQ(*TailFile(path, 9), "a\nb\nc\n");
  EXPECT_EQ(*TailFile(path, 9, 3), "\nc\n");
}

TEST_F(FilesTest, SymlinksAreReplaced) {
  ASSERT_TRUE(SymlinkAtomic("one", dir_ + "/link").ok());
  ASSERT_TRUE(SymlinkAtomic("two", dir_ + "/link").ok());
  char target[8] = {};
  EXPECT_EQ(::readlink((dir_ + "/link").c_str(), target, sizeof target), 3);
  EXPECT_STREQ(target, "two");
}

}  // namespace
}  // namespace snug::os
