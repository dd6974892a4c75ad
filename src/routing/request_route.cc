#include "routing/request_route.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace snug::routing {
namespace {

using State = NamePeeker::State;

// gRPC codes and their HTTP statuses; base/status.h is not linked into Envoy.
Refusal InvalidArgument(std::string text) {
  return {3, 400, std::move(text)};
}
Refusal NotFound(std::string text) {
  return {5, 404, std::move(text)};
}
Refusal Unimplemented(std::string text) {
  return {12, 501, std::move(text)};
}

// ---- names
// ----------------------------------------------------------------------------------------------------

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), IsNameByte);
}

// What a text of a client may look like in an error: printable ASCII, bounded.
std::string Quoted(std::string_view text) {
  constexpr size_t kShownMax = 64;
  std::string out = "\"";
  for (char c : text.substr(0, kShownMax)) out += (c >= ' ' && c <= '~' && c != '"') ? c : '?';
  return out + (text.size() > kShownMax ? "...\"" : "\"");
}

// "00000003" names version 3.
std::string Canonical(std::string version) {
  bool number = std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number) version.erase(0, std::min(version.find_first_not_of('0'), version.size()));
  return version;
}

// The refusal when the reference cannot be a model's; nothing otherwise, with the version made canonical.
std::optional<Refusal> Check(ModelRef& model) {
  constexpr std::string_view kExpected = ": expected 1-128 characters of [A-Za-z0-9._-]";
  if (model.name.empty()) return InvalidArgument("the request names no model: its model name is empty");
  if (!IsName(model.name)) {
    return InvalidArgument(Quoted(model.name) + " is not a model's name" + std::string(kExpected));
  }
  if (model.version.empty()) return std::nullopt;
  if (!IsName(model.version)) {
    return InvalidArgument(Quoted(model.version) + " is not a version or a label" + std::string(kExpected));
  }
  model.version = Canonical(std::move(model.version));
  if (model.version.empty()) return InvalidArgument("version 0 does not exist: versions begin with 1");
  return std::nullopt;
}

// ---- paths
// ----------------------------------------------------------------------------------------------------

PathRoute Refused(Refusal refusal) {
  PathRoute route;
  route.kind = PathRoute::Kind::kRefuse;
  route.refusal = std::move(refusal);
  return route;
}

PathRoute Answer(std::string_view answer) {
  PathRoute route;
  route.kind = PathRoute::Kind::kAnswer;
  route.answer = answer;
  return route;
}

PathRoute Peek(MessageLayout layout) {
  PathRoute route;
  route.kind = PathRoute::Kind::kPeek;
  route.layout = layout;
  return route;
}

PathRoute Model(ModelRef model) {
  if (auto refusal = Check(model)) return Refused(*std::move(refusal));
  PathRoute route;
  route.kind = PathRoute::Kind::kModel;
  route.model = std::move(model);
  return route;
}

bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Messages of the answers that need no model: {1: true}, and ServerMetadataResponse {1: name, 3: extensions}.
constexpr std::string_view kTrueMessage("\x08\x01", 2);
constexpr std::string_view kServerMetadataMessage("\x0a\x04snug", 6);

PathRoute RouteKServeMethod(std::string_view method) {
  constexpr std::array<std::string_view, 6> kOfModels = {
      "ModelInfer", "ModelStreamInfer", "ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"};
  if (Contains(kOfModels, method)) return Peek(MessageLayout::kNameVersion);
  if (method == "ServerLive" || method == "ServerReady") return Answer(kTrueMessage);
  if (method == "ServerMetadata") return Answer(kServerMetadataMessage);
  return Refused(
      Unimplemented("inference.GRPCInferenceService/" + std::string(method.substr(0, kNameBytesMax)) +
                    " names no model, so the front door cannot forward it: ask a model server itself, "
                    "or the controller's API for models and versions"));
}

