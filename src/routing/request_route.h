// Which model does a request want? Pure functions over the path and the first bytes of the body; the front
// door's module (front_door_module.cc) acts on the answers. No dependencies: this is linked into Envoy.
//
// Thread rule: values; a NamePeeker belongs to one request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace snug::routing {

// How much of a body is looked at before the request is refused. Protobuf writers emit fields in the order of
// their numbers, so that the name stands in the first bytes; 64 KiB leave room for a client that does
// otherwise.
inline constexpr size_t kPeekBytesMax = 64 << 10;
// A model's name or version is at most this long (repository::CheckModelName).
inline constexpr size_t kNameBytesMax = 128;

struct ModelRef {
  std::string name;
  std::string version;  // a number without leading zeros, or a label; empty when the request names none

  bool operator==(const ModelRef&) const = default;
};

// Why a request is not forwarded, for both protocols.
struct Refusal {
  int grpc_code = 0;
  int http_status = 0;
  std::string text;

  bool operator==(const Refusal&) const = default;
};

// Where a request's message keeps the model's name.
enum class MessageLayout {
  kNameVersion,  // field 1: name, field 2: version (KServe v2, snug.v1.PredictRequest)
  kModelSpec,    // field 1: message ModelSpec {1: name, 2: Int64Value version, 4: label} (TensorFlow Serving)
  kTask,         // field 1: message whose field 1 is a ModelSpec (its MultiInference); the first one counts
};

struct PathRoute {
  enum class Kind {
    kModel,   // `model` is named by the path
    kPeek,    // the name is in the body, laid out as `layout`
    kAnswer,  // the front door answers itself with `answer`
    kRefuse,  // `refusal`
  };
  Kind kind = Kind::kRefuse;
  ModelRef model;
  MessageLayout layout = MessageLayout::kNameVersion;
  std::string answer;  // REST: JSON; gRPC: the protobuf message
  Refusal refusal;
};

// Decides by a request's path (with its query, as sent). `grpc` when the content type is application/grpc*.
PathRoute RoutePath(std::string_view path, bool grpc);

// Finds the model's name in the first gRPC message of a body. The answer depends on the bytes alone, never on
// how they were cut into chunks.
class NamePeeker {
 public:
  enum class State { kNeedMore, kFound, kRefused };

  explicit NamePeeker(MessageLayout layout) : layout_(layout) {}

  // The next bytes of the body; `end` when none follow. Not to be called again after kFound or kRefused.
  State Feed(std::string_view chunk, bool end);
  const ModelRef& model() const { return model_; }     // after kFound
  const Refusal& refusal() const { return refusal_; }  // after kRefused

 private:
  State Decide(std::string_view prefix, bool end);
  State Refuse(Refusal refusal);

  MessageLayout layout_;
  std::string held_;  // at most kPeekBytesMax; empty while the first chunk sufficed
  ModelRef model_;
  Refusal refusal_;
};

// The cluster of the front door that serves the model: "g/ocr@3" for gRPC, "r/ocr@3" for REST.
std::string ClusterName(bool grpc, const ModelRef& model);
// For people: `model "ocr"` or `model "ocr" version "3"`.
std::string Describe(const ModelRef& model);

// The gRPC code that an answer made by Envoy itself deserves, from its response code details; -1: Envoy's own
// choice stands. Envoy derives codes from HTTP statuses and so says UNIMPLEMENTED where NOT_FOUND is meant.
int GrpcCodeOfLocalReply(std::string_view details);

}  // namespace snug::routing
