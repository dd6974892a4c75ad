// The host's side of api/parser.h: loads parser plug-ins and checks what they do. Whatever a plug-in does
// wrong (missing symbol, wrong version, an exception, tensors that do not fit the model, no answer) comes
// back as a Status; only memory that it overwrites is out of reach, for it runs in this process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::parsers {

struct Payload {
  std::string_view content_type;
  std::string_view data;
  const std::map<std::string, std::string>* parameters = nullptr;  // may be null
};

struct Answer {
  std::string content_type;
  std::string data;
};

// One request between parse and format. Destroying it ends the request in the plug-in. It keeps the plug-in's
// parser alive, so a Parser may be replaced while its requests are in flight. Used by one thread at a time.
class ParsedRequest {
 public:
  virtual ~ParsedRequest() = default;
  virtual const std::vector<Tensor>& inputs() const = 0;  // all inputs of the model, in its order, checked
  // `outputs`: all outputs of the model, in its order. INTERNAL when they are not what the model declared.
  virtual Result<Answer> Format(std::span<const TensorView> outputs) = 0;
};

// The parser of one model version. Thread-safe.
class Parser {
 public:
  virtual ~Parser() = default;
  // INVALID_ARGUMENT: the payload is not what the parser expects.
  virtual Result<std::unique_ptr<ParsedRequest>> Parse(const Payload& payload) = 0;
};

struct ParserRequest {
  std::string parser;  // plug-in <parser>.so, e.g. "ocr" -> ocr_parser.so
  std::string model_name;
  std::string directory;
  std::string options_json = "{}";
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  uint64_t tensor_bytes_max = uint64_t{256}
                              << 20;  // the most that all inputs of one request may take together
};

// Limits on what crosses the border.
inline constexpr size_t kParametersMax = 64;  // of one payload
inline constexpr uint64_t kAnswerBytesMax = uint64_t{64} << 20;
inline constexpr size_t kContentTypeBytesMax = 256;

// Thread-safe.
class ParserHost {
 public:
  // Searches <parser>_parser.so in these directories, first hit wins.
  static std::unique_ptr<ParserHost> Create(std::vector<std::string> plugin_dirs);
  virtual ~ParserHost() = default;
  // NOT_FOUND: no such parser (lists those there are); FAILED_PRECONDITION: breaks the contract.
  virtual Result<std::unique_ptr<Parser>> CreateParser(const ParserRequest& request) = 0;
  // Names of the parsers found, sorted: "ocr" for ocr_parser.so.
  virtual std::vector<std::string> Parsers() const = 0;
};

}  // namespace snug::parsers