PathRoute RouteGrpc(std::string_view path) {
  constexpr std::array<std::string_view, 4> kTensorFlow = {"Predict", "Classify", "Regress",
                                                           "GetModelMetadata"};
  std::string_view method = path;
  if (ConsumePrefix(method, "/inference.GRPCInferenceService/")) return RouteKServeMethod(method);
  if (path == "/snug.v1.Prediction/Predict") return Peek(MessageLayout::kNameVersion);
  if (ConsumePrefix(method, "/tensorflow.serving.PredictionService/") && Contains(kTensorFlow, method)) {
    return Peek(MessageLayout::kModelSpec);
  }
  if (path == "/tensorflow.serving.PredictionService/MultiInference") return Peek(MessageLayout::kTask);
  if (path == "/tensorflow.serving.ModelService/GetModelStatus") return Peek(MessageLayout::kModelSpec);
  return Refused(Unimplemented("method " + Quoted(path) +
                               " is not served here: expected inference.GRPCInferenceService, "
                               "snug.v1.Prediction/Predict or tensorflow.serving.PredictionService"));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Nothing when a % is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Cuts a path's segment off `rest`: up to the next '/', or the ':' that TensorFlow Serving puts before a
// verb.
std::string_view TakeSegment(std::string_view& rest) {
  size_t end = std::min(rest.find_first_of("/:"), rest.size());
  std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

// "ocr", "ocr/infer", "ocr/versions/3/infer", "ocr/labels/stable:predict". `zero_is_default`: version 0 is no
// error.
PathRoute RouteModelPath(std::string_view rest, bool zero_is_default) {
  auto name = PercentDecoded(TakeSegment(rest));
  std::optional<std::string> version = "";
  if (ConsumePrefix(rest, "/versions/") || ConsumePrefix(rest, "/labels/")) {
    version = PercentDecoded(TakeSegment(rest));
    if (version && version->empty())
      return Refused(InvalidArgument("the path ends before the version's number"));
  }
  if (!name || !version) {
    return Refused(InvalidArgument("the path has a % that two hexadecimal digits do not follow"));
  }
  if (zero_is_default && *version == "0") version->clear();
  return Model({*std::move(name), *std::move(version)});
}

PathRoute RouteRest(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  std::string_view rest = path;
  if (ConsumePrefix(rest, "/v2/models/") || ConsumePrefix(rest, "/v1/predict/"))
    return RouteModelPath(rest, false);
  if (ConsumePrefix(rest, "/v1/models/")) return RouteModelPath(rest, true);
  if (path == "/v2/health/live" || path == "/v2/health/ready") return Answer("{}");
  if (path == "/v2" || path == "/v2/")
    return Answer(R"({"name":"snug","extensions":["binary_tensor_data"]})");
  return Refused(NotFound("no such path at the front door: " + Quoted(path) +
                          "; expected /v2/models/MODEL[/versions/VERSION]/infer, /v1/predict/MODEL or "
                          "/v2/health/ready"));
}

// ---- protobuf
// -------------------------------------------------------------------------------------------------

enum class Scan { kNeedMore, kDone, kMalformed };

// Reads fields off the beginning of a message of which `bytes` is a prefix; `complete` when it is the whole.
class FieldReader {
 public:
  FieldReader(std::string_view bytes, bool complete) : rest_(bytes), complete_(complete) {}

  bool AtEnd() const { return complete_ && rest_.empty(); }
  // kDone: a tag was read, see number() and wire_type().
  Scan NextTag() {
    uint64_t tag = 0;
    if (Scan scan = Varint(tag); scan != Scan::kDone) return scan;
    number_ = tag >> 3;
    wire_type_ = static_cast<int>(tag & 7);
    return number_ == 0 || number_ > kFieldNumberMax ? Scan::kMalformed : Scan::kDone;
  }
  uint64_t number() const { return number_; }
  int wire_type() const { return wire_type_; }

  Scan Varint(uint64_t& value) {
    value = 0;
    for (size_t i = 0; i < kVarintBytesMax; ++i) {
      if (i == rest_.size()) return Short();
      auto byte = static_cast<uint8_t>(rest_[i]);
      value |= uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return Scan::kDone;
      }
    }
    return Scan::kMalformed;
  }

  // A length-delimited field's content, whole.
  Scan Content(std::string_view& content) {
    uint64_t length = 0;
    if (Scan scan = Varint(length); scan != Scan::kDone) return scan;
    if (length > rest_.size()) return Short();
    content = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return Scan::kDone;
  }

  Scan Skip() {
    uint64_t ignored = 0;
    std::string_view content;
    switch (wire_type_) {
      case 0:
        return Varint(ignored);
      case 1:
        return Fixed(8);
      case 2:
        return Content(content);
      case 5:
        return Fixed(4);
      default:
        return Scan::kMalformed;  // groups: none of these messages has one
    }
  }

 private:
  static constexpr uint64_t kFieldNumberMax = (1u << 29) - 1;
  static constexpr size_t kVarintBytesMax = 10;

  Scan Short() const { return complete_ ? Scan::kMalformed : Scan::kNeedMore; }
  Scan Fixed(size_t bytes) {
    if (bytes > rest_.size()) return Short();
    rest_.remove_prefix(bytes);
    return Scan::kDone;
  }

  std::string_view rest_;
  bool complete_;
  uint64_t number_ = 0;
  int wire_type_ = 0;
};

// Int64Value {1: value}
Scan ReadInt64Value(std::string_view message, std::string& text) {
  FieldReader reader(message, true);
  uint64_t value = 0;
  while (!reader.AtEnd()) {
    if (Scan scan = reader.NextTag(); scan != Scan::kDone) return scan;
    bool is_value = reader.number() == 1 && reader.wire_type() == 0;
    if (Scan scan = is_value ? reader.Varint(value) : reader.Skip(); scan != Scan::kDone) return scan;
  }
  // TensorFlow Serving's clients mean the default version by 0.
  text = value == 0 ? std::string() : std::to_string(static_cast<int64_t>(value));
  return Scan::kDone;
}

Scan ReadModelSpec(std::string_view message, ModelRef& model) {
  FieldReader reader(message, true);
  std::string_view content;
  while (!reader.AtEnd()) {
    if (Scan scan = reader.NextTag(); scan != Scan::kDone) return scan;
    bool wanted =
        reader.wire_type() == 2 && (reader.number() == 1 || reader.number() == 2 || reader.number() == 4);
    if (Scan scan = wanted ? reader.Content(content) : reader.Skip(); scan != Scan::kDone) return scan;
    if (!wanted) continue;
    if (reader.number() == 1) model.name = content;
    if (reader.number() == 4) model.version = content;
    if (reader.number() != 2) continue;
    if (Scan scan = ReadInt64Value(content, model.version); scan != Scan::kDone) return scan;
  }
  return Scan::kDone;
}

// Done when the name is known and the version is, too, or cannot come any more from a writer that keeps the
// order of the fields' numbers (all known ones do).
Scan ScanMessage(std::string_view prefix, bool complete, MessageLayout layout, ModelRef& model) {
  const uint64_t last_number = layout == MessageLayout::kNameVersion ? 2 : 1;
  FieldReader reader(prefix, complete);
  bool has_name = false;
  for (std::string_view content; !reader.AtEnd();) {
    if (Scan scan = reader.NextTag(); scan != Scan::kDone) return scan;
    if (has_name && reader.number() > last_number) return Scan::kDone;
    bool wanted = reader.number() <= last_number && reader.wire_type() == 2;
    if (Scan scan = wanted ? reader.Content(content) : reader.Skip(); scan != Scan::kDone) return scan;
    if (!wanted) continue;
    if (layout == MessageLayout::kModelSpec) return ReadModelSpec(content, model);
    if (layout == MessageLayout::kTask) return ScanMessage(content, true, MessageLayout::kModelSpec, model);
    (reader.number() == 1 ? model.name : model.version) = content;
    has_name = has_name || reader.number() == 1;
    if (has_name && !model.version.empty()) return Scan::kDone;
  }
  return Scan::kDone;
}

constexpr size_t kFrameHeaderBytes = 5;  // gRPC: compressed flag, big-endian length

uint64_t FrameLength(std::string_view frame) {
  uint64_t length = 0;
  for (size_t i = 1; i < kFrameHeaderBytes; ++i) length = length << 8 | static_cast<uint8_t>(frame[i]);
  return length;
}

}  // namespace

