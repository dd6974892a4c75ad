// What clients send besides tars: bodies, queries, model.yaml, token files, paths.
#include <cstddef>
#include <cstdint>
#include <string>

#include "controller/api_json.h"
#include "controller/deploy_request.h"
#include "controller/tokens.h"
#include "controller/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  (void)snug::controller::ParseScale(text);
  (void)snug::controller::ParseRoute("m", text);
  (void)snug::controller::Tokens::Parse(text);
  (void)snug::controller::CheckEntryPath(text, 8);
  (void)snug::controller::MergeConfig(text, {{"engine_options", text}, {"threads", text}}, "", 1);
  for (const char* key : {"share", "copies", "version", "label", "department"}) {
    (void)snug::controller::ParseDeployQuery({{key, text}});
  }
  return 0;
}
