// Pure: tensors of several requests joined along the first dimension, and cut apart again.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"

namespace snug::serving {

// What a batch needs to know of a request. rows 0: it cannot be joined with others.
struct BatchShape {
  int64_t rows = 0;  // the first dimension, which all inputs share
  uint64_t signature =
      0;  // a hash of what must be equal: count, datatypes and other dimensions of the inputs
};
BatchShape BatchShapeOf(std::span<const Tensor> inputs);
// Its rows alone.
int64_t CommonRows(std::span<const Tensor> inputs);

// Whether executing requests one by one that failed together may help some of them.
bool MayBeOneRequestsFault(Code code, bool own_process);

// Rows [begin, begin + rows) of a tensor, sharing its memory. `tensor` has that many.
Tensor SliceRows(const Tensor& tensor, int64_t begin, int64_t rows);

// The parts one after the other as one tensor of `size` rows: one copy. Rows beyond those of the parts repeat
// the last one, so that padding shows the model nothing it has not been asked. INTERNAL when the parts differ
// in datatype or other dimensions, or have more than `size` rows.
Result<Tensor> JoinRows(std::span<const Tensor> parts, int64_t size);

// The same where `shape` (of the rows; its first dimension does not count) has larger dimensions than the
// parts, filled up with `filler`, the bytes of one element. Not for BYTES.
Result<Tensor> JoinPadded(std::span<const Tensor> parts, int64_t size, const Shape& shape,
                          std::string_view filler);

// Of each dimension the first elements: those of `shape`, which is nowhere larger. Shares the memory where
// they lie one after the other, else a copy. Not for BYTES.
Tensor Corner(const Tensor& tensor, const Shape& shape);

}  // namespace snug::serving
