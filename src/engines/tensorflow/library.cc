#include "engines/tensorflow/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "engines/kit/kit.h"

namespace snug::tensorflow {
namespace {

constexpr const char* kLibrary = "libtensorflow_cc.so.2";

void Open(bool onednn, Api& api) {
  setenv("TF_ENABLE_ONEDNN_OPTS", onednn ? "1" : "0", 1);
  setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);  // warnings and worse, unless somebody asked for more
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw kit::Failure(SNUG_FAILED_PRECONDITION,
                       std::string("TensorFlow's library cannot be opened: ") + dlerror() +
                           "; make the engines' environment with tools/setup/venvs.sh runtime, or name the "
                           "library's folder in LD_LIBRARY_PATH");
  }
#define SNUG_FIND(name)                                                                \
  api.name = reinterpret_cast<decltype(&::name)>(dlsym(library, #name));               \
  if (api.name == nullptr) {                                                           \
    throw kit::Failure(SNUG_FAILED_PRECONDITION, "TensorFlow's library lacks " #name); \
  }
  SNUG_TENSORFLOW_FUNCTIONS(SNUG_FIND)
#undef SNUG_FIND
}

}  // namespace

const Api& OpenLibrary(bool onednn) {
  static Api api;
  static bool is_open = false;
  static bool opened_with = false;
  if (!is_open) {
    Open(onednn, api);
    is_open = true;
    opened_with = onednn;
  }
  if (opened_with == onednn) return api;
  throw kit::Failure(SNUG_FAILED_PRECONDITION,
                     std::string("TensorFlow chooses oneDNN once for a process, and it is ") +
                         (opened_with ? "on" : "off") +
                         " in this one: load the model with isolation: process");
}

}  // namespace snug::tensorflow
