// What the engine plug-ins share: errors, options, specs. Inside a plug-in errors are thrown as Failure (the
// libraries behind throw as well); Guard turns every exception into a code at the plug-in's edge.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"

namespace snug::kit {

class Failure : public std::exception {
 public:
  Failure(snug_code code, std::string text) : code_(code), text_(std::move(text)) {}
  snug_code code() const { return code_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  snug_code code_;
  std::string text_;
};

// Writes the text, cut to what snug_error holds, and returns the code.
snug_code Fail(snug_error* error, snug_code code, const char* text) noexcept;

// Runs `body`; an exception becomes its code (Failure), RESOURCE_EXHAUSTED (no memory) or `otherwise`.
template <typename Body>
snug_code Guard(snug_error* error, snug_code otherwise, Body&& body) noexcept {
  try {
    body();
    return SNUG_OK;
  } catch (const Failure& e) {
    return Fail(error, e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return Fail(error, SNUG_RESOURCE_EXHAUSTED, "out of memory");
  } catch (const std::exception& e) {
    return Fail(error, otherwise, e.what());
  } catch (...) {
    return Fail(error, otherwise, "unknown exception");
  }
}

// A model's options. Each getter throws Failure(INVALID_ARGUMENT) that names the option, what it may be and
// what it is.
class Options {
 public:
  // Throws when `json` is not an object or holds a key that is not among `known` (the text lists them).
  Options(std::string_view json, std::initializer_list<std::string_view> known);
  ~Options();

  int64_t Integer(const char* name, int64_t otherwise, int64_t min, int64_t max) const;
  bool Boolean(const char* name, bool otherwise) const;
  std::string Text(const char* name, std::string otherwise) const;
  std::string Choice(const char* name, std::string otherwise,
                     std::initializer_list<std::string_view> choices) const;
  // A map, as JSON; "{}" when it is not given.
  std::string Object(const char* name) const;
  // Tensors as people declare them, in their order: [{name: x, dtype: FP32, shape: [-1, 4]}] or, in
  // alphabetical order, {x: {dtype: FP32, shape: [-1, 4]}}. Empty when not given.
  struct Declared {
    std::string name;
    snug_dtype dtype = 0;
    std::vector<int64_t> dims;
  };
  std::vector<Declared> Tensors(const char* name) const;

 private:
  struct Values;
  std::unique_ptr<Values> values_;
};

// Tensor specs that keep the memory which snug_tensor_spec points to. Not movable once Add was called by
// value users: deque-like stability comes from holding each spec apart.
class SpecList {
 public:
  void Add(std::string name, snug_dtype dtype, std::vector<int64_t> dims);
  const std::vector<snug_tensor_spec>& specs() const { return specs_; }
  size_t size() const { return specs_.size(); }
  const std::vector<int64_t>& dims(size_t i) const { return kept_[i]->dims; }
  // Whether the first dimension of each is free.
  bool FirstIsFree() const;

 private:
  struct Kept {
    std::string name;
    std::vector<int64_t> dims;
  };
  std::vector<std::unique_ptr<Kept>> kept_;
  std::vector<snug_tensor_spec> specs_;
};

// Fills *info for describe. It points into the lists and `description`, which live as long as the model.
void Describe(const SpecList& inputs, const SpecList& outputs, uint64_t memory_bytes, int threads,
              const std::string& description, snug_model_info* info);

// The host's memory for an output, by a snug_output_sink or a snug_stream_sink. Throws Failure(INTERNAL) when
// the host refuses.
template <typename Sink>
void* Allocate(const Sink& sink, size_t index, snug_dtype dtype, std::span<const int64_t> dims,
               uint64_t bytes) {
  void* memory = sink.allocate(sink.context, static_cast<uint32_t>(index), dtype,
                               static_cast<int32_t>(dims.size()), dims.data(), bytes);
  if (memory == nullptr) throw Failure(SNUG_INTERNAL, "the host refused output " + std::to_string(index));
  return memory;
}

// Adds what Options::Tensors(option) has.
void AddDeclared(const Options& options, const char* option, SpecList& specs);

// KServe's name of an element type, "FP32"; "" for a number that is none. And back: 0 for a name that is
// none.
std::string_view DTypeName(snug_dtype dtype);
snug_dtype DTypeOfName(std::string_view name);
// Element bytes; 0 for SNUG_BYTES.
size_t ElementBytes(snug_dtype dtype);
// Whether all dimensions are known.
bool IsStatic(const std::vector<int64_t>& dims);
// Files of a directory with one of these extensions (".onnx"), as sorted paths.
std::vector<std::string> FilesWith(const std::string& directory,
                                   std::initializer_list<std::string_view> extensions);
// The one of them, or the one called `preferred`. Throws Failure(INVALID_ARGUMENT) when there is none, or
// several.
std::string OneFile(const std::string& directory, std::initializer_list<std::string_view> extensions,
                    const std::string& preferred);
// The directory of the plug-in (or program) that this is linked into. Throws Failure(INTERNAL).
std::string PluginDirectory();
// The process's memory that is its own (not files'), to be taken before and after a load. 0 when it cannot be
// read.
uint64_t PrivateBytes();

}  // namespace snug::kit
