// Image of a page in, its lines out: the parser of a pipeline that reads pages.
//   input image UINT8 [-1,-1,3]; outputs text BYTES [-1], score FP32 [-1], box FP32 [-1,4,2], in any order
#include <parser.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "ocr/image.h"
#include "ocr/texts.h"
#include "parsers/kit/kit.h"

using snug::FailedPrecondition;
using snug::InvalidArgument;
using snug::Result;
using snug::Shape;
using snug::Status;
using snug::TensorSpec;
using snug::parsers::Guarded;
using snug::parsers::SpecsOf;

struct snug_parser {
  size_t text = 0, score = 0, box = 0;  // indices of the outputs
};

struct snug_request {
  int width = 0, height = 0;
};

namespace {

const TensorSpec kImage{"image", snug::DType::kUint8, {-1, -1, snug::ocr::kChannels}};

Result<size_t> FindOutput(const std::vector<TensorSpec>& outputs, std::string_view name, snug::DType dtype,
                          size_t rank) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name == name && outputs[i].dtype == dtype && outputs[i].shape.size() == rank) return i;
  }
  return FailedPrecondition("the page_ocr parser needs an output \"{}\" of {} with {} dimension(s)", name,
                            snug::DTypeName(dtype), rank);
}

snug_code Create(const snug_parser_config* config, snug_parser** parser, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    const auto inputs = SpecsOf(config->inputs, config->input_count);
    const auto outputs = SpecsOf(config->outputs, config->output_count);
    if (std::string_view(config->options_json) != "{}")
      return InvalidArgument("parser_options: the page_ocr parser has none");
    if (inputs.size() != 1 || !(inputs[0] == kImage))
      return FailedPrecondition("the page_ocr parser needs one input: image UINT8 [-1,-1,3]");
    snug_parser made;
    SNUG_ASSIGN_OR_RETURN(made.text, FindOutput(outputs, "text", snug::DType::kBytes, 1));
    SNUG_ASSIGN_OR_RETURN(made.score, FindOutput(outputs, "score", snug::DType::kFp32, 1));
    SNUG_ASSIGN_OR_RETURN(made.box, FindOutput(outputs, "box", snug::DType::kFp32, 3));
    *parser = new snug_parser(made);
    return {};
  });
}

void Destroy(snug_parser* parser) {
  delete parser;
}

snug_code Parse(snug_parser*, const snug_payload* payload, const snug_input_sink* sink,
                snug_request** request, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    const std::span file(static_cast<const uint8_t*>(payload->data), payload->bytes);
    SNUG_ASSIGN_OR_RETURN(const snug::ocr::Image image, snug::ocr::DecodeImage(file));
    const int64_t dims[] = {image.height, image.width, snug::ocr::kChannels};
    const auto bytes = static_cast<uint64_t>(dims[0] * dims[1] * dims[2]);
    void* memory = sink->allocate(sink->context, 0, 3, dims, bytes);
    if (memory == nullptr) return InvalidArgument("the host refused the input");
    std::memcpy(memory, image.pixels.get(), bytes);
    *request = new snug_request{image.width, image.height};
    return {};
  });
}

// Four digits: what follows differs between machines.
double Rounded(double score) {
  return std::round(score * 1e4) / 1e4;
}

Result<nlohmann::ordered_json> Answer(const snug_parser& parser, const snug_request& request,
                                      const snug_tensor* outputs) {
  const auto texts =
      snug::ocr::TextsOf(outputs[parser.text].data, static_cast<size_t>(outputs[parser.text].dims[0]));
  const auto* scores = static_cast<const float*>(outputs[parser.score].data);
  const auto* corners = static_cast<const float*>(outputs[parser.box].data);
  const auto count = static_cast<int64_t>(texts.size());
  if (outputs[parser.score].dims[0] != count || outputs[parser.box].bytes != texts.size() * 8 * sizeof(float))
    return snug::Internal("the pipeline gave {} texts, but another number of scores or boxes", count);
  auto lines = nlohmann::ordered_json::array();
  std::string all;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto box = nlohmann::ordered_json::array();
    for (size_t c = 0; c < 4; ++c) {
      const float* corner = corners + (i * 4 + c) * 2;
      box.push_back({std::lround(corner[0]), std::lround(corner[1])});
    }
    lines.push_back({{"text", texts[i]}, {"score", Rounded(scores[i])}, {"box", std::move(box)}});
    all.append(i == 0 ? "" : "\n").append(texts[i]);
  }
  return nlohmann::ordered_json{
      {"text", all}, {"width", request.width}, {"height", request.height}, {"lines", std::move(lines)}};
}

snug_code Format(snug_parser* parser, snug_request* request, const snug_tensor* outputs, uint32_t,
                 const snug_answer_sink* sink, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    SNUG_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, Answer(*parser, *request, outputs));
    const std::string answer = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return snug::parsers::WriteAnswer(*sink, "application/json", answer);
  });
}

void EndRequest(snug_parser*, snug_request* request) {
  delete request;
}

const snug_parser_api kApi = {
    sizeof kApi, SNUG_PARSER_ABI_VERSION, "page_ocr", "1", Create, Destroy, Parse, Format, EndRequest};

}  // namespace

extern "C" SNUG_EXPORT const snug_parser_api* snug_parser_get_api(uint32_t host_abi_version) {
  return host_abi_version == SNUG_PARSER_ABI_VERSION ? &kApi : nullptr;
}
