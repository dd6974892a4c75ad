#include "engines/remote/kserve.h"

#include <array>

#include "engines/kit/kit.h"

namespace snug::remote::kserve {
namespace {

using kit::Failure;

snug_dtype DTypeOf(std::string_view name) {
  snug_dtype dtype = kit::DTypeOfName(name);
  if (dtype != 0) return dtype;
  throw Failure(SNUG_UNIMPLEMENTED, "the remote model has a tensor of type \"" +
                                        std::string(name.substr(0, 40)) + "\", which is not served");
}

TensorAbout DecodeTensorAbout(std::string_view message) {
  TensorAbout about;
  std::vector<uint64_t> dims;
  for (Reader r(message); r.Next();) {
    if (r.field() == 1) about.name = r.Bytes();
    if (r.field() == 2) about.dtype = DTypeOf(r.Bytes());
    if (r.field() == 3) r.Varints(dims);
  }
  about.dims.assign(dims.begin(), dims.end());
  return about;
}

// InferTensorContents: the typed form, which a server may use instead of raw bytes.
std::string DecodeContents(std::string_view message, snug_dtype dtype) {
  std::string fixed;
  std::string strings;
  std::vector<uint64_t> integers;
  for (Reader r(message); r.Next();) {
    if (r.field() >= 1 && r.field() <= 5) r.Varints(integers);
    if (r.field() == 6) r.Fixed(4, fixed);
    if (r.field() == 7) r.Fixed(8, fixed);
    if (r.field() == 8) AppendString(r.Bytes(), strings);
  }
  if (dtype == SNUG_BYTES) return strings;
  if (dtype == SNUG_FP32 || dtype == SNUG_FP64) return fixed;
  return Narrow(integers, kit::ElementBytes(dtype));
}

AnswerTensor DecodeTensor(std::string_view message) {
  AnswerTensor tensor;
  std::string_view contents;
  std::vector<uint64_t> dims;
  for (Reader r(message); r.Next();) {
    if (r.field() == 1) tensor.name = r.Bytes();
    if (r.field() == 2) tensor.dtype = DTypeOf(r.Bytes());
    if (r.field() == 3) r.Varints(dims);
    if (r.field() == 5) contents = r.Bytes();
  }
  tensor.dims.assign(dims.begin(), dims.end());
  if (!contents.empty()) tensor.own = DecodeContents(contents, tensor.dtype);
  return tensor;
}

}  // namespace

std::string EncodeMetadataRequest(std::string_view model, std::string_view version) {
  Writer w;
  w.Bytes(1, model);
  if (!version.empty()) w.Bytes(2, version);
  return std::move(w.text());
}

Metadata DecodeMetadata(std::string_view message) {
  Metadata metadata;
  for (Reader r(message); r.Next();) {
    if (r.field() == 4) metadata.inputs.push_back(DecodeTensorAbout(r.Bytes()));
    if (r.field() == 5) metadata.outputs.push_back(DecodeTensorAbout(r.Bytes()));
  }
  return metadata;
}

std::string EncodeInfer(std::string_view model, std::string_view version, const snug_tensor* inputs,
                        uint32_t input_count, const std::vector<std::string>& outputs) {
  constexpr size_t kHeaderBytes = 4096;  // a guess that spares copies
  size_t total = kHeaderBytes;
  for (uint32_t i = 0; i < input_count; ++i) total += inputs[i].bytes;
  Writer w;
  w.Reserve(total);
  w.Bytes(1, model);
  if (!version.empty()) w.Bytes(2, version);
  for (uint32_t i = 0; i < input_count; ++i) {
    Writer tensor;
    tensor.Bytes(1, inputs[i].name);
    tensor.Bytes(2, kit::DTypeName(inputs[i].dtype));
    tensor.PackedVarints(3, {inputs[i].dims, inputs[i].dims + inputs[i].rank});
    w.Bytes(5, tensor.text());
  }
  for (const std::string& name : outputs) {
    Writer output;
    output.Bytes(1, name);
    w.Bytes(6, output.text());
  }
  for (uint32_t i = 0; i < input_count; ++i) {
    w.Bytes(7, {static_cast<const char*>(inputs[i].data), inputs[i].bytes});
  }
  return std::move(w.text());
}

std::vector<AnswerTensor> DecodeInfer(std::string_view message) {
  std::vector<AnswerTensor> tensors;
  std::vector<std::string_view> raw;
  for (Reader r(message); r.Next();) {
    if (r.field() == 5) tensors.push_back(DecodeTensor(r.Bytes()));
    if (r.field() == 6) raw.push_back(r.Bytes());
    if (tensors.size() > SNUG_MAX_TENSORS)
      throw Failure(SNUG_INTERNAL, "the remote server sent too many tensors");
  }
  if (!raw.empty() && raw.size() != tensors.size()) {
    throw Failure(SNUG_INTERNAL, "the remote server sent " + std::to_string(raw.size()) +
                                     " raw contents for " + std::to_string(tensors.size()) + " tensors");
  }
  for (size_t i = 0; i < raw.size(); ++i) tensors[i].raw = raw[i];
  return tensors;
}

}  // namespace snug::remote::kserve
