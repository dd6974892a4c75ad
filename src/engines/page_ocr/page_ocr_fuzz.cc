// A step's options and what it is executed on: the first line is engine_options as JSON, the bytes behind it
// become tensors that fit the step's declaration. Either may be refused by a Failure, and nothing else.
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>
#include <string>
#include <vector>

#include "engines/page_ocr/steps.h"

namespace {

using namespace snug;

// Of one output; larger ones are refused, as the host does beyond its own limit.
constexpr uint64_t kOutputBytesMax = 4 << 20;
constexpr int64_t kFreeDimMax = 48;

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  uint8_t Next() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_[at_]);
    at_ = (at_ + 1) % bytes_.size();
    return byte;
  }

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
};

// The host has checked what a step gets: only such tensors are made.
class Inputs {
 public:
  Inputs(const kit::SpecList& specs, Bytes& bytes) {
    for (size_t i = 0; i < specs.size(); ++i) {
      const snug_tensor_spec& spec = specs.specs()[i];
      std::vector<int64_t>& dims = dims_.emplace_back(specs.dims(i));
      size_t count = 1;
      for (int64_t& dim : dims) {
        if (dim < 0) dim = bytes.Next() % kFreeDimMax;
        count *= static_cast<size_t>(dim);
      }
      std::vector<char>& data = data_.emplace_back(Contents(spec.dtype, count, bytes));
      tensors_.push_back({spec.name, spec.dtype, spec.rank, dims.data(), data.data(), data.size()});
    }
  }
  const snug_tensor* data() const { return tensors_.data(); }

 private:
  static std::vector<char> Contents(snug_dtype dtype, size_t count, Bytes& bytes) {
    std::vector<char> data;
    if (dtype != SNUG_BYTES) {
      data.resize(count * kit::ElementBytes(dtype));
      for (char& byte : data) byte = static_cast<char>(bytes.Next());
      return data;
    }
    for (size_t i = 0; i < count; ++i) {
      const uint32_t length = bytes.Next() % 8;
      const auto* prefix = reinterpret_cast<const char*>(&length);
      data.insert(data.end(), prefix, prefix + sizeof length);
      for (uint32_t c = 0; c < length; ++c) data.push_back(static_cast<char>(bytes.Next()));
    }
    return data;
  }

  std::deque<std::vector<int64_t>> dims_;
  std::deque<std::vector<char>> data_;
  std::vector<snug_tensor> tensors_;
};

void* Allocate(void* context, uint32_t, snug_dtype, int32_t, const int64_t*, uint64_t bytes) {
  if (bytes > kOutputBytesMax) return nullptr;
  return static_cast<std::deque<std::vector<char>>*>(context)->emplace_back(bytes + 1).data();
}

std::string DirectoryWithDictionary() {
  std::string directory = "/tmp/snug-page-ocr-fuzz-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) abort();
  std::ofstream(directory + "/dict.txt") << "a\nb\n";
  return directory;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string directory = DirectoryWithDictionary();
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view options = all.substr(0, all.find('\n'));
  Bytes bytes(all.substr(std::min(all.size(), options.size() + 1)));
  try {
    const auto step = page_ocr::MakeStep(directory, options);
    const Inputs inputs(step->inputs(), bytes);
    std::vector<uint8_t> wanted(step->outputs().size());
    for (uint8_t& flag : wanted) flag = bytes.Next() % 4 != 0;
    std::deque<std::vector<char>> outputs;
    const snug_output_sink sink{sizeof(snug_output_sink), &outputs, &Allocate};
    step->Execute(inputs.data(), page_ocr::Outputs(step->outputs(), wanted.data(), &sink));
  } catch (const kit::Failure&) {
  }
  return 0;
}
