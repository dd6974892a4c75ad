#include "engines/remote/tfserving.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "engines/kit/kit.h"
#include "engines/tensorflow/signature.h"

namespace snug::remote::tfserving {
namespace {

using kit::Failure;

struct TypeRow {
  int tensorflow;  // tensorflow.DataType
  snug_dtype snug;
};
constexpr TypeRow kTypes[] = {{1, SNUG_FP32},    {2, SNUG_FP64},   {3, SNUG_INT32},   {4, SNUG_UINT8},
                              {5, SNUG_INT16},   {6, SNUG_INT8},   {7, SNUG_BYTES},   {9, SNUG_INT64},
                              {10, SNUG_BOOL},   {14, SNUG_BF16},  {17, SNUG_UINT16}, {19, SNUG_FP16},
                              {22, SNUG_UINT32}, {23, SNUG_UINT64}};

snug_dtype ToSnug(uint64_t tensorflow, const std::string& name) {
  for (const TypeRow& row : kTypes) {
    if (static_cast<uint64_t>(row.tensorflow) == tensorflow) return row.snug;
  }
  throw Failure(SNUG_UNIMPLEMENTED, "the remote model's tensor \"" + name + "\" has TensorFlow's type " +
                                        std::to_string(tensorflow) + ", which is not served");
}

int ToTensorFlow(snug_dtype dtype) {
  return std::find_if(std::begin(kTypes), std::end(kTypes),
                      [&](const TypeRow& row) { return row.snug == dtype; })
      ->tensorflow;
}

std::string Encode(const ModelSpec& spec) {
  Writer w;
  w.Bytes(1, spec.model);
  int64_t number = 0;
  const char* end = spec.version.data() + spec.version.size();
  if (std::from_chars(spec.version.data(), end, number).ptr == end && !spec.version.empty()) {
    Writer value;
    value.Varint(1, static_cast<uint64_t>(number));
    w.Bytes(2, value.text());
  } else if (!spec.version.empty()) {
    w.Bytes(4, spec.version);
  }
  w.Bytes(3, spec.signature);
  return std::move(w.text());
}

// BYTES elements, which the host has checked, as string_val.
void WriteStrings(const snug_tensor& tensor, Writer& w) {
  std::string_view rest(static_cast<const char*>(tensor.data), tensor.bytes);
  while (!rest.empty()) {
    uint32_t length = 0;
    std::memcpy(&length, rest.data(), sizeof length);
    w.Bytes(8, rest.substr(sizeof length, length));
    rest.remove_prefix(sizeof length + length);
  }
}

std::string EncodeTensor(const snug_tensor& tensor) {
  Writer shape;
  for (int32_t i = 0; i < tensor.rank; ++i) {
    Writer dim;
    dim.Varint(1, static_cast<uint64_t>(tensor.dims[i]));
    shape.Bytes(2, dim.text());
  }
  Writer w;
  w.Reserve(tensor.bytes + 256);
  w.Varint(1, static_cast<uint64_t>(ToTensorFlow(tensor.dtype)));
  w.Bytes(2, shape.text());
  if (tensor.dtype == SNUG_BYTES)
    WriteStrings(tensor, w);
  else if (tensor.bytes > 0)
    w.Bytes(4, {static_cast<const char*>(tensor.data), tensor.bytes});
  return std::move(w.text());
}

std::vector<int64_t> DecodeShape(std::string_view message) {
  std::vector<int64_t> dims;
  for (Reader r(message); r.Next();) {
    if (r.field() != 2) continue;
    int64_t size = 0;
    for (Reader dim(r.Bytes()); dim.Next();) {
      if (dim.field() == 1) size = static_cast<int64_t>(dim.Number());
    }
    dims.push_back(size);
  }
  return dims;
}

// The typed lists of a TensorProto: floats and doubles as bytes, all integers as numbers, strings in Snug's
// layout.
struct Values {
  std::string fixed;
  std::string strings;
  std::vector<uint64_t> integers;

