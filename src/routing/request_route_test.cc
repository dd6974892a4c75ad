#include "routing/request_route.h"

#include <gtest/gtest.h>

namespace snug::routing {
namespace {

using Kind = PathRoute::Kind;
using State = NamePeeker::State;

ModelRef Rest(std::string_view path) {
  PathRoute route = RoutePath(path, false);
  EXPECT_EQ(route.kind, Kind::kModel) << path << ": " << route.refusal.text;
  return route.model;
}

Refusal RefusedRest(std::string_view path) {
  PathRoute route = RoutePath(path, false);
  EXPECT_EQ(route.kind, Kind::kRefuse) << path;
  return route.refusal;
}

TEST(RoutePath, RestPathsNameTheModel) {
  struct {
    const char* path;
    ModelRef model;
  } cases[] = {
      {"/v2/models/ocr/infer", {"ocr", ""}},
      {"/v2/models/ocr", {"ocr", ""}},
      {"/v2/models/ocr?x=/versions/3", {"ocr", ""}},
      {"/v2/models/ocr/versions/3/infer", {"ocr", "3"}},
      {"/v2/models/ocr/versions/00000003/infer", {"ocr", "3"}},
      {"/v2/models/ocr/versions/stable/ready", {"ocr", "stable"}},
      {"/v1/predict/ocr", {"ocr", ""}},
      {"/v1/predict/ocr/versions/12", {"ocr", "12"}},
      {"/v1/models/ocr:predict", {"ocr", ""}},
      {"/v1/models/ocr/versions/3:predict", {"ocr", "3"}},
      {"/v1/models/ocr/labels/stable:predict", {"ocr", "stable"}},
      {"/v1/models/ocr/versions/0:predict", {"ocr", ""}},
      {"/v2/models/o%63r%2Dx/infer", {"ocr-x", ""}},
  };
  for (const auto& c : cases) EXPECT_EQ(Rest(c.path), c.model) << c.path;
}

TEST(RoutePath, BadRestPathsAreExplained) {
  EXPECT_EQ(RefusedRest("/v2/models//infer").http_status, 400);
  EXPECT_EQ(RefusedRest("/v2/models/a%2Fb/infer").text,
            "\"a/b\" is not a model's name: expected 1-128 characters of [A-Za-z0-9._-]");
  EXPECT_EQ(RefusedRest("/v2/models/a%0a%22/infer").text.substr(0, 7), "\"a??\" i");
  EXPECT_EQ(RefusedRest("/v2/models/a%2/infer").http_status, 400);
  EXPECT_EQ(RefusedRest("/v2/models/a%").http_status, 400);
  EXPECT_EQ(RefusedRest("/v2/models/a/versions/").http_status, 400);
  EXPECT_EQ(RefusedRest("/v2/models/a/versions/000/infer").text,
            "version 0 does not exist: versions begin with 1");
  EXPECT_EQ(RefusedRest("/v2/models/" + std::string(129, 'a')).http_status, 400);
  EXPECT_EQ(RefusedRest("/metrics").http_status, 404);
  EXPECT_EQ(RefusedRest("").http_status, 404);
}

TEST(RoutePath, ServerQuestionsAreAnsweredHere) {
  EXPECT_EQ(RoutePath("/v2/health/ready", false).kind, Kind::kAnswer);
  EXPECT_EQ(RoutePath("/v2/health/live?x", false).answer, "{}");
  EXPECT_EQ(RoutePath("/inference.GRPCInferenceService/ServerReady", true).answer, "\x08\x01");
  EXPECT_EQ(RoutePath("/inference.GRPCInferenceService/ServerMetadata", true).kind, Kind::kAnswer);
}

TEST(RoutePath, GrpcMethodsSayWhereTheNameIs) {
  EXPECT_EQ(RoutePath("/inference.GRPCInferenceService/ModelInfer", true).layout,
            MessageLayout::kNameVersion);
  EXPECT_EQ(RoutePath("/snug.v1.Prediction/Predict", true).layout, MessageLayout::kNameVersion);
  EXPECT_EQ(RoutePath("/tensorflow.serving.PredictionService/Predict", true).layout,
            MessageLayout::kModelSpec);
  EXPECT_EQ(RoutePath("/tensorflow.serving.PredictionService/MultiInference", true).layout,
            MessageLayout::kTask);
  for (const char* path : {"/inference.GRPCInferenceService/RepositoryModelLoad", "/snug.v1.Prediction/Other",
                           "/tensorflow.serving.SessionService/SessionRun", "/", "/v2/models/a/infer"}) {
    PathRoute route = RoutePath(path, true);
    EXPECT_EQ(route.kind, Kind::kRefuse) << path;
    EXPECT_EQ(route.refusal.grpc_code, 12) << path;
  }
}

std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}

std::string Field(int number, std::string_view content) {
  return Varint(static_cast<uint64_t>(number) << 3 | 2) + Varint(content.size()) + std::string(content);
}

std::string Frame(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message.size() >> shift);
  return out + std::string(message);
}

// What the peeker says to `body` when it comes in pieces of `step` bytes; `end` with the last.
std::string Peek(std::string_view body, size_t step, MessageLayout layout = MessageLayout::kNameVersion) {
  NamePeeker peeker(layout);
  for (size_t at = 0; at < body.size() || at == 0; at += step) {
    State state = peeker.Feed(body.substr(at, step), at + step >= body.size());
    if (state == State::kFound) return ClusterName(true, peeker.model());
    if (state == State::kRefused) return peeker.refusal().text;
  }
  return "undecided";
}

