#include "parsers/parser_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parser.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "os/shared_library.h"
#include "parsers/plugin.h"

namespace snug::parsers {
namespace {

using testing::Contains;
using testing::HasSubstr;

const std::string kTestPlugins = SNUG_TEST_PLUGIN_DIR "/test";

ParserRequest Request(std::string options = "{}") {
  ParserRequest request;
  request.parser = "faulty";
  request.model_name = "m";
  request.directory = "/nowhere";
  request.options_json = std::move(options);
  request.inputs = {{"x", DType::kUint8, {-1}}};
  request.outputs = {{"y", DType::kUint8, {-1}}};
  request.tensor_bytes_max = 1000;
  return request;
}

std::string Mode(const std::string& mode) {
  return "{\"mode\":\"" + mode + "\"}";
}

class ParserHostTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Parser>> Make(const ParserRequest& request) { return host_->CreateParser(request); }
  int LiveRequests() {
    auto library = os::SharedLibrary::Open(kTestPlugins + "/faulty_parser.so");
    return reinterpret_cast<int (*)()>((*library)->Symbol("faulty_live_requests"))();
  }
  std::unique_ptr<ParserHost> host_ = ParserHost::Create({"/nowhere", kTestPlugins});
};

TEST_F(ParserHostTest, PayloadToTensorsToAnswer) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok()) << parser.status().ToString();
  std::map<std::string, std::string> parameters{{"k", "v"}};
  auto parsed = (*parser)->Parse({"text/plain", "abc", &parameters});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  ASSERT_EQ((*parsed)->inputs().size(), 1u);
  const Tensor& x = (*parsed)->inputs()[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.shape, Shape{3});
  EXPECT_EQ(std::string_view(static_cast<const char*>(x.buffer.data()), x.buffer.size()), "abc");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(x.buffer.data()) % 64, 0u);

  const char y[] = "answer";
  std::vector<TensorView> outputs{{"y", DType::kUint8, {6}, y, 6}};
  auto answer = (*parsed)->Format(outputs);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(answer->data, "answer");
}

TEST_F(ParserHostTest, RequestOutlivesItsParser) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok());
  auto parsed = (*parser)->Parse({"", "abc"});
  ASSERT_TRUE(parsed.ok());
  (*parser).reset();
  host_.reset();
  std::vector<TensorView> outputs{{"y", DType::kUint8, {1}, "z", 1}};
  EXPECT_EQ((*parsed)->Format(outputs)->data, "z");
}

TEST_F(ParserHostTest, EndsEachRequestOnce) {
  auto parser = Make(Request());
  auto failing = Make(Request(Mode("parse_fails")));
  ASSERT_TRUE(parser.ok() && failing.ok());
  const int before = LiveRequests();
  {
    auto parsed = (*parser)->Parse({"", "abc"});
    EXPECT_EQ(LiveRequests(), before + 1);
  }
  EXPECT_EQ(LiveRequests(), before);
  EXPECT_FALSE((*failing)->Parse({"", "abc"}).ok());
  EXPECT_EQ(LiveRequests(), before);
}

TEST_F(ParserHostTest, NotFoundListsTheParsersThereAre) {
  EXPECT_THAT(host_->Parsers(), Contains("faulty"));
  for (const char* name : {"none", "", "../faulty", "/etc/passwd", "faulty_parser.so"}) {
    ParserRequest request = Request();
    request.parser = name;
    auto parser = Make(request);
    EXPECT_EQ(parser.status().code(), Code::kNotFound) << name;
    EXPECT_THAT(parser.status().text(), HasSubstr("faulty"));
  }
}

struct Fault {
  const char* mode;
  Code code;
  const char* text;
};

TEST_F(ParserHostTest, FaultsInCreate) {
  const Fault rows[] = {
      {"create_fails", Code::kFailedPrecondition, "the model has no labels"},
      {"create_throws", Code::kInternal, "parser \"faulty\": create threw: create"},
      {"create_nothing", Code::kFailedPrecondition, "made no parser"},
  };
  for (const Fault& row : rows) {
    auto parser = Make(Request(Mode(row.mode)));
    ASSERT_FALSE(parser.ok()) << row.mode;
    EXPECT_EQ(parser.status().code(), row.code) << row.mode;
    EXPECT_THAT(parser.status().text(), HasSubstr(row.text));
  }
}

