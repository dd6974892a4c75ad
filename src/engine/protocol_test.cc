// The pieces of the protocol between host and engine process: frames, commands, channels, regions, back-off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/backoff.h"
#include "engine/channel.h"
#include "engine/checks.h"
#include "engine/commands.h"
#include "engine/frames.h"
#include "engine/options.h"
#include "engine/shared_memory.h"

namespace snug::engine {
namespace {

using testing::HasSubstr;

class FrameTest : public testing::Test {
 protected:
  Result<Frame> RoundTrip(const Frame& frame) { return DecodeFrame(EncodeFrame(frame, buffer_)); }
  std::vector<std::byte> buffer_{kFrameBytesMax};
};

TEST_F(FrameTest, RequestRoundTrips) {
  Frame frame;
  frame.new_input_region = true;
  frame.slot = 3;
  frame.tensors = {{1, DType::kFp32, {2, 4}, 0, 32}, {1, DType::kInt64, {}, 64, 8}};
  frame.wanted = {1, 0, 1};
  auto back = RoundTrip(frame);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->kind, FrameKind::kExecute);
  EXPECT_TRUE(back->new_input_region);
  EXPECT_FALSE(back->new_output_region);
  EXPECT_EQ(back->slot, 3u);
  EXPECT_EQ(back->tensors, frame.tensors);
  EXPECT_EQ(back->wanted, frame.wanted);
}

TEST_F(FrameTest, LargestFrameFits) {
  Frame frame;
  frame.tensors.assign(SNUG_MAX_TENSORS, {1, DType::kFp32, Shape(SNUG_MAX_RANK, 1), 0, 4});
  frame.wanted.assign(SNUG_MAX_TENSORS, 1);
  EXPECT_TRUE(RoundTrip(frame).ok());
}

TEST_F(FrameTest, ErrorsRoundTripAndLongTextsAreCut) {
  Frame frame;
  frame.kind = FrameKind::kError;
  frame.error = Status(Code::kNotFound, std::string(5000, 'x'));
  auto back = RoundTrip(frame);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->error.code(), Code::kNotFound);
  EXPECT_EQ(back->error.text().size(), size_t{SNUG_ERROR_TEXT_BYTES});
}

TEST_F(FrameTest, RefusesWhatIsNotAFrame) {
  Frame frame;
  frame.tensors = {{1, DType::kFp32, {2, 4}, 0, 32}};
  auto bytes = EncodeFrame(frame, buffer_);
  EXPECT_FALSE(DecodeFrame(bytes.first(bytes.size() - 1)).ok());
  EXPECT_FALSE(DecodeFrame(bytes.first(3)).ok());
  EXPECT_FALSE(DecodeFrame({}).ok());
  buffer_[0] = std::byte{0};
  EXPECT_THAT(DecodeFrame(bytes).status().text(), HasSubstr("not one of ours"));
  frame.kind = FrameKind::kError;  // without an error
  EXPECT_FALSE(RoundTrip(frame).ok());
}

TEST(CommandsTest, RoundTrip) {
  LoadCommand load{"/p/echo.so", "/m/ocr/3", "{\"a\":1}", "/cache", 4, 1 << 20};
  auto command = DecodeCommand(EncodeLoad(load));
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->kind, Command::Kind::kLoad);
  EXPECT_EQ(command->load.plugin, load.plugin);
  EXPECT_EQ(command->load.options_json, load.options_json);
  EXPECT_EQ(command->load.threads, 4);
  auto create = DecodeCommand(EncodeCreateInstance("upper"));
  EXPECT_EQ(create->kind, Command::Kind::kCreateInstance);
  EXPECT_EQ(create->signature, "upper");
  for (bool idle : {false, true}) {
    auto trim = DecodeCommand(EncodeTrim(idle));
    EXPECT_EQ(trim->kind, Command::Kind::kTrim);
    EXPECT_EQ(trim->idle, idle);
  }

  ModelInfo info{{{"x", DType::kFp32, {-1, 4}}}, {{"y", DType::kBytes, {}}}, 42, false, 2, "echo"};
  auto back = DecodeInfo(EncodeInfo(info));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->inputs, info.inputs);
  EXPECT_EQ(back->outputs, info.outputs);
  EXPECT_EQ(back->memory_bytes, 42u);
  EXPECT_TRUE(DecodeStatus(EncodeStatus({})).ok());
  EXPECT_EQ(DecodeStatus(EncodeStatus(NotFound("gone"))).ToString(), "NOT_FOUND: gone");
  EXPECT_EQ(DecodeInfo(EncodeStatus(NotFound("gone"))).status().ToString(), "NOT_FOUND: gone");
}

