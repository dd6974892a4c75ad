// TensorFlow's C API, opened when first needed: its settings (oneDNN on or off) are read once, while it is
// opened.
#pragma once

#include <tensorflow/c/c_api.h>
#include <tensorflow/c/tf_tstring.h>

namespace snug::tensorflow {

// Left alone by clang-format, which does not come to rest on lists of macro calls.
// clang-format off
#define SNUG_TENSORFLOW_FUNCTIONS(X) \
  X(TF_Version) X(TF_NewStatus) X(TF_DeleteStatus) X(TF_GetCode) X(TF_Message) X(TF_NewBuffer) \
  X(TF_DeleteBuffer) X(TF_NewGraph) X(TF_DeleteGraph) X(TF_NewSessionOptions) \
  X(TF_DeleteSessionOptions) X(TF_SetConfig) X(TF_LoadSessionFromSavedModel) X(TF_CloseSession) \
  X(TF_DeleteSession) X(TF_SessionRun) X(TF_GraphOperationByName) X(TF_OperationNumOutputs) \
  X(TF_NewTensor) X(TF_AllocateTensor) X(TF_DeleteTensor) X(TF_TensorType) X(TF_NumDims) X(TF_Dim) \
  X(TF_TensorData) X(TF_TensorByteSize) X(TF_StringInit) X(TF_StringCopy) X(TF_StringGetDataPointer) \
  X(TF_StringGetSize) X(TF_StringDealloc)
// clang-format on

// The functions, by their own names.
struct Api {
#define SNUG_DECLARE(name) decltype(&::name) name = nullptr;
  SNUG_TENSORFLOW_FUNCTIONS(SNUG_DECLARE)
#undef SNUG_DECLARE
};

// Opens the library with oneDNN on or off; the first call decides for the process. Throws kit::Failure:
// FAILED_PRECONDITION when the library cannot be opened, or was opened with the other setting. Called by one
// thread at a time.
const Api& OpenLibrary(bool onednn);

}  // namespace snug::tensorflow
