// Where a model version stands.
#pragma once

#include <string_view>

namespace snug::serving {

enum class State {
  kStandby,  // not loaded, and will be for the first request
  kLoading,
  kReady,
  kUnloading,
  kUnavailable
};
std::string_view StateName(State state);  // "LOADING", as KServe's repository index says it

}  // namespace snug::serving
