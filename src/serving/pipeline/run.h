// One request on its way through a pipeline: which executions to begin now, and what their answers mean.
// Pure: it waits for nothing and calls nobody; used by one thread at a time.
//
// A step is executed as soon as its values are there. One with for_each is executed once for each row of
// those values, a row as soon as it is there: the crop that is read already need not wait for the one that is
// not. Tensors are passed on as they are, rows as views of the whole; rows are put together (one copy) only
// where somebody takes them as a whole.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "serving/pipeline/graph.h"

namespace snug::serving {

// Executions that a step may have under way for one request: what a request with many items may take of a
// model's queue at a time, so that those beside it get their turn.
constexpr size_t kItemsAtOnceMax = 32;

class PipelineRun {
 public:
  // `inputs`: in the graph's order, checked. `wanted`: outputs, empty: all; steps that they do not need are
  // left out. The graph must outlive the run.
  PipelineRun(const PipelineGraph& graph, std::vector<Tensor> inputs, std::span<const uint8_t> wanted);

  struct Call {
    size_t step = 0;
    size_t item = 0;
    std::vector<Tensor> inputs;        // named as the step's model names them
    std::vector<std::string> outputs;  // those to ask it for
  };
  // The next execution to begin now; none: nothing to do until one that is under way has ended, if any is.
  std::optional<Call> Next();
  // Its answer. A full queue (RESOURCE_EXHAUSTED) is no failure while others of the same step are under way:
  // the item is tried again when one of those has ended.
  void Finished(const Call& call, Result<std::vector<Tensor>> outputs);

  // Nothing is under way, and nothing will be.
  bool Done() const { return under_way_ == 0 && (!failure_.ok() || steps_left_ == 0); }
  // Once, when Done: the wanted outputs in the graph's order, or the first failure, which names the step.
  Result<std::vector<Tensor>> TakeOutputs();
  // Executions that the step has needed.
  size_t items(size_t step) const { return steps_[step].count; }
  bool finished(size_t step) const { return steps_[step].finished == steps_[step].count; }

 private:
  struct Value {
    bool is_counted = false;  // it is known how many rows there are
    size_t count = 0;
    std::optional<Tensor> whole;
    std::vector<std::optional<Tensor>> rows;  // of a step with for_each
    std::vector<size_t> row_users_left;       // inputs of steps that take the row by itself
    size_t whole_users = 0;                   // inputs that take it as a whole, and the answer
    size_t row_users = 0;
    size_t users_left = 0;  // both
  };
  struct Step {
    bool is_needed = false;
    bool is_open = false;  // it is known how many executions it takes
    size_t count = 1;
    size_t wholes_missing = 0;    // inputs taken as a whole that are not there
    std::vector<size_t> missing;  // for each item: rows that are not there
    std::deque<size_t> ready;     // items that can begin, once nothing is missing as a whole
    size_t under_way = 0, finished = 0;
    size_t at_once = kItemsAtOnceMax;
  };

  void MarkNeeded(std::span<const uint8_t> wanted);
  void TryOpen(size_t step);
  void RowIsThere(size_t value, size_t row);
  void WholeIsThere(size_t value);
  void Counted(size_t value, size_t count);
  void StepIsDone(size_t step);
  void Keep(size_t step, size_t item, std::vector<Tensor> outputs);
  Status CheckOutputs(size_t step, const std::vector<Tensor>& outputs) const;
  bool RowReady(size_t value, size_t row) const;
  Tensor TakeRow(size_t value, size_t row) const;
  Result<Tensor> TakeWhole(size_t value);
  Result<std::vector<Tensor>> InputsOf(size_t step, size_t item);
  void Release(size_t value);
  void ReleaseRow(size_t value, size_t row);
  void Fail(size_t step, size_t item, const Status& status);
  const PipelineGraph::Step& plan(size_t step) const { return graph_.steps[step]; }

  const PipelineGraph& graph_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<std::vector<size_t>> users_;  // of each value: steps
  std::vector<size_t> outputs_;             // values, the wanted ones
  size_t steps_left_ = 0;
  size_t under_way_ = 0;
  Status failure_;
};

}  // namespace snug::serving
