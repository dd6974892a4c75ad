// A parser that does one thing wrong, named by the option "mode"; with {} it is a good one: the payload's
// bytes become the input of type UINT8, and the first output's bytes the answer.
#include <parser.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

struct snug_parser {
  std::string mode;
};

struct snug_request {
  int number;
};

namespace {

// Requests alive; the tests ask.
std::atomic<int> live_requests = 0;

snug_code Fail(snug_error* error, snug_code code, const char* text) {
  std::snprintf(error->text, sizeof error->text, "%s", text);
  return code;
}

bool Is(const snug_parser* parser, const char* mode) {
  return parser->mode == "{\"mode\":\"" + std::string(mode) + "\"}";
}

snug_code Create(const snug_parser_config* config, snug_parser** parser, snug_error* error) {
  snug_parser made{config->options_json};
  if (Is(&made, "create_fails")) return Fail(error, SNUG_FAILED_PRECONDITION, "the model has no labels");
  if (Is(&made, "create_throws")) throw std::runtime_error("create");
  if (Is(&made, "create_nothing")) return SNUG_OK;
  *parser = new snug_parser(made);
  return SNUG_OK;
}

void Destroy(snug_parser* parser) {
  const bool throws = Is(parser, "destroy_throws");
  delete parser;
  if (throws) throw std::runtime_error("destroy");
}

snug_code ParseFaulty(snug_parser* parser, const snug_payload* payload, const snug_input_sink* sink,
                      snug_error* error) {
  const auto size = static_cast<int64_t>(payload->bytes);
  const int64_t dims[] = {size, 1};
  auto allocate = [&](uint32_t index, int32_t rank, const int64_t* d, uint64_t bytes) {
    return sink->allocate(sink->context, index, rank, d, bytes);
  };
  if (Is(parser, "parse_fails")) return Fail(error, SNUG_INVALID_ARGUMENT, "expected a poem");
  if (Is(parser, "parse_no_text")) return SNUG_INTERNAL;
  if (Is(parser, "parse_bad_code")) return 77;
  if (Is(parser, "parse_bad_text")) {
    std::memset(error->text, '\xff', sizeof error->text);
    return SNUG_INVALID_ARGUMENT;
  }
  if (Is(parser, "parse_throws")) throw std::runtime_error("out of poems");
  if (Is(parser, "parse_throws_int")) throw 7;
  if (Is(parser, "bad_index")) allocate(1, 1, dims, payload->bytes);
  if (Is(parser, "bad_rank")) allocate(0, 2, dims, payload->bytes);
  if (Is(parser, "huge_rank")) allocate(0, 1000000, dims, payload->bytes);
  if (Is(parser, "negative_rank")) allocate(0, -1, dims, payload->bytes);
  if (Is(parser, "null_dims")) allocate(0, 1, nullptr, payload->bytes);
  if (Is(parser, "bad_bytes")) allocate(0, 1, dims, payload->bytes + 1);
  if (Is(parser, "huge")) {
    const int64_t many[] = {int64_t{1} << 62};
    allocate(0, 1, many, uint64_t{1} << 62);
  }
  if (Is(parser, "negative_dim")) {
    const int64_t negative[] = {-1};
    allocate(0, 1, negative, 1);
  }
  if (Is(parser, "twice")) {
    std::memset(allocate(0, 1, dims, payload->bytes), 0, payload->bytes);
    allocate(0, 1, dims, payload->bytes);
  }
  return SNUG_OK;
}

bool IsGoodAtParsing(const snug_parser* parser) {
  return parser->mode == "{}" || parser->mode.find("format") != std::string::npos ||
         Is(parser, "destroy_throws") || Is(parser, "end_throws");
}

snug_code Parse(snug_parser* parser, const snug_payload* payload, const snug_input_sink* sink,
                snug_request** request, snug_error* error) {
  *request = new snug_request{++live_requests};
  if (!IsGoodAtParsing(parser)) return ParseFaulty(parser, payload, sink, error);
  const auto size = static_cast<int64_t>(payload->bytes);
  void* memory = sink->allocate(sink->context, 0, 1, &size, payload->bytes);
  if (memory == nullptr) return SNUG_INVALID_ARGUMENT;
  if (payload->bytes > 0) std::memcpy(memory, payload->data, payload->bytes);
  return SNUG_OK;
}

snug_code Format(snug_parser* parser, snug_request*, const snug_tensor* outputs, uint32_t,
                 const snug_answer_sink* sink, snug_error* error) {
  const uint64_t bytes = outputs[0].bytes;
  if (Is(parser, "format_fails")) return Fail(error, SNUG_DATA_LOSS, "the output is noise");
  if (Is(parser, "format_throws")) throw std::runtime_error("format");
  if (Is(parser, "format_nothing")) return SNUG_OK;
  if (Is(parser, "format_huge")) sink->allocate(sink->context, "text/plain", uint64_t{1} << 60);
  if (Is(parser, "format_bad_type")) sink->allocate(sink->context, "text/plain\r\nset-cookie: x", 1);
  if (Is(parser, "format_null_type")) sink->allocate(sink->context, nullptr, 1);
  void* memory = sink->allocate(sink->context, "text/plain", bytes);
  if (memory != nullptr && bytes > 0) std::memcpy(memory, outputs[0].data, bytes);
  if (Is(parser, "format_twice")) sink->allocate(sink->context, "text/plain", bytes);
  return SNUG_OK;
}

void EndRequest(snug_parser* parser, snug_request* request) {
  delete request;
  --live_requests;
  if (Is(parser, "end_throws")) throw std::runtime_error("end");
}

const snug_parser_api kApi = {
    sizeof kApi, SNUG_PARSER_ABI_VERSION, "faulty", "1", Create, Destroy, Parse, Format, EndRequest};

}  // namespace

extern "C" SNUG_EXPORT const snug_parser_api* snug_parser_get_api(uint32_t) {
  return &kApi;
}
extern "C" SNUG_EXPORT int faulty_live_requests() {
  return live_requests;
}
