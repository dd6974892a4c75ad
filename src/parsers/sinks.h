// Where a parser plug-in asks for memory: the callbacks of api/parser.h with their checks. Used by one call
// of the plug-in, in one thread.
#pragma once

#include <parser.h>  // api/

#include <optional>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "parsers/parser_host.h"

namespace snug::parsers {

// Memory for the model's inputs. A refusal keeps its reason, which then is what the caller hears.
class InputSink {
 public:
  explicit InputSink(const ParserRequest& request);
  InputSink(const InputSink&) = delete;
  InputSink& operator=(const InputSink&) = delete;

  const snug_input_sink* c_sink() const { return &c_sink_; }
  // `status`: what parse returned. All inputs, in the model's order, or the first thing that was wrong.
  Result<std::vector<Tensor>> Finish(const Status& status) &&;

 private:
  static void* Allocate(void* context, uint32_t index, int32_t rank, const int64_t* dims,
                        uint64_t bytes) noexcept;
  Status Check(uint32_t index, int32_t rank, const int64_t* dims, uint64_t bytes) const;
  Status CheckShape(const TensorSpec& spec, const Shape& shape, uint64_t bytes) const;
  Status Add(uint32_t index, int32_t rank, const int64_t* dims, uint64_t bytes);

  const ParserRequest& request_;
  snug_input_sink c_sink_{};
  std::vector<Tensor> inputs_;  // without a buffer until allocated
  uint64_t bytes_left_;
  Status refusal_;
};

// Memory for the answer: once.
class AnswerSink {
 public:
  explicit AnswerSink(const std::string& parser);
  AnswerSink(const AnswerSink&) = delete;
  AnswerSink& operator=(const AnswerSink&) = delete;

  const snug_answer_sink* c_sink() const { return &c_sink_; }
  Result<Answer> Finish(const Status& status) &&;

 private:
  static void* Allocate(void* context, const char* content_type, uint64_t bytes) noexcept;
  Status Add(const char* content_type, uint64_t bytes);

  const std::string& parser_;
  snug_answer_sink c_sink_{};
  std::optional<Answer> answer_;
  Status refusal_;
};

}  // namespace snug::parsers
