#include "server/shared_memory.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "os/files.h"
#include "repository/test_dir.h"
#include "server/infer_extras.h"

namespace snug::server {
namespace {

using testing::HasSubstr;

class SharedMemoryTest : public testing::Test {
 protected:
  SharedMemoryTest() {
    regions_.Allow(1000);
    dir_.Write("memory", "0123456789");
  }
  repository::TestDir dir_;
  SharedRegions regions_{dir_.path()};
};

std::string Text(const Buffer& buffer) {
  return {static_cast<const char*>(buffer.data()), buffer.size()};
}

TEST_F(SharedMemoryTest, ReadsAndWritesInsideItsRegion) {
  ASSERT_TRUE(regions_.Register({"r", "/memory", 2, 6}).ok());
  EXPECT_EQ(Text(*regions_.Read({"r", 1, 3})), "345");
  char letters[] = "abc";
  ASSERT_TRUE(regions_.Write({"r", 3, 3}, Buffer::Borrow(letters, 3, nullptr)).ok());
  EXPECT_EQ(*os::ReadFile(dir_ / "memory"), "01234abc89");
  for (const SharedPlace& place : {SharedPlace{"r", 0, 7}, SharedPlace{"r", 7, 0}, SharedPlace{"r", 4, 3},
                                   SharedPlace{"r", UINT64_MAX, 2}, SharedPlace{"r", 2, UINT64_MAX}}) {
    EXPECT_EQ(regions_.Read(place).status().code(), Code::kInvalidArgument) << place.offset;
    EXPECT_FALSE(regions_.Write(place, Buffer::Borrow(letters, 1, nullptr)).ok());
  }
  EXPECT_THAT(regions_.Read({"q", 0, 1}).status().text(), HasSubstr("Unable to find"));
}

TEST_F(SharedMemoryTest, WhatMayBeRegistered) {
  ASSERT_EQ(::symlink((dir_ / "memory").c_str(), (dir_ / "link").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  dir_.MakeDir("folder");
  struct {
    SharedRegion region;
    Code code;
    const char* text;
  } cases[] = {{{"", "/memory", 0, 1}, Code::kInvalidArgument, "name"},
               {{std::string(kRegionNameCharsMax + 1, 'n'), "/memory", 0, 1}, Code::kInvalidArgument, "name"},
               {{"r", "/memory", 0, 0}, Code::kInvalidArgument, "above 0"},
               {{"r", "/memory", 0, 11}, Code::kInvalidArgument, "not inside"},
               {{"r", "/memory", 10, 1}, Code::kInvalidArgument, "not inside"},
               {{"r", "/memory", UINT64_MAX, 2}, Code::kInvalidArgument, "not inside"},
               {{"r", "/nothing", 0, 1}, Code::kInvalidArgument, "Unable to open shared memory region"},
               {{"r", "/../memory", 0, 1}, Code::kInvalidArgument, "without a further"},
               {{"r", "/..", 0, 1}, Code::kInvalidArgument, "expected a name"},
               {{"r", "/", 0, 1}, Code::kInvalidArgument, "expected a name"},
               {{"r", std::string("/memory\0", 8), 0, 1}, Code::kInvalidArgument, "expected a name"},
               {{"r", "/" + std::string(300, 'k'), 0, 1}, Code::kInvalidArgument, "expected a name"},
               {{"r", "/link", 0, 1}, Code::kInvalidArgument, "Unable to open"},
               {{"r", "/pipe", 0, 1}, Code::kInvalidArgument, "no shared memory"},
               {{"r", "/folder", 0, 1}, Code::kInvalidArgument, "Unable to open"}};
  for (const auto& c : cases) {
    Status status = regions_.Register(c.region);
    EXPECT_EQ(status.code(), c.code) << c.region.key;
    EXPECT_THAT(status.text(), HasSubstr(c.text));
  }
  EXPECT_TRUE(regions_.List("")->empty());
  SharedRegions closed(dir_.path());
  EXPECT_THAT(closed.Register({"r", "/memory", 0, 1}).text(), HasSubstr("--client-shared-memory"));
}

TEST_F(SharedMemoryTest, NamesAreKeptApartAndBounded) {
  ASSERT_TRUE(regions_.Register({"a", "memory", 0, 1}).ok());
  EXPECT_EQ(regions_.Register({"a", "/memory", 0, 2}).code(), Code::kAlreadyExists);
  EXPECT_EQ(regions_.List("a")->at(0).bytes, 1u);
  EXPECT_EQ(regions_.List("b").status().code(), Code::kNotFound);
  for (size_t i = 1; i < kRegionsMax; ++i)
    ASSERT_TRUE(regions_.Register({std::to_string(i), "/memory", 0, 1}).ok());
  EXPECT_EQ(regions_.Register({"more", "/memory", 0, 1}).code(), Code::kResourceExhausted);
  regions_.Unregister("a");
  regions_.Unregister("never was");
  EXPECT_EQ(regions_.List("")->size(), kRegionsMax - 1);
  regions_.Unregister("");
  EXPECT_TRUE(regions_.List("")->empty());
}

TEST_F(SharedMemoryTest, MemoryThatShrinksIsAnErrorOfTheRequest) {
  ASSERT_TRUE(regions_.Register({"r", "/memory", 0, 10}).ok());
  ASSERT_EQ(::truncate((dir_ / "memory").c_str(), 4), 0);
  EXPECT_THAT(regions_.Read({"r", 0, 10}).status().text(), HasSubstr("has become smaller"));
  EXPECT_EQ(Text(*regions_.Read({"r", 0, 4})), "0123");
}

TEST_F(SharedMemoryTest, InputsOfARequestAreBoundedTogether) {
  ASSERT_TRUE(regions_.Register({"r", "/memory", 0, 10}).ok());
  std::vector<Tensor> inputs(2);
  InferExtras extras;
  extras.inputs = {{1, {"r", 0, 4}}};
  ASSERT_TRUE(ReadSharedInputs(regions_, extras, inputs).ok());
  EXPECT_EQ(Text(inputs[1].buffer), "0123");
  extras.inputs = {{0, {"r", 0, 600}}, {1, {"r", 0, 600}}};
  EXPECT_THAT(ReadSharedInputs(regions_, extras, inputs).text(), HasSubstr("more than 1000 bytes"));
  extras.inputs = {{0, {"r", 0, UINT64_MAX}}, {1, {"r", 0, UINT64_MAX}}};
  EXPECT_THAT(ReadSharedInputs(regions_, extras, inputs).text(), HasSubstr("more than 1000 bytes"));
}

}  // namespace
}  // namespace snug::server
