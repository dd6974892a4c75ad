// The whole way through the C border: any payload, then any output.
#include <parser.h>
#include <stdlib.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

extern "C" const snug_parser_api* snug_parser_get_api(uint32_t);

namespace {

const int64_t kInputDims[] = {1, 3, 48, 320};
const int64_t kOutputDims[] = {1, -1, 5};
const snug_tensor_spec kInput{"x", SNUG_FP32, 4, kInputDims};
const snug_tensor_spec kOutput{"y", SNUG_FP32, 3, kOutputDims};

const snug_parser_api* Api() {
  return snug_parser_get_api(SNUG_PARSER_ABI_VERSION);
}

snug_parser* MakeParser() {
  std::string directory = "/tmp/snug-ocr-fuzz-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) __builtin_trap();
  const std::string dictionary = directory + "/dict.txt";
  std::ofstream(dictionary) << "a\nb\n\"\n";
  snug_parser_config config{sizeof config, "m", directory.c_str(), "{\"chars\":true}", 1,
                            &kInput,       1,   &kOutput};
  snug_parser* parser = nullptr;
  snug_error error{};
  if (Api()->create(&config, &parser, &error) != SNUG_OK) __builtin_trap();
  remove(dictionary.c_str());
  remove(directory.c_str());
  return parser;
}

void* AllocateInput(void* context, uint32_t, int32_t, const int64_t*, uint64_t bytes) {
  auto& memory = *static_cast<std::vector<char>*>(context);
  memory.resize(bytes);
  return memory.data();
}

void* AllocateAnswer(void* context, const char*, uint64_t bytes) {
  return AllocateInput(context, 0, 0, nullptr, bytes);
}

void Format(snug_parser* parser, snug_request* request, const uint8_t* data, size_t size) {
  std::vector<float> values(size / sizeof(float) / 5 * 5);
  if (!values.empty()) std::memcpy(values.data(), data, values.size() * sizeof(float));
  const int64_t dims[] = {1, static_cast<int64_t>(values.size() / 5), 5};
  const snug_tensor output{"y", SNUG_FP32, 3, dims, values.data(), values.size() * sizeof(float)};
  std::vector<char> memory;
  const snug_answer_sink sink{sizeof sink, &memory, AllocateAnswer};
  snug_error error{};
  if (Api()->format(parser, request, &output, 1, &sink, &error) != SNUG_OK && error.text[0] == '\0')
    __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static snug_parser* parser = MakeParser();
  const snug_parameter chars{"chars", size % 2 == 0 ? "true" : "false"};
  const snug_payload payload{sizeof payload, "", data, size, &chars, 1};
  std::vector<char> memory;
  const snug_input_sink sink{sizeof sink, &memory, AllocateInput};
  snug_request* request = nullptr;
  snug_error error{};
  if (Api()->parse(parser, &payload, &sink, &request, &error) != SNUG_OK) {
    if (error.text[0] == '\0') __builtin_trap();
    return 0;
  }
  Format(parser, request, data, size);
  Api()->end_request(parser, request);
  return 0;
}
