// From what the recogniser gave to lines of text.
#include <algorithm>
#include <cstring>

#include "base/tensor.h"
#include "engines/page_ocr/step_kinds.h"
#include "ocr/boxes.h"
#include "ocr/ctc.h"
#include "ocr/dictionary.h"
#include "ocr/texts.h"

namespace snug::page_ocr {
namespace {

using kit::Failure;

void CheckRows(const snug_tensor& tensor, int64_t rows) {
  if (tensor.dims[0] == rows) return;
  throw Failure(SNUG_INVALID_ARGUMENT,
                fmt::format("\"{}\" has {} rows, expected {}", tensor.name, tensor.dims[0], rows));
}

// Probabilities to characters, for each piece.
class Read : public Step {
 public:
  Read(const std::string& directory, std::string_view options_json) {
    const kit::Options options(options_json, {"step", "dictionary", "threads", "instances"});
    alphabet_ = ValueOf(ocr::ReadAlphabet(directory, options.Text("dictionary", "dict.txt")));
    inputs_.Add("probabilities", SNUG_FP32, {-1, -1, static_cast<int64_t>(alphabet_.classes())});
    outputs_.Add("text", SNUG_BYTES, {-1});
    outputs_.Add("score", SNUG_FP32, {-1});
  }
  bool is_batched() const override { return true; }
  void Execute(const snug_tensor* inputs, const Outputs& outputs) const override {
    const auto rows = static_cast<size_t>(inputs[0].dims[0]), steps = static_cast<size_t>(inputs[0].dims[1]);
    const auto* probabilities = static_cast<const float*>(inputs[0].data);
    std::vector<std::string> texts;
    std::vector<float> scores;
    for (size_t i = 0; i < rows; ++i) {
      const float* row = probabilities + i * steps * alphabet_.classes();
      const auto marks = ValueOf(ocr::DecodeGreedy(row, steps, alphabet_.classes()));
      texts.push_back(ocr::TextOf(marks, alphabet_));
      scores.push_back(static_cast<float>(ocr::MeanScore(marks)));
    }
    outputs.PutTexts(0, texts);
    outputs.Put(1, {inputs[0].dims[0]}, scores);
  }

 private:
  ocr::Alphabet alphabet_;
};

// Pieces to lines. Lines of which nothing was read with some certainty are left out: drawings, mostly.
class Join : public Step {
 public:
  explicit Join(std::string_view options_json) {
    const kit::Options options(options_json, {"step", "score_percent_min", "threads", "instances"});
    score_min_ = static_cast<float>(options.Integer("score_percent_min", 60, 0, 100)) / 100;
    inputs_.Add("text", SNUG_BYTES, {-1});
    inputs_.Add("score", SNUG_FP32, {-1});
    inputs_.Add("line", SNUG_INT32, {-1});
    inputs_.Add("box", SNUG_FP32, {-1, 4, 2});
    outputs_.Add("text", SNUG_BYTES, {-1});
    outputs_.Add("score", SNUG_FP32, {-1});
    outputs_.Add("box", SNUG_FP32, {-1, 4, 2});
  }
  void Execute(const snug_tensor* inputs, const Outputs& outputs) const override {
    std::vector<Line> lines(static_cast<size_t>(inputs[3].dims[0]));
    if (!lines.empty()) Collect(inputs, lines);
    std::vector<std::string> texts;
    std::vector<float> scores;
    std::vector<ocr::Quad> boxes;
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].text.empty() || lines[i].score() < score_min_) continue;
      texts.push_back(lines[i].text);
      scores.push_back(lines[i].score());
      std::memcpy(&boxes.emplace_back(), static_cast<const ocr::Quad*>(inputs[3].data) + i,
                  sizeof(ocr::Quad));
    }
    const auto count = static_cast<int64_t>(texts.size());
    outputs.PutTexts(0, texts);
    outputs.Put(1, {count}, scores);
    outputs.Put(2, {count, 4, 2}, boxes);
  }

 private:
  struct Line {
    std::string text;
    float sum = 0, weight = 0;  // of the pieces' scores, by their length
    float score() const { return weight == 0 ? 0 : sum / weight; }
  };

  static void Collect(const snug_tensor* inputs, std::vector<Line>& lines) {
    CheckRows(inputs[1], inputs[0].dims[0]);
    CheckRows(inputs[2], inputs[0].dims[0]);
    const auto* scores = static_cast<const float*>(inputs[1].data);
    const auto* numbers = static_cast<const int32_t*>(inputs[2].data);
    const std::vector<std::string_view> texts =
        ocr::TextsOf(inputs[0].data, static_cast<size_t>(inputs[0].dims[0]));
    for (size_t i = 0; i < texts.size(); ++i) {
      if (numbers[i] < 0 || static_cast<size_t>(numbers[i]) >= lines.size()) {
        throw Failure(SNUG_INVALID_ARGUMENT,
                      fmt::format("line {}, there are {} boxes", numbers[i], lines.size()));
      }
      if (texts[i].empty()) continue;
      Line& line = lines[static_cast<size_t>(numbers[i])];
      if (!line.text.empty()) line.text += ' ';
      line.text += texts[i];
      line.sum += scores[i] * static_cast<float>(texts[i].size());
      line.weight += static_cast<float>(texts[i].size());
    }
  }

  float score_min_ = 0;
};

}  // namespace

std::unique_ptr<Step> MakeRead(const std::string& directory, std::string_view options_json) {
  return std::make_unique<Read>(directory, options_json);
}

std::unique_ptr<Step> MakeJoin(std::string_view options_json) {
  return std::make_unique<Join>(options_json);
}

}  // namespace snug::page_ocr