  void Take(const Reader& r, snug_dtype dtype) {
    switch (r.field()) {
      case 5:
        return r.Fixed(4, fixed);
      case 6:
        return r.Fixed(8, fixed);
      case 8:
        return AppendString(r.Bytes(), strings);
      case 7:   // int_val: all signed and small types
      case 10:  // int64_val
      case 11:  // bool_val
      case 13:  // half_val
      case 16:  // uint32_val
      case 17:  // uint64_val
        if (dtype != SNUG_BYTES) r.Varints(integers);
        return;
      default:
        return;
    }
  }
};

// A list shorter than the tensor stands for its last value again and again.
std::string Fill(std::string bytes, size_t width, uint64_t count) {
  constexpr uint64_t kFilledBytesMax = uint64_t{1} << 30;
  const bool is_whole = !bytes.empty() && bytes.size() % width == 0;  // else the host names its wrong length
  if (!is_whole || count > kFilledBytesMax / width || bytes.size() > count * width) return bytes;
  const std::string last = bytes.substr(bytes.size() - width);
  while (bytes.size() < count * width) bytes += last;
  return bytes;
}

AnswerTensor DecodeTensor(std::string name, std::string_view message) {
  AnswerTensor tensor;
  tensor.name = std::move(name);
  for (Reader r(message); r.Next();) {
    if (r.field() == 1) tensor.dtype = ToSnug(r.Number(), tensor.name);
    if (r.field() == 2) tensor.dims = DecodeShape(r.Bytes());
    if (r.field() == 4) tensor.raw = r.Bytes();
  }
  if (!tensor.raw.empty()) return tensor;
  Values values;
  for (Reader r(message); r.Next();) values.Take(r, tensor.dtype);
  const size_t width = kit::ElementBytes(tensor.dtype);
  if (tensor.dtype == SNUG_BYTES)
    tensor.own = std::move(values.strings);
  else if (tensor.dtype == SNUG_FP32 || tensor.dtype == SNUG_FP64)
    tensor.own = Fill(std::move(values.fixed), width, CountElements(tensor.dims));
  else if (width > 0)
    tensor.own = Fill(Narrow(values.integers, width), width, CountElements(tensor.dims));
  return tensor;
}

// A map's entry: key in field 1, value in field 2.
std::pair<std::string, std::string_view> Entry(std::string_view message) {
  std::pair<std::string, std::string_view> entry;
  for (Reader r(message); r.Next();) {
    if (r.field() == 1) entry.first = r.Bytes();
    if (r.field() == 2) entry.second = r.Bytes();
  }
  return entry;
}

// SignatureDefMap has in field 1 what MetaGraphDef has in field 5.
std::map<std::string, tensorflow::Signature> DecodeSignatures(std::string_view any) {
  Writer graph;
  for (Reader r(any); r.Next();) {
    if (r.field() != 2) continue;
    for (Reader map(r.Bytes()); map.Next();) {
      if (map.field() == 1) graph.Bytes(5, map.Bytes());
    }
  }
  return tensorflow::ReadSignatures(graph.text());
}

std::vector<TensorAbout> About(const std::map<std::string, tensorflow::TensorInfo>& tensors) {
  std::vector<TensorAbout> about;
  for (const auto& [name, info] : tensors) {
    if (!info.rank_known) {
      throw Failure(SNUG_UNIMPLEMENTED, "the rank of the remote model's tensor \"" + name +
                                            "\" is unknown: declare inputs and outputs in engine_options");
    }
    about.push_back({name, ToSnug(static_cast<uint64_t>(info.dtype), name), info.dims});
  }
  return about;
}

}  // namespace

std::string EncodeMetadataRequest(const ModelSpec& spec) {
  Writer w;
  ModelSpec any = spec;
  any.signature.clear();
  w.Bytes(1, Encode(any));
  w.Bytes(2, "signature_def");
  return std::move(w.text());
}

Metadata DecodeMetadata(std::string_view message, const ModelSpec& spec) {
  std::string known;
  for (Reader r(message); r.Next();) {
    if (r.field() != 2) continue;
    auto [key, any] = Entry(r.Bytes());
    if (key != "signature_def") continue;
    for (const auto& [name, signature] : DecodeSignatures(any)) {
      if (name == spec.signature) return {About(signature.inputs), About(signature.outputs)};
      known += (known.empty() ? "" : ", ") + name;
    }
  }
  throw Failure(SNUG_NOT_FOUND,
                "the remote model has no signature \"" + spec.signature + "\"; it has: " + known);
}

std::string EncodePredict(const ModelSpec& spec, const snug_tensor* inputs, uint32_t input_count,
                          const std::vector<std::string>& outputs) {
  Writer w;
  w.Bytes(1, Encode(spec));
  for (uint32_t i = 0; i < input_count; ++i) {
    Writer entry;
    entry.Reserve(inputs[i].bytes + 1024);
    entry.Bytes(1, inputs[i].name);
    entry.Bytes(2, EncodeTensor(inputs[i]));
    w.Bytes(2, entry.text());
  }
  for (const std::string& name : outputs) w.Bytes(3, name);
  return std::move(w.text());
}

std::vector<AnswerTensor> DecodePredict(std::string_view message) {
  std::vector<AnswerTensor> tensors;
  for (Reader r(message); r.Next();) {
    if (r.field() != 1) continue;
    auto [name, tensor] = Entry(r.Bytes());
    tensors.push_back(DecodeTensor(std::move(name), tensor));
    if (tensors.size() > SNUG_MAX_TENSORS)
      throw Failure(SNUG_INTERNAL, "the remote server sent too many tensors");
  }
  return tensors;
}

}  // namespace snug::remote::tfserving