void ExpectPeek(const std::string& body, const std::string& expected,
                MessageLayout layout = MessageLayout::kNameVersion) {
  for (size_t step : {size_t{1}, size_t{2}, size_t{7}, size_t{4096}, body.size() + 1}) {
    EXPECT_EQ(Peek(body, step, layout), expected) << "in steps of " << step;
  }
}

TEST(NamePeeker, FindsNameAndVersion) {
  ExpectPeek(Frame(Field(1, "ocr")), "g/ocr");
  ExpectPeek(Frame(Field(1, "ocr") + Field(2, "007")), "g/ocr@7");
  ExpectPeek(Frame(Field(1, "ocr") + Field(2, "") + Field(5, "tensor")), "g/ocr");
  ExpectPeek(Frame(Field(2, "stable") + Field(1, "ocr")), "g/ocr@stable");
  ExpectPeek(Frame(Field(7, std::string(1000, 'x')) + Field(1, "ocr")), "g/ocr");
  ExpectPeek(Frame(Field(1, "a")) + Frame(Field(1, "b")), "g/a");
}

TEST(NamePeeker, DecidesAsSoonAsTheVersionCannotCome) {
  NamePeeker peeker(MessageLayout::kNameVersion);
  std::string frame = Frame(Field(1, "ocr") + Field(7, std::string(1 << 20, 'x')));
  EXPECT_EQ(peeker.Feed(std::string_view(frame).substr(0, 10), false), State::kNeedMore);
  EXPECT_EQ(peeker.Feed(std::string_view(frame).substr(10, 1), false), State::kFound);
  EXPECT_EQ(peeker.model(), (ModelRef{"ocr", ""}));
}

TEST(NamePeeker, ReadsModelSpecs) {
  constexpr auto kSpec = MessageLayout::kModelSpec;
  std::string version = Field(2, std::string("\x08") + Varint(300));
  ExpectPeek(Frame(Field(1, Field(1, "ocr") + Field(3, "serving_default")) + Field(2, "x")), "g/ocr", kSpec);
  ExpectPeek(Frame(Field(1, Field(1, "ocr") + version)), "g/ocr@300", kSpec);
  ExpectPeek(Frame(Field(1, Field(1, "ocr") + Field(4, "stable"))), "g/ocr@stable", kSpec);
  ExpectPeek(Frame(Field(2, "x") + Field(1, Field(1, "ocr"))), "g/ocr", kSpec);
  ExpectPeek(Frame(Field(1, Field(1, "ocr") + Field(2, std::string("\x08\0", 2)))), "g/ocr", kSpec);
  ExpectPeek(Frame(Field(1, Field(1, Field(1, "ocr") + version) + Field(2, "classify")) + Field(2, "x")),
             "g/ocr@300", MessageLayout::kTask);
}

TEST(NamePeeker, RefusalsSayWhatIsWrong) {
  ExpectPeek("", "the request ends before its message does");
  ExpectPeek(Frame(Field(1, "ocr")).substr(0, 9), "the request ends before its message does");
  ExpectPeek(Frame(""), "the request names no model: its model name is empty");
  ExpectPeek(Frame(Field(1, "")), "the request names no model: its model name is empty");
  ExpectPeek(Frame(Field(1, "a/b")),
             "\"a/b\" is not a model's name: expected 1-128 characters of [A-Za-z0-9._-]");
  ExpectPeek(Frame(Field(1, "a") + Field(2, "-/")),
             "\"-/\" is not a version or a label: expected 1-128 characters of [A-Za-z0-9._-]");
  std::string malformed =
      "the request is not the protobuf message that its method takes: no model name can be read from its "
      "beginning";
  ExpectPeek(Frame("\x0b"), malformed);                   // a group
  ExpectPeek(Frame(std::string(1, '\0')), malformed);     // field 0
  ExpectPeek(Frame(std::string(11, '\xff')), malformed);  // an endless varint
  ExpectPeek(Frame("\x0a\x05"
                   "abc"),
             malformed);  // longer than the message
  std::string compressed = Frame(Field(1, "ocr"));
  compressed[0] = 1;
  EXPECT_NE(Peek(compressed, 3).find("compressed"), std::string::npos);
}

TEST(NamePeeker, LooksAtABoundedPrefix) {
  std::string far = Frame(Field(7, std::string(kPeekBytesMax, 'x')) + Field(1, "ocr"));
  std::string expected =
      "no model name in the first 65536 bytes of the request: write the name (field 1) before the tensors or "
      "the "
      "payload";
  EXPECT_EQ(Peek(far, far.size()), expected);
  EXPECT_EQ(Peek(far, 1000), expected);
}

TEST(LocalReplies, GetTheCodeTheyMean) {
  EXPECT_EQ(GrpcCodeOfLocalReply("cluster_not_found"), 5);
  EXPECT_EQ(GrpcCodeOfLocalReply("upstream_reset_before_response_started{overflow}"), 8);
  EXPECT_EQ(GrpcCodeOfLocalReply("request_payload_too_large"), 8);
  EXPECT_EQ(GrpcCodeOfLocalReply("no_healthy_upstream"), -1);
  EXPECT_EQ(GrpcCodeOfLocalReply("snug_refused"), -1);
}

TEST(Names, OfClustersAndForPeople) {
  EXPECT_EQ(ClusterName(true, {"ocr", ""}), "g/ocr");
  EXPECT_EQ(ClusterName(false, {"ocr", "3"}), "r/ocr@3");
  EXPECT_EQ(Describe({"ocr", "3"}), "model \"ocr\" version \"3\"");
}

}  // namespace
}  // namespace snug::routing
