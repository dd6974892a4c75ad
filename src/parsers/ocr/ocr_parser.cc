// The OCR parser's C border: an image of a line of text in, {"text": …, "score": …} out. docs/parsers.md
// walks through it as the example of a parser.
#include <parser.h>

#include <string_view>
#include <vector>

#include "parsers/kit/kit.h"
#include "parsers/ocr/recogniser.h"

struct snug_parser {
  snug::ocr::Recogniser recogniser;
};

struct snug_request {
  snug::ocr::Request request;
};

namespace {

using snug::Result;
using snug::Status;
using snug::parsers::Guarded;
using snug::parsers::SpecsOf;

snug_code Create(const snug_parser_config* config, snug_parser** parser, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    SNUG_ASSIGN_OR_RETURN(snug::ocr::Recogniser recogniser,
                          snug::ocr::Recogniser::Create(config->directory, config->options_json,
                                                        SpecsOf(config->inputs, config->input_count),
                                                        SpecsOf(config->outputs, config->output_count)));
    *parser = new snug_parser{std::move(recogniser)};
    return {};
  });
}

void Destroy(snug_parser* parser) {
  delete parser;
}

// Parameters that the parser does not know are somebody else's: they are let pass.
Result<bool> WantsChars(const snug_parser& parser, const snug_payload& payload) {
  for (uint32_t i = 0; i < payload.parameter_count; ++i) {
    const snug_parameter& parameter = payload.parameters[i];
    if (std::string_view(parameter.key) == "chars") return snug::ocr::ParseSwitch("chars", parameter.value);
  }
  return parser.recogniser.chars();
}

float* AllocateInput(const snug_input_sink& sink, const snug::Shape& shape) {
  uint64_t bytes = sizeof(float);
  for (int64_t dimension : shape) bytes *= static_cast<uint64_t>(dimension);
  return static_cast<float*>(
      sink.allocate(sink.context, 0, static_cast<int32_t>(shape.size()), shape.data(), bytes));
}

snug_code Parse(snug_parser* parser, const snug_payload* payload, const snug_input_sink* sink,
                snug_request** request, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    SNUG_ASSIGN_OR_RETURN(bool chars, WantsChars(*parser, *payload));
    const std::span file(static_cast<const uint8_t*>(payload->data), payload->bytes);
    SNUG_ASSIGN_OR_RETURN(snug::ocr::Image image, snug::ocr::DecodeImage(file));
    const snug::ocr::Target target = parser->recogniser.TargetOf(image);
    float* input = AllocateInput(*sink, snug::ocr::Recogniser::InputShape(target));
    if (input == nullptr) return snug::InvalidArgument("the host refused the input");
    snug::ocr::ResizeNormalize(image, target, input);
    *request = new snug_request{{image.width, image.height, chars}};
    return {};
  });
}

snug_code Format(snug_parser* parser, snug_request* request, const snug_tensor* outputs, uint32_t,
                 const snug_answer_sink* sink, snug_error* error) {
  return Guarded(error, [&]() -> Status {
    const snug_tensor& output = outputs[0];
    SNUG_ASSIGN_OR_RETURN(std::string answer,
                          parser->recogniser.Answer(request->request, static_cast<const float*>(output.data),
                                                    snug::Shape(output.dims, output.dims + output.rank)));
    return snug::parsers::WriteAnswer(*sink, "application/json", answer);
  });
}

void EndRequest(snug_parser*, snug_request* request) {
  delete request;
}

const snug_parser_api kApi = {
    sizeof kApi, SNUG_PARSER_ABI_VERSION, "ocr", "1", Create, Destroy, Parse, Format, EndRequest};

}  // namespace

extern "C" SNUG_EXPORT const snug_parser_api* snug_parser_get_api(uint32_t host_abi_version) {
  return host_abi_version == SNUG_PARSER_ABI_VERSION ? &kApi : nullptr;
}