PathRoute RoutePath(std::string_view path, bool grpc) {
  return grpc ? RouteGrpc(path) : RouteRest(path);
}

State NamePeeker::Refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  return State::kRefused;
}

State NamePeeker::Feed(std::string_view chunk, bool end) {
  if (held_.empty()) {
    State state = Decide(chunk.substr(0, kPeekBytesMax), end);
    if (state == State::kNeedMore) held_ = chunk.substr(0, kPeekBytesMax);
    return state;
  }
  held_.append(chunk.substr(0, kPeekBytesMax - held_.size()));
  return Decide(held_, end);
}

State NamePeeker::Decide(std::string_view prefix, bool end) {
  if (!prefix.empty() && prefix[0] != 0) {
    return Refuse(
        Unimplemented("the gRPC message is compressed: the front door reads the model's name from it and "
                      "takes uncompressed messages only (grpc-encoding: identity)"));
  }
  Scan scan = Scan::kNeedMore;
  ModelRef model;
  if (prefix.size() >= kFrameHeaderBytes) {
    const uint64_t length = FrameLength(prefix);
    std::string_view message = prefix.substr(kFrameHeaderBytes, length);
    scan = ScanMessage(message, message.size() == length, layout_, model);
  }
  if (scan == Scan::kMalformed) {
    return Refuse(
        InvalidArgument("the request is not the protobuf message that its method takes: no model name "
                        "can be read from its beginning"));
  }
  if (scan == Scan::kDone) {
    if (auto refusal = Check(model)) return Refuse(*std::move(refusal));
    model_ = std::move(model);
    return State::kFound;
  }
  if (prefix.size() >= kPeekBytesMax) {
    return Refuse(
        InvalidArgument("no model name in the first 65536 bytes of the request: write the name (field 1) "
                        "before the tensors or the payload"));
  }
  if (end) return Refuse(InvalidArgument("the request ends before its message does"));
  return State::kNeedMore;
}

std::string ClusterName(bool grpc, const ModelRef& model) {
  std::string name = (grpc ? "g/" : "r/") + model.name;
  return model.version.empty() ? name : name + "@" + model.version;
}

std::string Describe(const ModelRef& model) {
  std::string text = "model \"" + model.name + "\"";
  return model.version.empty() ? text : text + " version \"" + model.version + "\"";
}

int GrpcCodeOfLocalReply(std::string_view details) {
  constexpr int kNotFound = 5, kResourceExhausted = 8;
  auto has = [&](std::string_view part) { return details.find(part) != std::string_view::npos; };
  if (has("cluster_not_found")) return kNotFound;
  if (has("overflow") || has("payload_too_large") || has("overload")) return kResourceExhausted;
  return -1;
}

}  // namespace snug::routing