TEST_F(ParserHostTest, FaultsInParse) {
  const Fault rows[] = {
      {"parse_fails", Code::kInvalidArgument, "expected a poem"},
      {"parse_no_text", Code::kInternal, "failed without saying why"},
      {"parse_bad_code", Code::kInternal, "returned 77, which is no code"},
      {"parse_bad_text", Code::kInvalidArgument, "????"},
      {"parse_throws", Code::kInternal, "parse threw: out of poems"},
      {"parse_throws_int", Code::kInternal, "parse threw"},
      {"parse_nothing", Code::kInternal, "parse gave no input \"x\""},
      {"bad_index", Code::kInternal, "it asked for input 1, the model has 1"},
      {"bad_rank", Code::kInvalidArgument, "makes input \"x\" of shape [3,1], the model expects [-1]"},
      {"huge_rank", Code::kInternal, "rank 1000000"},
      {"negative_rank", Code::kInternal, "rank -1"},
      {"null_dims", Code::kInternal, "no dimensions"},
      {"negative_dim", Code::kInvalidArgument, "shape [-1]"},
      {"bad_bytes", Code::kInternal, "it asked for 4 bytes for input \"x\", UINT8 [3] needs 3"},
      {"huge", Code::kInvalidArgument, "the inputs of a request may take 1000"},
      {"twice", Code::kInternal, "it allocated input \"x\" twice"},
  };
  for (const Fault& row : rows) {
    auto parser = Make(Request(Mode(row.mode)));
    ASSERT_TRUE(parser.ok()) << row.mode << parser.status().ToString();
    auto parsed = (*parser)->Parse({"", "abc"});
    ASSERT_FALSE(parsed.ok()) << row.mode;
    EXPECT_EQ(parsed.status().code(), row.code) << row.mode;
    EXPECT_THAT(parsed.status().text(), HasSubstr(row.text));
  }
}

TEST_F(ParserHostTest, FaultsInFormat) {
  const Fault rows[] = {
      {"format_fails", Code::kDataLoss, "the output is noise"},
      {"format_throws", Code::kInternal, "format threw: format"},
      {"format_nothing", Code::kInternal, "format gave no answer"},
      {"format_huge", Code::kResourceExhausted, "at most 67108864 are sent"},
      {"format_bad_type", Code::kInternal, "printable ASCII"},
      {"format_null_type", Code::kInternal, "printable ASCII"},
      {"format_twice", Code::kInternal, "format allocated two answers"},
  };
  std::vector<TensorView> outputs{{"y", DType::kUint8, {1}, "z", 1}};
  for (const Fault& row : rows) {
    auto parser = Make(Request(Mode(row.mode)));
    ASSERT_TRUE(parser.ok()) << row.mode;
    auto parsed = (*parser)->Parse({"", "abc"});
    ASSERT_TRUE(parsed.ok()) << row.mode << parsed.status().ToString();
    auto answer = (*parsed)->Format(outputs);
    ASSERT_FALSE(answer.ok()) << row.mode;
    EXPECT_EQ(answer.status().code(), row.code) << row.mode;
    EXPECT_THAT(answer.status().text(), HasSubstr(row.text));
  }
}

TEST_F(ParserHostTest, WhatThrowsAtTheEndIsDropped) {
  for (const char* mode : {"destroy_throws", "end_throws"}) {
    auto parser = Make(Request(Mode(mode)));
    ASSERT_TRUE(parser.ok());
    EXPECT_TRUE((*parser)->Parse({"", "abc"}).ok());
  }
}

TEST_F(ParserHostTest, GivesThePlugInOnlyOutputsOfTheModel) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok());
  auto parsed = (*parser)->Parse({"", "abc"});
  ASSERT_TRUE(parsed.ok());
  auto text = [&](std::vector<TensorView> outputs) { return (*parsed)->Format(outputs).status().text(); };
  EXPECT_THAT(text({}), HasSubstr("expected 1 outputs, got 0"));
  EXPECT_THAT(text({{"y", DType::kInt8, {1}, "z", 1}}), HasSubstr("expected UINT8 [-1], got INT8 [1]"));
  EXPECT_THAT(text({{"y", DType::kUint8, {1, 1}, "z", 1}}), HasSubstr("got UINT8 [1,1]"));
  EXPECT_THAT(text({{"y", DType::kUint8, {2}, "z", 1}}), HasSubstr("needs 2 bytes, got 1"));
}

TEST_F(ParserHostTest, RefusesTextsThatCStringsCannotHold) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok());
  std::map<std::string, std::string> nul{{"k", std::string("a\0b", 3)}};
  EXPECT_THAT((*parser)->Parse({"", "abc", &nul}).status().text(),
              HasSubstr("parameter \"k\" holds a NUL byte"));
  EXPECT_FALSE((*parser)->Parse({std::string_view("a\0b", 3), "abc"}).ok());
  std::map<std::string, std::string> many;
  for (size_t i = 0; i <= kParametersMax; ++i) many[std::to_string(i)] = "v";
  EXPECT_THAT((*parser)->Parse({"", "abc", &many}).status().text(), HasSubstr("at most 64 are taken"));
}

