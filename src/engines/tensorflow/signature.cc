#include "engines/tensorflow/signature.h"

#include <optional>

#include "engines/kit/kit.h"

namespace snug::tensorflow {
namespace {

// Numbers of tensorflow/core/protobuf/meta_graph.proto and framework/tensor_shape.proto.
constexpr uint32_t kMetaGraphSignatureDef = 5;
constexpr uint32_t kMapKey = 1;
constexpr uint32_t kMapValue = 2;
constexpr uint32_t kSignatureInputs = 1;
constexpr uint32_t kSignatureOutputs = 2;
constexpr uint32_t kSignatureMethod = 3;
constexpr uint32_t kTensorName = 1;
constexpr uint32_t kTensorDType = 2;
constexpr uint32_t kTensorShape = 3;
constexpr uint32_t kShapeDim = 2;
constexpr uint32_t kShapeUnknownRank = 3;
constexpr uint32_t kDimSize = 1;

[[noreturn]] void Malformed() {
  throw kit::Failure(SNUG_DATA_LOSS, "the SavedModel's MetaGraphDef is malformed");
}

struct Field {
  uint32_t number = 0;
  uint64_t value = 0;      // of a varint
  std::string_view bytes;  // of a length-delimited field
  bool is_bytes = false;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<Field> Next() {
    if (rest_.empty()) return std::nullopt;
    uint64_t key = Varint();
    Field field;
    field.number = static_cast<uint32_t>(key >> 3);
    switch (key & 7) {
      case 0:
        field.value = Varint();
        break;
      case 1:
        Take(8);
        break;
      case 2:
        field.bytes = Take(Varint());
        field.is_bytes = true;
        break;
      case 5:
        Take(4);
        break;
      default:
        Malformed();  // groups are long gone
    }
    return field;
  }

 private:
  uint64_t Varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto byte = static_cast<unsigned char>(Take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    Malformed();
  }

  std::string_view Take(uint64_t bytes) {
    if (bytes > rest_.size()) Malformed();
    std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  std::string_view rest_;
};

// Calls `take` for each field of a message.
template <typename Take>
void ForEach(std::string_view message, Take take) {
  Reader reader(message);
  while (auto field = reader.Next()) take(*field);
}

int64_t ReadDim(std::string_view message) {
  int64_t size = 0;
  ForEach(message, [&](const Field& f) {
    if (f.number == kDimSize && !f.is_bytes) size = static_cast<int64_t>(f.value);
  });
  return size < -1 ? -1 : size;
}

void ReadShape(std::string_view message, TensorInfo& info) {
  ForEach(message, [&](const Field& f) {
    if (f.number == kShapeDim && f.is_bytes) info.dims.push_back(ReadDim(f.bytes));
    if (f.number == kShapeUnknownRank && !f.is_bytes) info.rank_known = f.value == 0;
  });
}

TensorInfo ReadTensorInfo(std::string_view message) {
  TensorInfo info;
  bool has_shape = false;
  ForEach(message, [&](const Field& f) {
    if (f.number == kTensorName && f.is_bytes) info.tensor = f.bytes;
    if (f.number == kTensorDType && !f.is_bytes) info.dtype = static_cast<int>(f.value & 0xFFFF);
    if (f.number != kTensorShape || !f.is_bytes) return;
    has_shape = true;
    ReadShape(f.bytes, info);
  });
  info.rank_known = info.rank_known && has_shape;
  return info;
}

// One entry of a map<string, V>.
template <typename V, typename Read>
void ReadEntry(std::string_view message, std::map<std::string, V>& map, Read read) {
  std::string key;
  std::string_view value;
  ForEach(message, [&](const Field& f) {
    if (f.number == kMapKey && f.is_bytes) key = f.bytes;
    if (f.number == kMapValue && f.is_bytes) value = f.bytes;
  });
  map[key] = read(value);
}

Signature ReadSignature(std::string_view message) {
  Signature signature;
  ForEach(message, [&](const Field& f) {
    if (!f.is_bytes) return;
    if (f.number == kSignatureInputs) ReadEntry(f.bytes, signature.inputs, ReadTensorInfo);
    if (f.number == kSignatureOutputs) ReadEntry(f.bytes, signature.outputs, ReadTensorInfo);
    if (f.number == kSignatureMethod) signature.method = f.bytes;
  });
  return signature;
}

}  // namespace

std::map<std::string, Signature> ReadSignatures(std::string_view meta_graph) {
  std::map<std::string, Signature> signatures;
  ForEach(meta_graph, [&](const Field& f) {
    if (f.number == kMetaGraphSignatureDef && f.is_bytes) ReadEntry(f.bytes, signatures, ReadSignature);
  });
  return signatures;
}

}  // namespace snug::tensorflow