TEST(CommandsTest, RefusesWhatIsNotACommand) {
  for (const char* text :
       {"", "{", "[]", "{\"command\":7}", "{\"command\":\"quit\"}", "{\"command\":\"load\"}"}) {
    EXPECT_EQ(DecodeCommand(text).status().code(), Code::kInternal) << text;
  }
  EXPECT_EQ(DecodeStatus("{\"code\":99,\"text\":\"\"}").code(), Code::kInternal);
  EXPECT_FALSE(DecodeInfo("{\"code\":0}").ok());
  EXPECT_EQ(DecodeInfo("{\"code\":3.3e78}").status().code(), Code::kInternal);
}

TEST(ChannelTest, CarriesLongMessagesAndDescriptors) {
  auto pair = ControlPair();
  ASSERT_TRUE(pair.ok());
  auto memory = SharedMemory::Create(4096);
  ASSERT_TRUE(memory.ok());
  (*memory)->data()[7] = 'q';
  int fd = (*memory)->fd();
  ASSERT_TRUE(SendControl(pair->first.get(), std::string(50000, 'j'), {&fd, 1}).ok());
  auto message = ReceiveControl(pair->second.get());
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->json.size(), 50000u);
  ASSERT_EQ(message->fds.size(), 1u);
  auto theirs = SharedMemory::Map(std::move(message->fds[0]));
  ASSERT_TRUE(theirs.ok());
  EXPECT_EQ((*theirs)->data()[7], 'q');
  pair->first.Reset();
  EXPECT_EQ(ReceiveControl(pair->second.get()).status().code(), Code::kUnavailable);
  EXPECT_EQ(SendControl(pair->second.get(), "{}").code(), Code::kUnavailable);
}

TEST(ChannelTest, OversizedFramesAreRefused) {
  auto pair = InstancePair();
  std::vector<std::byte> large(4096);
  std::vector<std::byte> small(64);
  ASSERT_TRUE(SendFrame(pair->first.get(), large).ok());
  EXPECT_EQ(ReceiveFrame(pair->second.get(), small).status().code(), Code::kInternal);
}

TEST(SharedMemoryTest, CannotShrinkUnderItsReader) {
  auto memory = SharedMemory::Create(8192);
  EXPECT_NE(ftruncate((*memory)->fd(), 0), 0);
  os::UniqueFd loose(memfd_create("loose", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(loose.get(), 4096), 0);
  EXPECT_EQ(SharedMemory::Map(std::move(loose)).status().code(), Code::kFailedPrecondition);
  EXPECT_FALSE(SharedMemory::Map(os::UniqueFd(dup(0))).ok());
}

TEST(SharedMemoryTest, RegionsAreRoundedUpByAQuarterAtMost) {
  for (uint64_t needed : {0ull, 1ull, 65537ull, 184320ull, 1000000ull, 1ull << 30}) {
    uint64_t bytes = RegionBytes(needed);
    EXPECT_GE(bytes, needed);
    EXPECT_EQ(bytes % 4096, 0u);
    EXPECT_LE(bytes, std::max<uint64_t>(needed + needed / 4, 65536));
  }
}

TEST(BackoffTest, DoublesToItsLimitAndForgives) {
  Backoff backoff;
  EXPECT_EQ(backoff.Next({}), std::chrono::milliseconds(100));
  EXPECT_EQ(backoff.Next({}), std::chrono::milliseconds(200));
  for (int i = 0; i < 20; ++i) backoff.Next({});
  EXPECT_EQ(backoff.Next(std::chrono::seconds(59)), Backoff::kDelayMax);
  EXPECT_EQ(backoff.Next(std::chrono::seconds(61)), Backoff::kDelayMin);
}

TEST(ChecksTest, TextsAreCleaned) {
  EXPECT_EQ(CleanText("a\x01\xff\nb", 100), "a??\nb");
  EXPECT_EQ(CleanText("abcdef", 3), "abc");
  EXPECT_EQ(CleanText(nullptr, 3), "");
  EXPECT_TRUE(IsUtf8("gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80"));
  for (const char* bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xe4\xb8"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

TEST(OptionsTest, GrantsAreAdded) {
  EXPECT_EQ(*MergeOptions("{\"precision\":\"bf16\"}", 2, 3),
            R"({"instances":3,"precision":"bf16","threads":2})");
  EXPECT_EQ(*MergeOptions("", 1, 1), R"({"instances":1,"threads":1})");
  EXPECT_EQ(MergeOptions("{}", 0, 1).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace snug::engine
