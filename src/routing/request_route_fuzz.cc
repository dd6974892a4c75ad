// Whatever the bytes are, the answer does not depend on how they were cut, and nothing over the limit is
// kept.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "routing/request_route.h"

namespace {

using snug::routing::MessageLayout;
using snug::routing::NamePeeker;
using State = NamePeeker::State;

std::string Outcome(std::string_view body, MessageLayout layout, size_t first, size_t step) {
  NamePeeker peeker(layout);
  size_t size = first;
  for (size_t at = 0; at < body.size() || at == 0; at += size, size = step) {
    State state = peeker.Feed(body.substr(at, size), at + size >= body.size());
    if (state == State::kFound) return peeker.model().name + "@" + peeker.model().version;
    if (state == State::kRefused) return "refused: " + peeker.refusal().text;
  }
  return "undecided";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (MessageLayout layout :
       {MessageLayout::kNameVersion, MessageLayout::kModelSpec, MessageLayout::kTask}) {
    const std::string whole = Outcome(body, layout, size + 1, 1);
    for (size_t cut = 1; cut <= 8; ++cut) {
      if (Outcome(body, layout, cut * size / 8 + 1, cut) == whole) continue;
      std::fprintf(stderr, "the answer depends on the chunks: %s\n", whole.c_str());
      std::abort();
    }
  }
  for (bool grpc : {true, false}) snug::routing::RoutePath(body, grpc);
  return 0;
}
