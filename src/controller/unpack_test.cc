#include "controller/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "controller/test_tar.h"
#include "os/files.h"

namespace snug::controller {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "storeXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    store_ = Store(root_ + "/store");
    ASSERT_TRUE(store_.Sweep({}).ok());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  Result<Upload> Unpack(const std::vector<TarEntry>& entries, UploadLimits limits = {}) {
    std::string path = root_ + "/upload.tar";
    WriteTar(path, entries);
    return store_.Unpack(path, limits);
  }
  size_t Incoming() { return os::ListDir(root_ + "/store/.incoming")->size(); }

  std::string root_;
  Store store_{""};
};

TEST_F(StoreTest, AnUploadIsUnpackedDigestedAndPutInItsPlace) {
  auto upload =
      Unpack({{"model.yaml", "engine: echo\n"}, {"saved_model.pb", "abc"}, {"variables/v", "12345"}});
  ASSERT_TRUE(upload.ok()) << upload.status().ToString();
  EXPECT_EQ(upload->model_yaml, "engine: echo\n");
  EXPECT_EQ(upload->files, 2);
  EXPECT_EQ(upload->bytes, 8u);
  EXPECT_TRUE(upload->digest.starts_with("sha256:"));
  ASSERT_TRUE(store_.Put(*upload, "ocr", 3).ok());
  EXPECT_EQ(*os::ReadFile(root_ + "/store/ocr/3/variables/v"), "12345");
  EXPECT_EQ(Incoming(), 0u);
  ASSERT_TRUE(store_.Remove("ocr", 3).ok());
  EXPECT_FALSE(os::Exists(root_ + "/store/ocr"));
}

TEST_F(StoreTest, DirectoriesAroundEverythingAreTakenOff) {
  auto bare = Unpack({{"saved_model.pb", "abc"}});
  auto wrapped = Unpack({{"./my_model/1/saved_model.pb", "abc"}});
  auto with_yaml = Unpack({{"my_model/model.yaml", "engine: echo\n"}, {"my_model/1/saved_model.pb", "abc"}});
  ASSERT_TRUE(bare.ok() && wrapped.ok() && with_yaml.ok());
  EXPECT_EQ(bare->digest, wrapped->digest);
  EXPECT_EQ(bare->digest, with_yaml->digest);
  EXPECT_EQ(with_yaml->model_yaml, "engine: echo\n");
}

TEST_F(StoreTest, NothingEscapes) {
  struct Case {
    TarEntry entry;
    const char* says;
  };
  for (const Case& c :
       {Case{{"../evil", "x"}, "\"..\""}, Case{{"a/../../evil", "x"}, "\"..\""},
        Case{{"/etc/evil", "x"}, "absolute"}, Case{{"link", "", AE_IFLNK, "/etc/passwd"}, "link"},
        Case{{"device", "", AE_IFCHR}, "device"}, Case{{"pipe", "", AE_IFIFO}, "device"},
        Case{{"hard", "", AE_IFREG, "", "model.onnx"}, "link"}}) {
    auto upload = Unpack({{"model.onnx", "m"}, c.entry});
    ASSERT_FALSE(upload.ok()) << c.entry.path;
    EXPECT_EQ(upload.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(upload.status().text(), HasSubstr(c.says));
    EXPECT_EQ(Incoming(), 0u) << "nothing is left behind";
  }
  EXPECT_FALSE(os::Exists(root_ + "/store/evil"));
}

TEST_F(StoreTest, AFileUnderAFileOrTwiceIsRefused) {
  EXPECT_FALSE(Unpack({{"a", "x"}, {"a", "y"}}).ok());
  EXPECT_FALSE(Unpack({{"a", "x"}, {"a/b", "y"}}).ok());
}

TEST_F(StoreTest, LimitsHold) {
  EXPECT_EQ(Unpack({{"a", std::string(1000, 'x')}}, {.bytes_max = 999}).status().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(Unpack({{"a", ""}, {"b", ""}, {"c", ""}}, {.files_max = 2}).status().code(),
            Code::kResourceExhausted);
  EXPECT_FALSE(Unpack({{"a/b/c/d", ""}}, {.depth_max = 3}).ok());
  EXPECT_FALSE(Unpack({}).ok()) << "empty";
  EXPECT_FALSE(Unpack({{"model.yaml", "engine: echo\n"}}).ok()) << "no files of a model";
}

TEST_F(StoreTest, WhatIsNoTarOrCutShortIsRefused) {
  std::string path = root_ + "/upload.tar";
  for (const std::string& text : {std::string("hello"), std::string(), std::string(100000, 'x')}) {
    std::ofstream(path) << text;
    auto upload = store_.Unpack(path, {});
    ASSERT_FALSE(upload.ok());
    EXPECT_EQ(upload.status().code(), Code::kInvalidArgument);
  }
  WriteTar(path, {{"a", std::string(100000, 'x')}});
  std::filesystem::resize_file(path, 50000);
  EXPECT_THAT(store_.Unpack(path, {}).status().text(), HasSubstr("not a whole tar"));
  EXPECT_EQ(Incoming(), 0u);
}

TEST_F(StoreTest, TheSweepKeepsWhatHasARow) {
  for (int version : {1, 2}) {
    auto upload = Unpack({{"m.onnx", "m"}});
    ASSERT_TRUE(store_.Put(*upload, "ocr", version).ok());
  }
  auto abandoned = Unpack({{"m.onnx", "m"}});
  ASSERT_TRUE(store_.Sweep({{"ocr", 2}}).ok());
  EXPECT_FALSE(os::Exists(root_ + "/store/ocr/1"));
  EXPECT_TRUE(os::Exists(root_ + "/store/ocr/2/m.onnx"));
  EXPECT_EQ(Incoming(), 0u);
}

TEST(CheckEntryPath, Cleans) {
  EXPECT_EQ(*CheckEntryPath("./a//b/", 16), "a/b");
  EXPECT_EQ(*CheckEntryPath("./", 16), "");
  EXPECT_FALSE(CheckEntryPath(std::string(300, 'x'), 16).ok());
  EXPECT_FALSE(CheckEntryPath("..", 16).ok());
}

}  // namespace
}  // namespace snug::controller
