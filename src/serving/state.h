// Where a model version stands.
#pragma once

#include <string_view>

namespace snug::serving {

enum class State { kLoading, kReady, kUnloading, kUnavailable };
std::string_view StateName(State state);  // "LOADING", as KServe's repository index says it

}  // namespace snug::serving