TEST_F(ParserHostTest, BytesInputsAreWalked) {
  ParserRequest request = Request();
  request.inputs = {{"x", DType::kBytes, {-1}}};
  auto parser = Make(request);
  ASSERT_TRUE(parser.ok());
  auto parsed = (*parser)->Parse({"", std::string_view("\x01\0\0\0a", 5)});
  EXPECT_EQ(parsed.status().code(), Code::kInternal);
  EXPECT_THAT(parsed.status().text(), HasSubstr("parse gave a broken tensor \"x\""));
}

TEST_F(ParserHostTest, ManyThreadsShareAParser) {
  auto parser = Make(Request());
  ASSERT_TRUE(parser.ok());
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        auto parsed = (*parser)->Parse({"", "abc"});
        right += parsed.ok() && (*parsed)->inputs()[0].shape == Shape{3} ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

// ---- the handshake

snug_code Create(const snug_parser_config*, snug_parser**, snug_error*) {
  return SNUG_OK;
}
void Destroy(snug_parser*) {}
snug_code Parse(snug_parser*, const snug_payload*, const snug_input_sink*, snug_request**, snug_error*) {
  return SNUG_OK;
}
snug_code Format(snug_parser*, snug_request*, const snug_tensor*, uint32_t, const snug_answer_sink*,
                 snug_error*) {
  return SNUG_OK;
}
snug_parser_api GoodTable() {
  return {
      sizeof(snug_parser_api), SNUG_PARSER_ABI_VERSION, "x", "1", Create, Destroy, Parse, Format, nullptr};
}
snug_parser_api table;
const snug_parser_api* GiveTable(uint32_t) {
  return &table;
}

Status HandshakeWith(void (*change)(snug_parser_api&)) {
  table = GoodTable();
  change(table);
  auto plugin = Plugin::FromEntry("x.so", GiveTable);
  return plugin.ok() ? Status() : plugin.status();
}

TEST(Handshake, ChecksVersionSizeAndFunctions) {
  EXPECT_TRUE(HandshakeWith([](snug_parser_api&) {}).ok());
  EXPECT_THAT(HandshakeWith([](snug_parser_api& t) { t.abi_version = 2; }).text(),
              HasSubstr("built for version 2 of the parser contract, this host for 1"));
  EXPECT_THAT(HandshakeWith([](snug_parser_api& t) { t.struct_size = 8; }).text(),
              HasSubstr("its table says 8 bytes"));
  EXPECT_THAT(HandshakeWith([](snug_parser_api& t) { t.parse = nullptr; }).text(),
              HasSubstr("lacks the function parse"));
  EXPECT_THAT(HandshakeWith([](snug_parser_api& t) { t.destroy = nullptr; }).text(),
              HasSubstr("lacks the function destroy"));
}

TEST(Handshake, ToleratesOlderAndNewerTables) {
  table = GoodTable();
  table.struct_size = offsetof(snug_parser_api, end_request);
  table.end_request =
      reinterpret_cast<void (*)(snug_parser*, snug_request*)>(0x1);  // beyond the size: never read
  auto older = Plugin::FromEntry("x.so", GiveTable);
  ASSERT_TRUE(older.ok());
  EXPECT_EQ((*older)->api().end_request, nullptr);
  EXPECT_TRUE(HandshakeWith([](snug_parser_api& t) { t.struct_size += 64; }).ok());
}

TEST(Handshake, EntryThatRefusesOrThrows) {
  auto refused = Plugin::FromEntry("x.so", [](uint32_t) -> const snug_parser_api* { return nullptr; });
  EXPECT_THAT(refused.status().text(), HasSubstr("does not serve version 1"));
  auto threw =
      Plugin::FromEntry("x.so", [](uint32_t) -> const snug_parser_api* { throw std::runtime_error("no"); });
  EXPECT_THAT(threw.status().text(), HasSubstr("snug_parser_get_api threw: no"));
}

TEST(Handshake, FilesThatAreNoParsers) {
  auto no_entry = Plugin::Open(kTestPlugins + "/no_entry_parser.so");
  EXPECT_EQ(no_entry.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(no_entry.status().text(), HasSubstr("does not export snug_parser_get_api(): is it a parser?"));
  auto text = Plugin::Open(SNUG_TEST_SOURCE_DIR "/README.md");
  EXPECT_EQ(text.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(text.status().text(), HasSubstr("cannot be loaded"));
}

}  // namespace
}  // namespace snug::parsers
