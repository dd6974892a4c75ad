// What the parser plug-ins share at their C border.
#pragma once

#include <parser.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::parsers {

inline snug_code Report(const Status& status, snug_error* error) {
  const size_t length = std::min(status.text().size(), sizeof error->text - 1);
  std::memcpy(error->text, status.text().data(), length);
  error->text[length] = '\0';
  return static_cast<snug_code>(status.code());
}

// Runs `work` and lets nothing be thrown across the border.
template <typename Work>
snug_code Guarded(snug_error* error, Work&& work) noexcept {
  try {
    return Report(work(), error);
  } catch (const std::bad_alloc&) {
    return Report(Status(Code::kResourceExhausted, "no memory"), error);
  } catch (const std::exception& e) {
    return Report(Status(Code::kInternal, e.what()), error);
  }
}

// The answer's bytes into the host's memory.
inline Status WriteAnswer(const snug_answer_sink& sink, const char* content_type, std::string_view answer) {
  void* memory = sink.allocate(sink.context, content_type, answer.size());
  if (memory == nullptr) return Internal("the host refused the answer");
  std::memcpy(memory, answer.data(), answer.size());
  return {};
}

inline std::vector<TensorSpec> SpecsOf(const snug_tensor_spec* specs, uint32_t count) {
  std::vector<TensorSpec> result;
  for (uint32_t i = 0; i < count; ++i) {
    result.push_back({specs[i].name, static_cast<DType>(specs[i].dtype),
                      Shape(specs[i].dims, specs[i].dims + specs[i].rank)});
  }
  return result;
}

}  // namespace snug::parsers
